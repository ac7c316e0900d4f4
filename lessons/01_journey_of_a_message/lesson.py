# %% [markdown] tags=["core"]
# # 1. The journey of a message
#
# *45 minutes. You need unit 0. You will be able to: name the roles on the way; say which host speaks to which port; tell
# SMTP connections from everything else in a trace.*
#
# Alice presses **Send**. Bob's computer shows a new letter. Between the two, at least four programs have spoken to each
# other. Which ones, in which order, and who is responsible when something goes wrong?
#
# We send one letter and keep everything that happened. Then we ask the record.

# %% tags=["core"]
import sys
from pathlib import Path

here = Path.cwd().resolve()
sys.path += [str(folder) for folder in (here, *here.parents) if (folder / "simulator").is_dir()]

from simulator import Internet
from simulator.exercises import Unit

unit = Unit("01_journey_of_a_message")

# %% [markdown] tags=["core"]
# ## 1. How many connections carry the letter?
#
# These hosts exist: Alice's laptop, Alice's mail server, Bob's mail server, and the name servers. Bob's own computer is
# switched off.
#
# **Predict.** How many TCP connections carry the letter from Alice until it lies in Bob's mailbox?

# %% tags=["core"]
# Write a whole number.
connections = 2  # solution
unit.predict("connections", connections)

# %% tags=["core"]
def send():
    with Internet(medium="memory") as net:
        return net.send("Hello Bob", sender="alice@alice.example", to="bob@bob.example", subject="First letter")


journey = unit.observe("connections", send, show=lambda seen: len(seen.hops))
journey.map()

# %% [markdown] tags=["core"]
# Two: laptop to Alice's server, and that one to Bob's. **Nobody connected to Bob's computer.** The letter lies in a
# mailbox on Bob's server; his mail program fetches it later, with another protocol (IMAP). SMTP only ever *pushes*.
#
# The three steps have names, and so have the programs:
#
# | step | from | to | port |
# |---|---|---|---|
# | 1. **submission** | [[MUA]]: Alice's mail program | [[MSA]]: her outgoing server, after a login | 465 or 587 |
# | 2. **relay** | [[MTA]]: the relay of that server | [[Inbound/MX server]]: Bob's server, named by the DNS | 25 |
# | 3. **delivery** | the MX | [[MDA]]: puts it into the mailbox | none: same host |

# %% [markdown] tags=["core"]
# ## 2. Who asks the DNS?
#
# Somebody has to find out which host takes mail for bob.example.
#
# **Predict.** Who asks?

# %% tags=["core"]
# One of "Alice's laptop", "Alice's mail server", "Bob's mail server".
who = "Alice's mail server"  # solution
unit.predict("who_asks", who)

# %% tags=["core"]
NAMES = {"laptop.alice.example": "Alice's laptop", "mail.alice.example": "Alice's mail server", "mx.bob.example": "Bob's mail server"}
asked = unit.observe(
    "who_asks",
    lambda: journey.trace,
    show=lambda trace: NAMES[next(event.host for event in trace.events if event.kind == "DnsAsked" and "bob" in event.name)],
)
journey.names()

# %% [markdown] tags=["core"]
# Alice's laptop only knows its own server: that is a setting in the mail program. The **relay** looks at what stands
# behind the `@` and asks: *which hosts take mail for bob.example?* The answer is a list of names with a preference
# ([[MX record]]), then their addresses. An e-mail address has no IP address; a host has one.

# %% [markdown] tags=["core"]
# ## 3. Read the trace together
#
# Below is the player. **Space** plays, the **arrow keys** go one step forward and back, **1** to **4** change the view.
#
# While you go through it, find: the first readable line; the login; the moment at which Alice's server takes
# responsibility; the moment at which Bob's does.

# %% tags=["core"]
journey

# %% [markdown] tags=["core"]
# ## 4. Who is responsible, when?
#
# A server that answers `250` after the last dot says: *from now on, this is my problem* (RFC 5321 section 4.1.1.4). It must
# deliver the letter, hand it on, or tell the sender.
#
# **Predict.** Alice's program shows "sent". Where is the letter at that instant?

# %% tags=["core"]
# One of "in Bob's mailbox", "on Alice's server", "on the way between the servers".
where = "on Alice's server"  # solution
unit.predict("sent_means", where)

# %% tags=["core"]
def place_at_sent(seen):
    last_250 = [event for event in seen.hops[0].spoken if event.kind == "Reply" and event.verb == "DATA"][-1]
    stored = [event.at_s for event in seen.trace.events if event.kind == "MessageStored"]
    return "in Bob's mailbox" if stored and stored[0] <= last_250.at_s else "on Alice's server"


unit.observe("sent_means", lambda: journey, show=place_at_sent)
journey.custody()

# %% [markdown] tags=["core"]
# "Sent" means: Alice's own server has it. If Bob's server is away, the letter waits in the queue, and Alice's program has
# said "sent" long ago.

# %% [markdown] tags=["core"]
# ## 5. Exercise: roles on a fresh trace
#
# Another letter, with other people. Who had which role? Fill in the host names. (Two of them are in your task.)

# %% tags=["core"]
case = unit.case("roles")
with Internet(medium="memory") as net:
    other = net.send("Hello", sender=case["sender"], to=case["to"])
print(case["sender"], "writes to", case["to"])
unit.observe("sent_means", lambda: other.map())

# %% tags=["core"]
# solution begins: answer
answer = {
    "mail program": other.hops[0].log.client_host,
    "submission server": other.hops[0].log.server_host,
    "relay": other.hops[1].log.client_host,
    "mail exchanger": other.hops[1].log.server_host,
}
# solution ends
unit.check("roles", answer)

# %% [markdown] tags=["if-time"]
# ## If there is time: cut the last link
#
# Bob's server is switched off before Alice presses Send.
#
# **Predict.** What does Alice's mail program show?

# %% tags=["if-time"]
# One of "sent", "cannot send: Bob's server is away".
shown = "sent"  # solution
unit.predict("bob_away", shown)

# %% tags=["if-time"]
def bob_away():
    with Internet(medium="memory") as net:
        net.switch_off("mx.bob.example")
        return net.send("Are you there?", sender="alice@alice.example", to="bob@bob.example")


def submission_result(seen):
    accepted = any(event.kind == "MessageAccepted" for event in seen.trace.events)
    return "sent" if accepted else "cannot send: Bob's server is away"


waiting = unit.observe("bob_away", bob_away, show=submission_result)
waiting.outcomes

# %% [markdown] tags=["extension"]
# ## Extension: several people
#
# Send one letter to three people in two domains (`to=[...]`), and predict how many connections there are before you
# count. What is done once per domain, and what once per person?

# %% [markdown] tags=["core"]
# ## What to keep
#
# - Submission, relay, delivery: three steps, two SMTP connections.
# - The DNS is asked by the **relay**, about the domain of the **recipient**.
# - `250` after the dot passes the responsibility on. It does not say "in the inbox".

# %% tags=["core"]
unit.quiz()

# %% tags=["core"]
unit.progress()
