# %% [markdown] tags=["core"]
# # 2. Speaking SMTP by hand
#
# *45 minutes. You need unit 1. You will be able to: hold an SMTP conversation; predict the class of a reply; keep
# envelope and letter apart; explain what a dot does.*
#
# SMTP was made so that a person at a terminal could speak it. We do that now: with a real server, in this notebook.
# Nobody corrects what you type, and nothing can break outside.

# %% tags=["core"]
import sys
from pathlib import Path

here = Path.cwd().resolve()
sys.path += [str(folder) for folder in (here, *here.parents) if (folder / "simulator").is_dir()]

from simulator import Internet
from simulator.exercises import Unit

unit = Unit("02_smtp_by_hand")
net = Internet(medium="memory")

# %% [markdown] tags=["core"]
# ## 1. The first conversation
#
# `net.connect(host, port)` opens a line. Then every call sends **one line** and shows the reply.

# %% tags=["core"]
talk = net.connect("mx.bob.example", 25)
talk.greeting

# %% [markdown] tags=["core"]
# The server speaks first: `220`, and its name. Now you say who you are. `EHLO` also asks what the server can do:

# %% tags=["core"]
talk("EHLO laptop.alice.example")

# %% [markdown] tags=["core"]
# Every reply begins with three digits. **Programs read only those**, and the first digit decides:
#
# | first digit | means | the client |
# |---|---|---|
# | 2 | done | goes on |
# | 3 | go on, I wait for more | sends what is missing |
# | 4 | not now | tries again later |
# | 5 | no | does not repeat it |

# %% tags=["core"]
talk("MAIL FROM:<alice@alice.example>")

# %% tags=["core"]
talk("RCPT TO:<bob@bob.example>")

# %% tags=["core"]
talk("DATA")

# %% [markdown] tags=["core"]
# `354`: now the letter, and at its end a line with nothing but a dot. `letter` sends your text and that dot:

# %% tags=["core"]
talk.letter("""From: Alice <alice@alice.example>
To: Bob <bob@bob.example>
Subject: By hand

I typed this myself.
""")

# %% tags=["core"]
talk("QUIT")

# %% tags=["core"]
print(net.inbox("bob@bob.example")[-1])

# %% [markdown] tags=["core"]
# ## 2. Predict the first digit
#
# A new line to the same server. Here are six commands, in this order.
#
# **Predict** the first digit of each reply, as one word of six digits.
#
# 1. `EHLO laptop.alice.example`
# 2. `RCPT TO:<bob@bob.example>` (before any MAIL)
# 3. `MAIL FROM:<alice@alice.example>`
# 4. `RCPT TO:<nobody@bob.example>` (there is no such user)
# 5. `RCPT TO:<bob@bob.example>`
# 6. `DATA`

# %% tags=["core"]
# Six digits in quotes, such as "222222".
digits = "252523"  # solution
unit.predict("six_digits", digits)

# %% tags=["core"]
SIX = [
    "EHLO laptop.alice.example",
    "RCPT TO:<bob@bob.example>",
    "MAIL FROM:<alice@alice.example>",
    "RCPT TO:<nobody@bob.example>",
    "RCPT TO:<bob@bob.example>",
    "DATA",
]


def say_all():
    line = net.connect("mx.bob.example", 25)
    heard = [line(command) for command in SIX]
    line.close()
    return line, "".join(str(answer.code)[0] for answer in heard)


result = unit.observe("six_digits", say_all, show=lambda seen: seen[1])
result[0]

# %% [markdown] tags=["core"]
# Two things are worth a second look:
#
# - `503`: the order was wrong. The server stays, and the conversation goes on.
# - `550`: one recipient was refused, and the transaction went on with the other one. Every recipient has its own reply.

# %% [markdown] tags=["core"]
# ## 3. Envelope and letter
#
# What you said with `MAIL FROM` and `RCPT TO` is the **[[Envelope]]**. What you said after `DATA` is the **letter**, with
# its own `From:` and `To:`. Like on paper: the postman reads the envelope only.
#
# **Predict.** The letter says `To: Berta`, the envelope says `RCPT TO:<bob@bob.example>`. Who gets it?

# %% tags=["core"]
# One of "Bob", "Berta", "both", "nobody: the server refuses it".
who = "Bob"  # solution
unit.predict("to_differs", who)

# %% tags=["core"]
def to_differs():
    line = net.connect("mx.bob.example", 25)
    for command in ("EHLO laptop.alice.example", "MAIL FROM:<alice@alice.example>", "RCPT TO:<bob@bob.example>", "DATA"):
        line(command)
    line.letter("From: Alice <alice@alice.example>\nTo: Berta <berta@bob.example>\nSubject: For whom?\n\nHello!\n")
    line("QUIT")
    return line.journey


def who_got_it(journey):
    names = {"bob@bob.example": "Bob", "berta@bob.example": "Berta"}
    return " and ".join(names[box] for box in journey.mailboxes) or "nobody: the server refuses it"


mismatch = unit.observe("to_differs", to_differs, show=who_got_it)
mismatch.envelope()

# %% [markdown] tags=["core"]
# This is no trick and no bug. Mailing lists and blind copies (Bcc) work because of it. It is also why `From:` in a letter
# proves nothing: a later unit shows what does.

# %% [markdown] tags=["core"]
# ## 4. What a dot does
#
# A line with only a dot ends the letter. So what if the letter itself has such a line, or one that begins with a dot?
#
# **Predict.** After `DATA` you send these lines. What lies in Bob's mailbox?
#
# ```text
# ..two dots
# .one dot
# .
# ```

# %% tags=["core"]
# One of "..two dots / .one dot", ".two dots / one dot", "..two dots / one dot".
dots = ".two dots / one dot"  # solution
unit.predict("dots", dots)

# %% tags=["core"]
def send_dots():
    line = net.connect("mx.bob.example", 25)
    for command in ("EHLO laptop.alice.example", "MAIL FROM:<alice@alice.example>", "RCPT TO:<bob@bob.example>", "DATA"):
        line(command)
    line.octets(b"Subject: Dots\r\n\r\n..two dots\r\n.one dot\r\n.\r\n")
    line("QUIT")
    return net.inbox("bob@bob.example")[-1]


stored = unit.observe("dots", send_dots, show=lambda letter: " / ".join(letter.text.splitlines()[:2]))
stored

# %% [markdown] tags=["core"]
# The server takes one dot away from **every** line that begins with one (RFC 5321 section 4.5.2). So the sender has to put
# one in front first: [[Dot-stuffing]]. Every mail program does it; you, by hand, did not.

# %% [markdown] tags=["core"]
# ## 5. Exercise: a letter that names nobody
#
# Deliver a letter to the person in your task **by hand**, so that the header of the letter does not contain that person's
# address anywhere. One line of the text has to arrive exactly as your task says.

# %% tags=["core"]
unit.case("blind_letter")

# %% tags=["core"]
line = net.connect("mx.bob.example", 25)
# solution begins
case = unit.case("blind_letter")
line("EHLO laptop.alice.example")
line("MAIL FROM:<alice@alice.example>")
line(f"RCPT TO:<{case['recipient']}>")
line("DATA")
line.letter("From: Alice <alice@alice.example>\nSubject: For you\n\n." + case["line"] + "\n")
line("QUIT")
# solution ends
unit.check("blind_letter", line.journey)

# %% [markdown] tags=["if-time"]
# ## If there is time: rude clients
#
# Try what a server must endure. Each one is a line of Python; look at the reply codes.

# %% tags=["if-time"]
rude = net.connect("mx.bob.example", 25)
for command in ("HELLO", "mAiL fRoM:<alice@alice.example>", "NOOP", "VRFY bob", "EHLO laptop.alice.example", "RCPT TO:<not an address>"):
    print(command, "->", rude(command).code)
rude.close()

# %% [markdown] tags=["extension"]
# ## Extension: in a group
#
# The server offers `PIPELINING`: commands may be sent without waiting. Send `MAIL`, two `RCPT` and `DATA` with one
# `talk.octets(..., replies=4)`, one of the recipients unknown. Which replies come, and in which order?

# %% [markdown] tags=["core"]
# ## What to keep
#
# - The server speaks first. One command, one reply; the first digit decides.
# - The envelope decides who gets it. The letter's `To:` decides nothing.
# - Only CRLF, dot, CRLF ends a letter; leading dots are doubled on the way.

# %% tags=["core"]
net.close()
unit.quiz()

# %% tags=["core"]
unit.progress()
