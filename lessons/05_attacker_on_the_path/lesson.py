# %% [markdown] tags=["core"]
# # 5. The attacker on the path
#
# *45 minutes. You need unit 4. You will be able to: say which certificates a mail program must refuse, and why; show how
# STARTTLS is taken away without breaking any cryptography; choose settings that survive it.*
#
# In unit 4 the listener only **listened**. Now somebody sits in the middle, on the café's router, and **changes** what
# passes.
#
# > **Only here.** The attacks of this unit run inside this notebook, between simulated hosts. Doing the same to other
# > people's connections is a crime in most countries, and no exercise.

# %% tags=["core"]
import sys
from pathlib import Path

here = Path.cwd().resolve()
sys.path += [str(folder) for folder in (here, *here.parents) if (folder / "simulator").is_dir()]

from simulator import Internet, default_plan
from simulator.exercises import Unit
from simulator.network.attackers import CutAtTls, StripStartTls

unit = Unit("05_attacker_on_the_path")
ENVELOPE = {"sender": "alice@alice.example", "to": "bob@bob.example", "server": "mail.alice.example"}

# %% [markdown] tags=["core"]
# ## 1. Whose key is it? Certificates
#
# TLS with *somebody* is no protection: the attacker can do TLS too. A certificate says whose key it is, and an authority
# that the client trusts signs that.
#
# Here are four bad certificates on Alice's server, and what a mail program does by default: try each one.

# %% tags=["core"]
for flaw in ("good", "self-signed", "wrong name", "expired", "unknown CA"):
    with Internet(medium="memory", plan=default_plan().with_host("mail.alice.example", certificate=flaw)) as net:
        tried = net.send("Hello", mode="implicit", **ENVELOPE)
    outcome = tried.outcomes["bob@bob.example"]
    print(f"{flaw:12} {outcome.result:10} {outcome.text}")

# %% [markdown] tags=["core"]
# RFC 8314 section 5.2: a failed check **ends the session**. No "continue anyway" button, because nobody can tell an
# expired certificate from an attacker by looking at a button.
#
# Python's own `smtplib.SMTP_SSL(host)` without a context checks **nothing**. We have such a client too, for lessons.
#
# **Predict.** The attacker shows a *self-signed* certificate. The careless client connects to it with TLS. Does the
# attacker get the password?

# %% tags=["core"]
# One of "no, TLS protects it", "yes".
gets_it = "yes"  # solution
unit.predict("careless_client", gets_it)

# %% tags=["core"]
def careless():
    with Internet(medium="memory", plan=default_plan().with_host("mail.alice.example", certificate="self-signed")) as net:
        return net.send("Hello", mode="implicit", unsafe_no_verification=True, **ENVELOPE)


trusting = unit.observe("careless_client", careless, show=lambda j: "yes" if j.delivered else "no, TLS protects it")
trusting

# %% [markdown] tags=["core"]
# Look for `AUTH`: it was sent, inside TLS, to whoever held that key. Encrypted, and to the wrong person.

# %% [markdown] tags=["core"]
# ## 2. Taking STARTTLS away
#
# On 587 the connection begins in clear. The server *offers* STARTTLS in one line of its EHLO reply. The attacker replaces
# that line. No cryptography is broken; nothing has begun yet (RFC 3207 section 6).
#
# Alice's server is faithful: it does **not** offer `AUTH` before TLS. So our attacker puts the offer of `AUTH` in the
# place of the offer of STARTTLS.
#
# Alice's mail program is set to **"STARTTLS, if available"**.
#
# **Predict.** What happens?

# %% tags=["core"]
# One of "the client stops, nothing is lost", "the server refuses before any harm is done",
# "the server refuses, but the password has been seen", "the letter is delivered in clear".
strip = "the server refuses, but the password has been seen"  # solution
unit.predict("strip_careless", strip)

# %% tags=["core"]
PASSWORD_LINE = "AUTH PLAIN AG"  # what AUTH PLAIN begins with: NUL, then the user name, in base64


def stripped(mode):
    with Internet(medium="memory") as net:
        net.place_box(StripStartTls(instead="AUTH PLAIN LOGIN"), lambda connection: connection.server_port == 587)
        return net.send("The secret text", mode=mode, **ENVELOPE)


def what_happened(journey):
    wire = journey.hops[0].log.stream("wire.c2s.sent").octets
    seen = PASSWORD_LINE.encode() in wire
    if journey.delivered:
        return "the letter is delivered in clear"
    return "the server refuses, but the password has been seen" if seen else "the client stops, nothing is lost"


victim = unit.observe("strip_careless", lambda: stripped("starttls-if-offered"), show=what_happened)
victim.ladder()

# %% [markdown] tags=["core"]
# Read the picture from above.
#
# 1. The server offers STARTTLS. Behind the box, the same reply offers `AUTH` instead.
# 2. The client asks for no TLS: nobody offered it. It sends the password.
# 3. The server answers `538`: *sign in only inside TLS*. It is right, and it is **too late**.
#
# Decode what the attacker has:

# %% tags=["core"]
import base64

if victim:
    seen = victim.hops[0].log.stream("wire.c2s.sent").octets
    line = next(line for line in seen.split(b"\r\n") if line.startswith(b"AUTH PLAIN "))
    print(base64.b64decode(line.split(b" ")[2]))

# %% [markdown] tags=["core"]
# ## 3. The same attacker against two other settings
#
# **Predict.** The same box stands on the path. Alice now sets her program to **STARTTLS, required**. And then to **465**.
# What does the attacker get?

# %% tags=["core"]
# One of "the password", "only the name of Alice's computer", "nothing at all".
required = "only the name of Alice's computer"  # solution
unit.predict("strip_strict", required)

# %% tags=["core"]
def strict_result(journey):
    wire = journey.hops[0].log.stream("wire.c2s.sent").octets
    if PASSWORD_LINE.encode() in wire:
        return "the password"
    return "only the name of Alice's computer" if b"EHLO laptop" in wire else "nothing at all"


strict = unit.observe("strip_strict", lambda: stripped("starttls"), show=strict_result)
strict

# %% [markdown] tags=["core"]
# The strict client said `EHLO`, missed the offer, said `QUIT`, and told Alice. The mail did not go; nothing was lost.
#
# And port 465? There is no line to take away:

# %% tags=["core"]
def on_465(box):
    with Internet(medium="memory") as net:
        net.place_box(box, lambda connection: connection.server_port == 465)
        return net.send("The secret text", mode="implicit", **ENVELOPE)


unit.observe("strip_strict", lambda: on_465(StripStartTls(instead="AUTH PLAIN LOGIN")).outcomes)

# %% [markdown] tags=["core"]
# The same box passed everything on unchanged: it saw only TLS records. All that an attacker can still do to 465 is to
# break the connection:

# %% tags=["core"]
unit.observe("strip_strict", lambda: on_465(CutAtTls()).outcomes)

# %% [markdown] tags=["core"]
# ## 4. Exercise: settings that survive
#
# Write down the arguments of `net.send` with which the letter arrives **and** nothing secret is shown, although all the
# boxes of this unit stand on the path of port 587, and the server's certificate is good.
#
# `unit.check` runs your settings against the attackers and looks at the octets.

# %% tags=["core"]
settings = {"mode": "implicit"}  # solution
unit.check("settings_that_survive", settings)

# %% [markdown] tags=["if-time"]
# ## If there is time: who is this attacker on port 25?
#
# Between mail servers, TLS is **opportunistic** (RFC 7435): the relay takes it when it is offered, believes any
# certificate, and goes on in clear otherwise, because the mail must go through.
#
# **Predict.** The same box stands between Alice's server and Bob's. What becomes of the letter?

# %% tags=["if-time"]
# One of "it waits in the queue", "it comes back to Alice", "it is delivered, readable on the way".
relayed = "it is delivered, readable on the way"  # solution
unit.predict("strip_relay", relayed)

# %% tags=["if-time"]
def relay_stripped():
    with Internet(medium="memory") as net:
        net.place_box(StripStartTls(), lambda connection: connection.server_port == 25)
        return net.send("The secret text", mode="implicit", **ENVELOPE)


def relay_result(journey):
    if not journey.delivered:
        return "it waits in the queue"
    readable = b"The secret text" in journey.hops[1].log.stream("wire.c2s.sent").octets
    return "it is delivered, readable on the way" if readable else "it is delivered, protected"


in_the_middle = unit.observe("strip_relay", relay_stripped, show=relay_result)
in_the_middle.readers()

# %% [markdown] tags=["extension"]
# ## Extension: build the box
#
# `simulator/network/attackers.py` is short. Write a box of your own that puts a second `RCPT TO` behind the first one on
# a cleartext connection, and show with `journey.envelope()` who gets the letter. Then show what stops it.

# %% [markdown] tags=["core"]
# ## What to keep
#
# - A certificate that cannot be checked ends the session. TLS with nobody in particular protects nothing.
# - "STARTTLS, if available" means: **the attacker decides**.
# - A faithful server cannot save a careless client: it refuses too late.
# - "Required and checked" is what protects: on 587 as on 465. On 465 there is less to get wrong.

# %% tags=["core"]
unit.quiz()

# %% tags=["core"]
unit.progress()
