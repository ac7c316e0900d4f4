# %% [markdown] tags=["core"]
# # 7. Step 3, inbound delivery
#
# *45 minutes. You need units 2 and 6. You will be able to: say what a mail exchanger must accept and what it must refuse;
# say what `250` promises; read the trace fields of a letter backwards.*
#
# Bob's server stands open to the whole world on port 25. Anyone may knock. What does it take, what does it refuse, and
# what does it owe the sender after it has said `250`?

# %% tags=["core"]
import sys
from pathlib import Path

here = Path.cwd().resolve()
sys.path += [str(folder) for folder in (here, *here.parents) if (folder / "simulator").is_dir()]

from simulator import Internet
from simulator.exercises import Unit

unit = Unit("07_delivery")
net = Internet(medium="memory")

# %% [markdown] tags=["core"]
# ## 1. What a stranger may do
#
# A stranger without any account speaks to Bob's port 25. Four attempts:
#
# 1. a letter from stranger@stranger.test to **bob@bob.example**;
# 2. to **nobody@bob.example** (no such user);
# 3. to **carol@carol.test** (not Bob's domain);
# 4. a letter to Bob, `MAIL FROM:<bob@bob.example>`: the stranger says he *is* Bob.
#
# **Predict.** Which of them are accepted at `RCPT`?

# %% tags=["core"]
# The numbers in order, such as "12".
accepted = "14"  # solution
unit.predict("stranger", accepted)

# %% tags=["core"]
ATTEMPTS = [
    ("stranger@stranger.test", "bob@bob.example"),
    ("stranger@stranger.test", "nobody@bob.example"),
    ("stranger@stranger.test", "carol@carol.test"),
    ("bob@bob.example", "bob@bob.example"),
]


def knock():
    answers = []
    for sender, recipient in ATTEMPTS:
        line = net.connect("mx.bob.example", 25)
        line("EHLO stranger.test")
        line(f"MAIL FROM:<{sender}>")
        answers.append(line(f"RCPT TO:<{recipient}>"))
        line.close()
    return answers


def good(answers):
    return "".join(str(number) for number, answer in enumerate(answers, 1) if answer.code == 250)


answers = unit.observe("stranger", knock, show=good)
for answer in answers:
    print(answer)

# %% [markdown] tags=["core"]
# - **1**: anyone may write to Bob. No login, no proof of anything.
# - **2**: `550 5.1.1`, and *now*, at `RCPT`. If the server took the letter first, it would have to send a report later, to
#   an address that may be forged ([[Backscatter]]).
# - **3**: `550 5.7.1`, relaying denied. This is the line between a mail exchanger and an [[Open relay]].
# - **4**: accepted! SMTP itself believes every `MAIL FROM`. (RFC 5321 section 7.1 says so plainly.) Unit 9 is about what
#   was built to check it: SPF, DKIM and DMARC.

# %% [markdown] tags=["core"]
# ## 2. What does 250 promise?
#
# **Predict.** The server has said `250` after the last dot. What may the sender conclude?

# %% tags=["core"]
# One of "Bob has read it", "it is in Bob's inbox", "this server is responsible for it now".
promise = "this server is responsible for it now"  # solution
unit.predict("promise", promise)

# %% tags=["core"]
def deliver():
    return net.send("Is it there?", sender="alice@alice.example", to="bob@bob.example")


def what_250_says(journey):
    accepted_by = [event.host for event in journey.trace.events if event.kind == "MessageAccepted"]
    return "this server is responsible for it now" if accepted_by[-1] == "mx.bob.example" else "nothing"


delivered = unit.observe("promise", deliver, show=what_250_says)
delivered.custody()

# %% [markdown] tags=["core"]
# The baton: at each instant somebody is responsible. Look closely at the two handovers. The server has the letter as soon
# as it says `250`; the client knows only when that has **arrived**. In between both have it. If the `250` is lost, the
# client sends the letter again, and Bob gets it twice. SMTP prefers two copies to none.
#
# Which folder it lands in, or whether a filter puts it into "spam", is a local matter *after* the `250`.

# %% [markdown] tags=["core"]
# ## 3. Read a letter backwards
#
# Here is what lies in Bob's mailbox:

# %% tags=["core"]
letter = unit.observe("promise", lambda: net.inbox("bob@bob.example")[-1])
print(letter)

# %% [markdown] tags=["core"]
# **Predict.** There are two [[Received]] fields. Which server wrote the one **at the top**?

# %% tags=["core"]
# One of "Alice's server", "Bob's server".
top = "Bob's server"  # solution
unit.predict("top_received", top)

# %% tags=["core"]
def received_fields():
    return net.inbox("bob@bob.example")[-1].message.get_all("Received")


def who_is_on_top(fields):
    return "Bob's server" if "by mx.bob.example" in fields[0] else "Alice's server"


fields = unit.observe("top_received", received_fields, show=who_is_on_top)
for field in fields:
    print("-", field)

# %% [markdown] tags=["core"]
# Everybody puts their own field **on top** (RFC 5321 section 4.4). So read from below: from the sender to you.
#
# - `from`: the name that the client *said* in `EHLO`, then in brackets the address it *really* came from;
# - `by`: who wrote this line;
# - `with`: how. The **S** in `ESMTPS` says TLS, the **A** in `ESMTPSA` says that there was a login;
# - `Return-Path` is the envelope sender, written at the very end.
#
# You can trust the lines that your own server wrote, and nothing below them: a sender can write any `Received` field
# into a letter before it leaves.

# %% [markdown] tags=["core"]
# ## 4. Exercise: find the forged one
#
# Somebody sent Bob the letter of your task, with one forged `Received` field. Which one is it? Count from the top,
# beginning with 1.

# %% tags=["core"]
unit.case("forged_received")

# %% tags=["core"]
# Write a whole number.
# solution begins: answer
answer = unit.material.forged_place(unit.case("forged_received")["received"])
# solution ends
unit.check("forged_received", answer)

# %% [markdown] tags=["if-time"]
# ## If there is time: one bad recipient of three
#
# **Predict.** One letter to bob@, nobody@ and berta@bob.example, in one transaction. How many mailboxes get it?

# %% tags=["if-time"]
# Write a whole number.
boxes = 2  # solution
unit.predict("one_bad_of_three", boxes)

# %% tags=["if-time"]
def three():
    return net.send(
        "To three", sender="alice@alice.example", to=["bob@bob.example", "nobody@bob.example", "berta@bob.example"]
    )


partly = unit.observe("one_bad_of_three", three, show=lambda journey: len(journey.mailboxes))
partly.outcomes

# %% [markdown] tags=["if-time"]
# Every recipient has its own fate. A client that looks only at the last reply would have told Alice "sent".

# %% [markdown] tags=["extension"]
# ## Extension: where it really lies
#
# `letter.path` is a file on this computer: a Maildir, one file for each letter. Start `python -m simulator serve`, send a
# letter with `swaks` or `curl` as it prints, and open the file with a text editor. Which lines are not yours?

# %% [markdown] tags=["core"]
# ## What to keep
#
# - A mail exchanger takes letters **for its own people from anyone**, and nothing else.
# - It refuses as early as it can: at `RCPT`.
# - `250` after the dot: responsible. Not "read", not "inbox".
# - `Received` fields are read from below, and believed down to your own server's.

# %% tags=["core"]
net.close()
unit.quiz()

# %% tags=["core"]
unit.progress()
