# %% [markdown] tags=["core"]
# # 4. TLS modes: when does the lock close?
#
# *45 minutes. You need units 1 and 3. You will be able to: count the round trips of a connection; say what a listener
# learns from each mode; say who can still read the letter.*
#
# Every mail program has a small menu for the outgoing server: **SSL/TLS** or **STARTTLS**, port **465** or **587**.
# Most pages on the web tell you which one is "secure" and stop there.
#
# We do not believe them, and we do not believe the opposite either. We send the same letter in three ways, record every
# octet on the wire, and **count** and **search**.

# %% tags=["core"]
import sys
from pathlib import Path

here = Path.cwd().resolve()
sys.path += [str(folder) for folder in (here, *here.parents) if (folder / "simulator").is_dir()]

from simulator import Internet, compare
from simulator.exercises import Unit

unit = Unit("04_tls_modes")

# %% [markdown] tags=["core"]
# ## 1. Count: what does the lock cost?
#
# A **round trip** is one question and its answer: there and back. On a slow line it takes 0.1 seconds or more, and
# nothing can make it shorter. So we count round trips, from the first packet (SYN) until the client may say `MAIL FROM`.
#
# This is what has to happen before that:
#
# | what happens | cleartext, 587 | [[STARTTLS]], 587 | [[Implicit TLS]], 465 |
# |---|---|---|---|
# | TCP connection | yes | yes | yes |
# | TLS handshake | no | in the middle | at the start |
# | greeting `220` | yes | yes | yes, inside TLS |
# | `EHLO` | once | **twice**: everything heard before TLS is forgotten | once |
# | `STARTTLS` and its `220` | no | yes | no |
# | `AUTH` | yes | yes | yes |
#
# **Predict.** How many round trips *more* than port 465 does STARTTLS on 587 need until `MAIL FROM`? (TLS 1.3.)

# %% tags=["core"]
# Write a whole number.
extra = 2  # solution
unit.predict("extra_round_trips", extra)

# %% tags=["core"]
three_ways = unit.observe(
    "extra_round_trips",
    lambda: compare(),
    show=lambda seen: seen.columns[1].until_mail - seen.columns[2].until_mail,
)
three_ways

# %% [markdown] tags=["core"]
# Look at the two last lines of the table. Each number is counted from the times of the recorded octets.
#
# STARTTLS pays for saying `STARTTLS` (one round trip), and for greeting again (`EHLO`, one more). On a line with 100 ms
# there and back, that is 0.2 seconds per connection.
#
# The same three connections on one time axis:

# %% tags=["core"]
three_ways.figure()

# %% [markdown] tags=["core"]
# ## 2. TLS 1.3 is faster than TLS 1.2. Is it, here?
#
# A full TLS 1.2 handshake needs **two** round trips, TLS 1.3 needs **one**. So on port 465, the step from 1.2 to 1.3
# should save a round trip.
#
# **Predict.** With TLS 1.3, port 465 took 5 round trips until `MAIL FROM` (with the login). How many with TLS 1.2?

# %% tags=["core"]
# Write a whole number.
with_tls_1_2 = 5  # solution
unit.predict("implicit_tls_1_2", with_tls_1_2)

# %% tags=["core"]
older = unit.observe(
    "implicit_tls_1_2",
    lambda: compare(tls_version="1.2"),
    show=lambda seen: seen.columns[2].until_mail,
)
older

# %% [markdown] tags=["core"]
# Most people say 6. SMTP is a protocol in which **the server speaks first**.
#
# - With TLS 1.2 the server finishes the handshake, so its greeting rides right behind.
# - With TLS 1.3 the client finishes first. The server must wait until that has arrived, and its greeting takes the half
#   round trip that was saved, and the other half too.
#
# STARTTLS does gain: there the client speaks first after the handshake. Compare the middle columns of the two tables.

# %% [markdown] tags=["core"]
# ## 3. Search: what did the listener learn?
#
# Somebody sits in the café with Alice and records everything that passes. He cannot break TLS. We take exactly his
# octets and search them for every secret of the letter.
#
# **Predict.** The client used STARTTLS, correctly. What could the listener read all the same?

# %% tags=["core"]
# One of "nothing", "the EHLO name", "the recipient", "the password".
leak = "the EHLO name"  # solution
unit.predict("starttls_leak", leak)

# %% tags=["core"]
starttls = unit.observe(
    "starttls_leak",
    lambda: three_ways["587, STARTTLS"],
    show=lambda journey: "the EHLO name" if three_ways.columns[1].readable["EHLO name"] else "nothing",
)
starttls.wire()

# %% [markdown] tags=["core"]
# Everything before the handshake was readable: the banner, the name of Alice's computer, the list of what the server can
# do, the word `STARTTLS`. The password and the letter were not.
#
# On port 465 not even that. But even there the listener learns addresses and ports, how much was sent and when, and,
# from the first TLS record, the name of the server ([[SNI]]):

# %% tags=["core"]
implicit = unit.observe("starttls_leak", lambda: three_ways["465, implicit TLS"])
implicit.wire()

# %% [markdown] tags=["core"]
# ## 4. Who can read the letter in the end?
#
# "My mail program uses SSL, so my mail is encrypted." **Predict:** TLS was on for *every* connection of this journey.
# Who could read the text of the letter?

# %% tags=["core"]
# One of "only Alice and Bob", "Alice, Bob and Alice's server", "Alice, Bob and both servers", "everybody".
who = "Alice, Bob and both servers"  # solution
unit.predict("who_reads", who)

# %% tags=["core"]
journey = unit.observe("who_reads", lambda: implicit)
journey.readers()

# %% [markdown] tags=["core"]
# TLS protects a **link**, not the letter. Each server takes the letter out, reads what it needs, and puts it into the
# next link (RFC 3207 section 6). Every cell of this picture is a search in recorded octets.

# %% [markdown] tags=["core"]
# ## 5. Exercise: hit the number
#
# Now you decide. Send a letter from Alice to Bob that is inside TLS from the password on, and that needs **exactly** the
# number of round trips until the last `250` that your own task names:

# %% tags=["core"]
unit.case("hit_the_number")

# %% [markdown] tags=["core"]
# You can change: `mode="implicit"` or `"starttls"`, `tls_version="1.2"` or `"1.3"`, `pipelining=True` or `False` (all
# envelope commands in one go, or one by one), `fold_auth=True` or `False` (the login in the same group).

# %% tags=["core"]
# solution begins: answer
with Internet(medium="memory") as net:
    wanted = unit.case("hit_the_number")["round_trips"]
    answer = None
    for options in [
        {"mode": mode, "tls_version": version, "pipelining": pipelining, "fold_auth": fold}
        for mode in ("implicit", "starttls")
        for version in ("1.2", "1.3")
        for pipelining, fold in ((True, False), (True, True), (False, False))
    ]:
        tried = net.send("Hit", sender="alice@alice.example", to="bob@bob.example", **options)
        if tried.round_trips(1, "250") == wanted:
            answer = tried
            break
# solution ends
unit.check("hit_the_number", answer)

# %% [markdown] tags=["core"]
# Stuck? `unit.hint("hit_the_number")` gives one hint at a time.

# %% [markdown] tags=["if-time"]
# ## If there is time: the hang
#
# The most frequent support ticket of all: "it hangs", or "wrong version number". Both come from the wrong pair of
# client and port.
#
# **Predict.** A client that expects text dials 465. What does it see in the first ten seconds?

# %% tags=["if-time"]
# One of "the greeting 220", "an error at once", "nothing at all".
first = "nothing at all"  # solution
unit.predict("plain_client_on_465", first)

# %% tags=["if-time"]
def plain_on_465():
    with Internet(medium="memory") as net:
        return net.connect("mail.alice.example", 465, patience_s=10)


unit.observe("plain_client_on_465", plain_on_465)

# %% [markdown] tags=["if-time"]
# Both sides wait for the other one: the client for a greeting, the server for a ClientHello. Now the other way round: a
# client that begins with TLS dials 587.

# %% tags=["if-time"]
def tls_on_587():
    with Internet(medium="memory") as net:
        return net.connect("mail.alice.example", 587, tls=True)


unit.observe("plain_client_on_465", tls_on_587)

# %% [markdown] tags=["if-time"]
# The client read `220 ...` where a TLS record should begin: the letters `2`, `2`, `0` make no TLS version. That is what
# `WRONG_VERSION_NUMBER` means.

# %% [markdown] tags=["extension"]
# ## Extension: with your own programs
#
# In a terminal, `python -m simulator serve` keeps this internet running and prints commands for `openssl`, `swaks`,
# `curl` and Thunderbird. Try `openssl s_client` with and without `-starttls smtp` on both ports, and explain each of the
# four results in one sentence.

# %% [markdown] tags=["core"]
# ## What to keep
#
# - 465 and 587 carry the **same** protocol. They differ in *when TLS begins*.
# - STARTTLS costs two round trips more, and shows its beginning to everybody.
# - Once TLS is up, both protect equally well, **if** the client insists on it and checks the certificate. The next unit
#   is about that "if".
# - TLS protects links. Both servers read the letter.

# %% tags=["core"]
unit.quiz()

# %% [markdown] tags=["core"]
# Answer with `unit.quiz(1, "b")`.

# %% tags=["core"]
unit.progress()
