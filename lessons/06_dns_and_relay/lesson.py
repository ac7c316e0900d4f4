# %% [markdown] tags=["core"]
# # 6. Step 2, relay: DNS and MX
#
# *45 minutes. You need unit 1. You will be able to: find the hosts that take mail for a domain, in the right order; say
# what happens when one of them is away, or when there is none; tell "not now" from "never".*
#
# Alice's server has a letter for bob.example. It knows no host there, no address, no port. Everything it needs stands in
# the DNS, and in one number that is the same everywhere: 25.

# %% tags=["core"]
import sys
from pathlib import Path

here = Path.cwd().resolve()
sys.path += [str(folder) for folder in (here, *here.parents) if (folder / "simulator").is_dir()]

from simulator import Internet, default_plan
from simulator.exercises import Unit

unit = Unit("06_dns_and_relay")
ENVELOPE = {"sender": "alice@alice.example", "to": "bob@bob.example"}

# %% [markdown] tags=["core"]
# ## 1. From the root to the host
#
# **Predict.** Alice's server asks for the mail hosts of bob.example for the first time, and its memory is empty. How many
# name servers does it have to ask before it has the *name* of Bob's mail host?

# %% tags=["core"]
# Write a whole number.
asked = 3  # solution
unit.predict("servers_asked", asked)

# %% tags=["core"]
net = Internet(medium="memory")


def first_letter():
    return net.send("The first letter", **ENVELOPE)


def servers_until_mx(journey):
    servers = []
    for event in journey.trace.events:
        if event.kind == "DnsAsked" and event.rdtype == "MX":
            servers.append(event.server)
    return len(set(servers))


walk = unit.observe("servers_asked", first_letter, show=servers_until_mx)
walk.names()

# %% [markdown] tags=["core"]
# The root knows who runs `example`; that one knows who runs `bob.example`; that one knows the answer. Each says "ask over
# there" until one is responsible.
#
# The answer is an [[MX record]]: a **preference** and a **host name**. Then the relay asks for that host's addresses.
#
# Send a second letter. What is asked now?

# %% tags=["core"]
second = unit.observe("servers_asked", lambda: net.send("The second letter", **ENVELOPE))
second.names()

# %% [markdown] tags=["core"]
# Nearly nothing: answers may be kept for as long as their TTL says (here 3600 seconds).

# %% [markdown] tags=["core"]
# ## 2. Two hosts: who is first?
#
# Now bob.example has two mail hosts:
#
# ```text
# bob.example.  MX  10  mx.bob.example.
# bob.example.  MX  20  backup.bob.example.
# ```
#
# **Predict.** Which one is tried first?

# %% tags=["core"]
# One of "mx.bob.example", "backup.bob.example", "either, at random".
first = "mx.bob.example"  # solution
unit.predict("first_host", first)

# %% tags=["core"]
TWO = (
    default_plan()
    .with_new_host("bob.example", "backup.bob.example", "198.51.100.27", ["mx"])
    .with_domain("bob.example", mx=((10, "mx.bob.example"), (20, "backup.bob.example")))
)


def two_hosts(switched_off=None):
    with Internet(medium="memory", plan=TWO) as two:
        if switched_off:
            two.switch_off(switched_off)
        return two.send("Which one?", **ENVELOPE)


order = unit.observe("first_host", two_hosts, show=lambda journey: journey.hops[1].log.server_host)
order.names()

# %% [markdown] tags=["core"]
# **Lower is first.** "Preference 10" is preferred to "preference 20". Equal numbers are tried in random order, which
# shares the load.
#
# **Predict.** The first host is switched off. What happens to the letter?

# %% tags=["core"]
# One of "it comes back to Alice", "it waits half an hour", "the other host gets it at once".
away = "the other host gets it at once"  # solution
unit.predict("first_away", away)

# %% tags=["core"]
def what_became(journey):
    if not journey.delivered:
        return "it waits half an hour" if journey.outcomes["bob@bob.example"].temporary else "it comes back to Alice"
    return "the other host gets it at once"


failover = unit.observe("first_away", lambda: two_hosts("mx.bob.example"), show=what_became)
failover.map()

# %% [markdown] tags=["core"]
# The relay waited for an answer that never came (look at the times in the transcript), then went to the next host in the
# list. The letter was not late by half an hour, only by one time-out.

# %% [markdown] tags=["core"]
# ## 3. "Not now" and "never"
#
# Four domains, four troubles:
#
# | domain | trouble |
# |---|---|
# | A | its only mail host is switched off |
# | B | there is no such user (`550`) |
# | C | there is no such domain |
# | D | the domain says: "I take no mail" (null MX, `MX 0 .`) |
#
# **Predict.** For which of them does the letter **wait** in the queue?

# %% tags=["core"]
# The letters of the domains in alphabetical order, such as "AB".
waits = "A"  # solution
unit.predict("who_waits", waits)

# %% tags=["core"]
def four_troubles():
    results = {}
    with Internet(medium="memory") as one:
        one.switch_off("mx.bob.example")
        results["A"] = one.send("x", **ENVELOPE)
    with Internet(medium="memory") as one:
        results["B"] = one.send("x", sender="alice@alice.example", to="nobody@bob.example")
        results["C"] = one.send("x", sender="alice@alice.example", to="bob@nowhere.example")
    with Internet(medium="memory", plan=default_plan().with_domain("bob.example", mx=((0, "."),))) as one:
        results["D"] = one.send("x", **ENVELOPE)
    return results


def waiting(results):
    return "".join(name for name, journey in results.items() if next(iter(journey.outcomes.values())).temporary)


troubles = unit.observe("who_waits", four_troubles, show=waiting)
for name, journey in troubles.items():
    print(name, next(iter(journey.outcomes.values())))

# %% [markdown] tags=["core"]
# - **A is silence.** Nobody said no. It may be better in half an hour: the letter waits, and is tried again for days
#   (RFC 5321 section 4.5.4.1).
# - **B, C and D are answers.** Asking again would give the same answer: the letter fails at once, and Alice is told why.
#
# A `4` reply works like silence, a `5` reply like an answer: the first digit decides.

# %% [markdown] tags=["core"]
# ## 4. Why always port 25?
#
# Look at an MX record: a preference and a **name**. There is no place for a port. So every server of the world has to
# listen on the same one, and "relay over 465" cannot be said in the DNS at all.
#
# Port 25 does TLS, too: with STARTTLS, if the other side offers it, and with any certificate. This is called
# **opportunistic** ([[Opportunistic TLS]]): some protection if possible, none otherwise, but the mail goes through.
#
# **Predict.** Bob's host offers no STARTTLS. What does the relay do?

# %% tags=["core"]
# One of "it sends in clear", "it waits", "it gives up".
no_tls = "it sends in clear"  # solution
unit.predict("no_starttls", no_tls)

# %% tags=["core"]
def without_starttls():
    with Internet(medium="memory", plan=default_plan().with_host("mx.bob.example", starttls=False)) as one:
        return one.send("A secret", **ENVELOPE)


def relay_did(journey):
    if not journey.delivered:
        return "it waits" if journey.outcomes["bob@bob.example"].temporary else "it gives up"
    return "it sends in clear" if journey.hops[1].protection == "cleartext" else "it sends inside TLS"


in_clear = unit.observe("no_starttls", without_starttls, show=relay_did)
in_clear.map()

# %% [markdown] tags=["core"]
# ## 5. Exercise: put them in order
#
# Your task shows the MX records of a domain, and which hosts are switched off. Write down the hosts that the relay
# **tries**, in order, until the letter is delivered. `unit.check` builds that internet and sends a letter.

# %% tags=["core"]
unit.case("mx_order")

# %% tags=["core"]
# Names as a list, such as ["mx1.bob.example", "mx2.bob.example"].
# solution begins: answer
case = unit.case("mx_order")
answer = []
for _, name in sorted(case["records"]):
    answer.append(name)
    if name not in case["switched_off"]:
        break
# solution ends
unit.check("mx_order", answer)

# %% [markdown] tags=["if-time"]
# ## If there is time: half an hour later
#
# Bob's host comes back. Simulated time costs nothing: let it pass.

# %% tags=["if-time"]
def comes_back():
    with Internet(medium="memory") as one:
        one.switch_off("mx.bob.example")
        sent = one.send("I can wait", **ENVELOPE)
        one.switch_on("mx.bob.example")
        one.run_until_settled()
        return one.journey(sent.message)


later = unit.observe("who_waits", comes_back)
later.timeline()

# %% [markdown] tags=["extension"]
# ## Extension: break a zone
#
# `default_plan().with_domain("bob.example", extra_records="...")` adds records, `zone="..."` replaces the whole zone. Make
# an MX that points at a name without an address; one that points at an alias (CNAME); none at all. Predict each outcome,
# and find the sentence of RFC 5321 section 5.1 that decides.

# %% [markdown] tags=["core"]
# ## What to keep
#
# - The **domain of the envelope recipient** goes into the question; names, then addresses come out.
# - Lower preference first; the next host when one does not answer.
# - Silence and `4`: wait. An answer that says no, and `5`: fail, and tell the sender.
# - Between servers it is always port 25, and TLS is taken if offered.

# %% tags=["core"]
net.close()
unit.quiz()

# %% tags=["core"]
unit.progress()
