"""Predictions, exercise and quiz of unit 4. Right and wrong answers are tried by the tests."""

from __future__ import annotations

import random
from typing import Any

from simulator import Internet
from simulator.exercises import (
    Exercise,
    Option,
    Prediction,
    Question,
    Right,
    Section,
    Verdict,
    Wrong,
    right,
    trace_of,
    wrong,
)
from simulator.exercises.claims import auth_only_inside_tls, every, nothing_secret_in_clear
from simulator.protocol.round_trips import round_trips

SECTIONS = (
    Section("Hook", 3),
    Section("Count: what does the lock cost?", 9),
    Section("TLS 1.3 is faster than TLS 1.2. Is it, here?", 7),
    Section("Search: what did the listener learn?", 8),
    Section("Who can read the letter in the end?", 6),
    Section("Exercise: hit the number", 6),
    Section("If there is time: the hang", 6, "if-time"),
    Section("Extension: with your own programs", 20, "extension"),
)

PREDICTIONS = (
    Prediction(
        "extra_round_trips",
        "How many round trips more than port 465 does STARTTLS on 587 need until MAIL FROM?",
        int,
        explain="One for STARTTLS and its 220, one for the second EHLO (RFC 3207 section 4.2).",
    ),
    Prediction(
        "implicit_tls_1_2",
        "How many round trips until MAIL FROM on port 465, with TLS 1.2?",
        int,
        explain="SMTP's server speaks first. What TLS 1.3 saves in the handshake, the greeting waits for.",
    ),
    Prediction(
        "starttls_leak",
        "What could the listener read although STARTTLS was used correctly?",
        options=("nothing", "the EHLO name", "the recipient", "the password"),
        explain="Everything before the handshake is text. After it, nothing is.",
    ),
    Prediction(
        "who_reads",
        "TLS was on for every connection. Who could read the text of the letter?",
        options=("only Alice and Bob", "Alice, Bob and Alice's server", "Alice, Bob and both servers", "everybody"),
        explain="TLS protects links, not letters (RFC 3207 section 6).",
    ),
    Prediction(
        "plain_client_on_465",
        "A client that expects text dials 465. What does it see in the first ten seconds?",
        options=("the greeting 220", "an error at once", "nothing at all"),
        explain="Each side waits for the other one to begin.",
    ),
)

TARGETS = (6, 7, 8, 9, 10, 11, 12)
WAYS = [
    {"mode": mode, "tls_version": version, "pipelining": pipelining, "fold_auth": fold}
    for mode in ("implicit", "starttls")
    for version in ("1.2", "1.3")
    for pipelining, fold in ((True, False), (True, True), (False, False))
]


def _case(rng: random.Random) -> dict[str, int]:
    return {"round_trips": rng.choice(TARGETS)}


def _check(answer: Any, case: dict[str, int]) -> Verdict:
    trace = trace_of(answer)
    secret = every(nothing_secret_in_clear, auth_only_inside_tls)(trace)
    if not secret.holds:
        return wrong(secret.words + " Choose a mode in which TLS comes first.", *secret.evidence)
    hops = [log for log in trace.connections.values() if log.server_port in (465, 587)]
    if not getattr(answer, "delivered", True):
        return wrong("This letter did not arrive. Look at its outcomes.")
    counted = round_trips(trace, hops[0].number, "250")
    if counted != case["round_trips"]:
        more = "fewer" if counted > case["round_trips"] else "more"
        return wrong(f"It took {counted} round trips until the last 250; your number asks for {more}.")
    return right(f"Exactly {counted} round trips, and nothing in clear.")


def _send(**options: Any) -> Any:
    with Internet(medium="memory") as net:
        return net.send("Hit", sender="alice@alice.example", to="bob@bob.example", **options)


def _solve(case: dict[str, int]) -> Any:
    tried = [_send(**way) for way in WAYS]
    return next(journey for journey in tried if journey.round_trips(1, "250") == case["round_trips"])


def _miss(case: dict[str, int]) -> Any:
    """An answer that is protected, and one that needs another number."""
    return _send(mode="implicit", pipelining=False) if case["round_trips"] != 9 else _send(mode="implicit")


EXERCISES = (
    Exercise(
        "hit_the_number",
        "Send a letter inside TLS with exactly your number of round trips until the last 250.",
        _check,
        hints=(
            "Begin with the two modes as they are, and count: journey.round_trips(1, '250').",
            "Three switches change the number: TLS 1.2 or 1.3 (on 587 only), pipelining (two round trips), and the login "
            "folded into the group (one).",
            "Make a table: two modes, two versions, three ways to send the envelope. Your number stands in it.",
        ),
        near_example="For 8 on port 587: STARTTLS with TLS 1.3 takes 9 with pipelining; folding the login saves one more:\n"
        "    net.send('x', sender=..., to=..., mode='starttls', tls_version='1.3', fold_auth=True)",
        variants=_case,
        right=(Right(_solve),),
        wrong=(
            Wrong(lambda case: _send(mode="cleartext"), "TLS comes first"),
            Wrong(_miss, "your number asks for"),
            Wrong(lambda case: case["round_trips"], "has to be a journey"),
        ),
    ),
)

QUIZ = (
    Question(
        "Why is EHLO said twice on a connection with STARTTLS?",
        (
            Option("The first one got lost.", "It was answered. But it was said in clear."),
            Option("Both sides forget what was said before TLS.", "Yes: somebody could have changed it (RFC 3207 section 4.2).", True),
            Option("The second one carries the password.", "The password goes with AUTH."),
        ),
        "LO9",
    ),
    Question(
        "Your line has 150 ms there and back. How much later does a STARTTLS client say MAIL FROM than one on 465 (TLS 1.3)?",
        (
            Option("150 ms", "That would be one round trip. Count STARTTLS, and the second EHLO."),
            Option("300 ms", "Two round trips of 150 ms.", True),
            Option("450 ms", "That would be three round trips: so it is with full TLS 1.2."),
        ),
        "LO8",
        unseen=True,
    ),
    Question(
        "What does a listener learn from a connection to 465?",
        (
            Option("Nothing at all.", "Addresses, ports, times, sizes and the server's name (SNI) travel in clear."),
            Option("The server's name, sizes and times.", "Yes: what stands outside the records, or in the first one.", True),
            Option("The name in EHLO.", "That is said inside TLS."),
        ),
        "LO9",
    ),
    Question(
        "A colleague says: 'We use 465, so our mail is end-to-end encrypted.' What is true?",
        (
            Option("It is.", "Both servers have the letter in clear. TLS ends at each of them."),
            Option("The link to the server is encrypted.", "Exactly that, and no more (RFC 3207 section 6).", True),
            Option("Only 587 would be.", "Both protect links; neither protects the letter beyond them."),
        ),
        "LO9",
    ),
    Question(
        "A mail program reports WRONG_VERSION_NUMBER. What has happened most likely?",
        (
            Option("The certificate has expired.", "Then it would speak of the certificate."),
            Option("TLS was begun on a port where the server speaks text first.", "Yes: '220 ' was read as a TLS record.", True),
            Option("The server only knows TLS 1.3.", "Then the handshake fails with another alert."),
        ),
        "LO7",
        unseen=True,
    ),
)
