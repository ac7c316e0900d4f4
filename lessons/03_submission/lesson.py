# %% [markdown] tags=["core"]
# # 3. Step 1, submission: 25, 465, 587
#
# *45 minutes. You need units 1 and 2. You will be able to: say who may speak on which port; explain what a login is for;
# say what a submission server repairs and a relay must not.*
#
# "Which port do I have to enter?" is the most frequent question about outgoing mail. The answer is three answers: *who
# are you*, *when does TLS begin*, and *where does the letter go*.

# %% tags=["core"]
import sys
from pathlib import Path

here = Path.cwd().resolve()
sys.path += [str(folder) for folder in (here, *here.parents) if (folder / "simulator").is_dir()]

from simulator import Internet
from simulator.by_hand import plain
from simulator.exercises import Unit

unit = Unit("03_submission")
net = Internet(medium="memory")

# %% [markdown] tags=["core"]
# ## 1. Who may speak where?
#
# We try the same thing at three doors: `MAIL FROM` and `RCPT TO`, without any login.
#
# - **25** on Bob's server: for a letter *to Bob*;
# - **25** on Bob's server: for a letter to *somebody else* (carol@carol.test);
# - **587** on Alice's own server: for a letter to Bob.
#
# **Predict.** Which ones are accepted?

# %% tags=["core"]
# One of "all", "25 to Bob only", "587 only", "25 to Bob, and 587".
accepted = "25 to Bob only"  # solution
unit.predict("without_login", accepted)

# %% tags=["core"]
def at_the_door(host, port, recipient):
    line = net.connect(host, port)
    line("EHLO laptop.alice.example")
    if port == 587:
        line.starttls()
        line("EHLO laptop.alice.example")
    first = line("MAIL FROM:<alice@alice.example>")
    answer = line(f"RCPT TO:<{recipient}>") if first.code == 250 else first
    line.close()
    return answer


def three_doors():
    return {
        "25 to Bob": at_the_door("mx.bob.example", 25, "bob@bob.example"),
        "25 to somebody else": at_the_door("mx.bob.example", 25, "carol@carol.test"),
        "587": at_the_door("mail.alice.example", 587, "bob@bob.example"),
    }


def which(doors):
    good = [name for name, answer in doors.items() if answer.code == 250]
    return {3: "all"}.get(len(good), "25 to Bob only" if good == ["25 to Bob"] else ", and ".join(good))


doors = unit.observe("without_login", three_doors, show=which)
doors

# %% [markdown] tags=["core"]
# - **Port 25 takes mail for its own people from anyone.** It must: how else would strangers write to Bob?
# - It refuses to carry mail to others: `550 5.7.1`. A server that does not is an [[Open relay]], and full of spam within
#   hours.
# - **587 and 465 are for the server's own users.** They carry mail anywhere, so they want a login first: `530 5.7.0`.
#
# A login belongs to *submission*. Nobody logs in at port 25.

# %% [markdown] tags=["core"]
# ## 2. When is the password asked for?
#
# On 587 the connection begins in clear. `EHLO` shows what the server offers.
#
# **Predict.** Does a faithful server offer `AUTH` before STARTTLS?

# %% tags=["core"]
# One of "before and after TLS", "only after TLS", "only before TLS".
offer = "only after TLS"  # solution
unit.predict("auth_offer", offer)

# %% tags=["core"]
def offers():
    line = net.connect("mail.alice.example", 587)
    before = line("EHLO laptop.alice.example").lines
    line.starttls()
    after = line("EHLO laptop.alice.example").lines
    line.close()
    return line, before, after


def when_offered(seen):
    _, before, after = seen
    has = [any("AUTH" in text for text in lines) for lines in (before, after)]
    return {(True, True): "before and after TLS", (False, True): "only after TLS", (True, False): "only before TLS"}[tuple(has)]


conversation = unit.observe("auth_offer", offers, show=when_offered)
conversation[0]

# %% [markdown] tags=["core"]
# The second list has `AUTH` and no `STARTTLS`. The client has to ask again after the handshake, because everything that
# was said in clear may have been changed by somebody.
#
# This is what `AUTH PLAIN` sends. It looks like a secret, and is none:

# %% tags=["core"]
import base64

token = plain("alice@alice.example", "secret-of-alice")
print(token)
print(base64.b64decode(token))

# %% [markdown] tags=["core"]
# Base64 is a way of writing, not encryption. Only TLS keeps this from the listener.

# %% [markdown] tags=["core"]
# ## 3. What the submission server repairs
#
# Here is a poor letter: no `Date`, no `Message-ID`.
#
# **Predict.** Alice submits it, and it arrives. Which of the two does Bob's copy have?

# %% tags=["core"]
# One of "neither", "Date only", "both".
fields = "both"  # solution
unit.predict("repairs", fields)

# %% tags=["core"]
POOR = b"From: alice@alice.example\r\nTo: bob@bob.example\r\nSubject: Poor letter\r\n\r\nNo date, no id.\r\n"


def submit_poor():
    line = net.connect("mail.alice.example", 465, tls=True)
    for command in (
        "EHLO laptop.alice.example", f"AUTH PLAIN {token}", "MAIL FROM:<alice@alice.example>", "RCPT TO:<bob@bob.example>", "DATA",
    ):
        line(command)
    line.octets(POOR + b".\r\n")
    line("QUIT")
    net.run_until_settled()
    return net.inbox("bob@bob.example")[-1]


def repaired(letter):
    has = [name for name in ("Date", "Message-ID") if letter.message[name]]
    return {2: "both", 0: "neither"}.get(len(has), f"{has[0] if has else ''} only")


submitted = unit.observe("repairs", submit_poor, show=repaired)
print(submitted)

# %% [markdown] tags=["core"]
# Now the same octets straight to Bob's port 25, as a relay would send them:

# %% tags=["core"]
def relay_poor():
    line = net.connect("mx.bob.example", 25)
    for command in ("EHLO mail.alice.example", "MAIL FROM:<alice@alice.example>", "RCPT TO:<bob@bob.example>", "DATA"):
        line(command)
    line.octets(POOR + b".\r\n")
    line("QUIT")
    return net.inbox("bob@bob.example")[-1]


print(unit.observe("repairs", relay_poor))

# %% [markdown] tags=["core"]
# An [[MSA]] may complete a letter of its own user (RFC 6409 section 8). A [[Relay]] must not touch it, except that it puts
# its `Received` line on top (RFC 5321 section 6.4): the letter is not the relay's to change.

# %% [markdown] tags=["core"]
# ## 4. Who speaks first?
#
# Two doors for the same users: 465 and 587. After the TLS handshake they are the same. Only the beginning differs.
#
# **Predict.** You dial 465 with a client that expects text, and wait ten seconds. What do you see?

# %% tags=["core"]
# One of "the greeting 220", "an error at once", "nothing at all".
silence = "nothing at all"  # solution
unit.predict("dial_465", silence)

# %% tags=["core"]
def dial_465():
    line = net.connect("mail.alice.example", 465, patience_s=10)
    line.close()
    return line


hang = unit.observe("dial_465", dial_465, show=lambda seen: "the greeting 220" if seen.greeting.code == 220 else "nothing at all")
hang

# %% [markdown] tags=["core"]
# **This is "it hangs".** The client waits for a greeting; the server waits for a TLS ClientHello. Nobody is broken, and
# nothing moves. Change the port, or the mode, never the password.

# %% [markdown] tags=["core"]
# ## 5. Exercise: refuse properly
#
# Send a letter with `net.send(...)` that is refused by Alice's submission server with the enhanced code of your task. Give
# the journey to `unit.check`.

# %% tags=["core"]
unit.case("refused_with")

# %% [markdown] tags=["core"]
# You may change `password=`, `to=`, `authenticate=`. The server is `server="mail.alice.example"`.

# %% tags=["core"]
# solution begins: journey
ways = {
    "5.7.8": {"password": "wrong", "to": "bob@bob.example"},
    "5.7.0": {"authenticate": False, "to": "bob@bob.example"},
    "5.1.1": {"to": "nobody@alice.example"},
}
journey = net.send("x", sender="alice@alice.example", mode="implicit", **ways[unit.case("refused_with")["enhanced"]])
# solution ends
unit.check("refused_with", journey)

# %% [markdown] tags=["if-time"]
# ## If there is time: the order of a good mail program
#
# Without a `mode`, our mail program does what RFC 8314 asks: 465 first, then 587 with STARTTLS *required*, never in clear.
# Somebody blocks 465. What does it do?

# %% tags=["if-time"]
from simulator.network.onpath import Box, OnConnect


class Block465(Box):
    def on_connect(self, connection):
        return OnConnect.REFUSE if connection.server_port == 465 else OnConnect.PASS


with Internet(medium="memory") as blocked:
    blocked.place_box(Block465())
    fallback = blocked.send("Hello", sender="alice@alice.example", to="bob@bob.example")
print(fallback.transcript()[:1500])

# %% [markdown] tags=["extension"]
# ## Extension: your own mail program
#
# Start `python -m simulator serve` in a terminal and set up Thunderbird, or any other mail program, with the settings that
# it prints. Then set a wrong port on purpose, and explain what the program says.

# %% [markdown] tags=["core"]
# ## What to keep
#
# - **25**: servers to servers, no login, only to its own people.
# - **465 and 587**: a server's own users, with a login, to anywhere. They differ in when TLS begins.
# - The submission server repairs; relays do not.

# %% tags=["core"]
net.close()
unit.quiz()

# %% tags=["core"]
unit.progress()
