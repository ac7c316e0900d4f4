"""Predictions, exercise and quiz of unit 3. Right and wrong answers are tried by the tests."""

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
from simulator.exercises.claims import nothing_secret_in_clear, replied, smtp_connections

SECTIONS = (
    Section("Hook", 2),
    Section("Who may speak where?", 9),
    Section("When is the password asked for?", 8),
    Section("What the submission server repairs", 8),
    Section("Who speaks first?", 7),
    Section("Exercise: refuse properly", 6),
    Section("If there is time: the order of a good mail program", 6, "if-time"),
    Section("Extension: your own mail program", 25, "extension"),
)

PREDICTIONS = (
    Prediction(
        "without_login",
        "Without any login: at which doors is the recipient accepted?",
        options=("all", "25 to Bob only", "587 only", "25 to Bob, and 587"),
        explain="25 serves its own people, for everybody; 587 serves its own users, after a login (RFC 6409 section 4.3).",
    ),
    Prediction(
        "auth_offer",
        "When does a faithful server offer AUTH on 587?",
        options=("before and after TLS", "only after TLS", "only before TLS"),
        explain="So that no password is sent before TLS (RFC 4954 section 4, RFC 8314 section 4.1).",
    ),
    Prediction(
        "repairs",
        "Alice submits a letter without Date and Message-ID. Which of them does Bob's copy have?",
        options=("neither", "Date only", "Message-ID only", "both"),
        explain="The submission server added them (RFC 6409 sections 8.2 and 8.3). A relay would not.",
    ),
    Prediction(
        "dial_465",
        "A client that expects text dials 465 and waits ten seconds. What does it see?",
        options=("the greeting 220", "an error at once", "nothing at all"),
        explain="The server waits for a TLS ClientHello, the client for a greeting.",
    ),
)

CODES = {"5.7.8": 535, "5.7.0": 530, "5.1.1": 550}
WAYS: dict[str, dict[str, Any]] = {
    "5.7.8": {"password": "wrong", "to": "bob@bob.example"},
    "5.7.0": {"authenticate": False, "to": "bob@bob.example"},
    "5.1.1": {"to": "nobody@alice.example"},
}


def _case(rng: random.Random) -> dict[str, str]:
    return {"enhanced": rng.choice(sorted(CODES))}


def _check(answer: Any, case: dict[str, str]) -> Verdict:
    trace = trace_of(answer)
    submissions = [log for log in smtp_connections(trace) if log.server_port in (465, 587)]
    if not submissions or submissions[0].server_host != "mail.alice.example":
        return wrong('The refusal has to come from server="mail.alice.example", on 465 or 587.')
    hidden = nothing_secret_in_clear(trace)
    if not hidden.holds:
        return wrong(hidden.words, *hidden.evidence)
    found = replied(CODES[case["enhanced"]], case["enhanced"])(trace)
    if found.holds:
        return right("Refused as it should be, and nobody on the path learned why.", *found.evidence)
    for enhanced, code in CODES.items():
        other = replied(code, enhanced)(trace)
        if other.holds:
            return wrong(f"It was refused with {enhanced}; your task asks for {case['enhanced']}.", *other.evidence)
    return wrong("Nothing was refused with one of the codes of this task.")


def _send(**options: Any) -> Any:
    with Internet(medium="memory") as net:
        return net.send("x", sender="alice@alice.example", server=options.pop("server", "mail.alice.example"),
                        **({"mode": "implicit"} | options))  # fmt: skip


EXERCISES = (
    Exercise(
        "refused_with",
        "Have a letter refused by mail.alice.example with your enhanced code.",
        _check,
        hints=(
            "The second number of an enhanced code is the subject: 1 is an address, 7 is security or policy (RFC 3463).",
            "5.7.0: somebody did not sign in. 5.7.8: somebody signed in wrongly. 5.1.1: there is no such user.",
            "net.send has password=, authenticate= and to=. Alice's server knows who exists at alice.example.",
        ),
        near_example="A letter that is too big for the server is refused with 5.3.4:\n"
        "    net.send('x' * 20_000_000, sender='alice@alice.example', to='bob@bob.example')",
        variants=_case,
        right=(Right(lambda case: _send(**WAYS[case["enhanced"]])),),
        wrong=(
            Wrong(lambda case: _send(to="bob@bob.example"), "Nothing was refused"),
            Wrong(
                lambda case: _send(**WAYS["5.1.1" if case["enhanced"] != "5.1.1" else "5.7.8"]),
                "your task asks for",
            ),
            Wrong(lambda case: _send(to="bob@bob.example", mode="cleartext", server="old-mail.alice.example"), "has to come from"),
            Wrong(lambda case: case["enhanced"], "has to be a journey"),
        ),
    ),
)

QUIZ = (
    Question(
        "A program reads '550 5.7.1 Relaying denied' on port 25. What is wrong?",
        (
            Option("The server is broken.", "It does what a mail exchanger must do (RFC 5321 section 3.6.2)."),
            Option("The program wanted to submit at the wrong door.", "Yes: for other domains it needs 465 or 587, and a login.", True),
            Option("The password was wrong.", "Nobody signs in at port 25; a wrong password is 535."),
        ),
        "LO7",
        unseen=True,
    ),
    Question(
        "What protects the password of AUTH PLAIN?",
        (
            Option("Base64", "Anybody can decode it: it is a way of writing."),
            Option("A hash", "PLAIN sends the password as it is."),
            Option("TLS, and nothing else", "So it must be up, and checked, first (RFC 4954 section 14).", True),
        ),
        "LO10",
    ),
    Question(
        "Which port does Alice's server dial to hand the letter to Bob's server?",
        (
            Option("25", "Always: an MX record has no place for a port.", True),
            Option("465", "That is for users of Bob's server."),
            Option("587", "That is for users of Bob's server."),
        ),
        "LO7",
    ),
    Question(
        "'It hangs on connecting to port 465.' What do you try first?",
        (
            Option("A new password", "No password was asked for yet."),
            Option("Switch the program to TLS from the start (SSL/TLS)", "Then it begins with a ClientHello, which the server waits for.", True),
            Option("Port 25", "That is another door, for other people."),
        ),
        "LO7",
        unseen=True,
    ),
)
