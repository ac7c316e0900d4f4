"""Predictions, exercise and quiz of unit 7. Right and wrong answers are tried by the tests."""

from __future__ import annotations

import random
from typing import Any

from simulator.exercises import Exercise, Option, Prediction, Question, Right, Section, Verdict, Wrong, right, wrong

SECTIONS = (
    Section("Hook", 2),
    Section("What a stranger may do", 9),
    Section("What does 250 promise?", 8),
    Section("Read a letter backwards", 9),
    Section("Exercise: find the forged one", 7),
    Section("If there is time: one bad recipient of three", 5, "if-time"),
    Section("Extension: where it really lies", 20, "extension"),
)

PREDICTIONS = (
    Prediction(
        "stranger",
        "Which of the stranger's four attempts are accepted at RCPT?",
        explain="Anyone may write to Bob, under any name (RFC 5321 sections 3.6.2 and 7.1).",
    ),
    Prediction(
        "promise",
        "The server has said 250 after the last dot. What may the sender conclude?",
        options=("Bob has read it", "it is in Bob's inbox", "this server is responsible for it now"),
        explain="RFC 5321 section 4.1.1.4: responsibility, no more.",
    ),
    Prediction(
        "top_received",
        "Which server wrote the Received field at the top?",
        options=("Alice's server", "Bob's server"),
        explain="Everybody puts their own field on top (RFC 5321 section 4.4).",
    ),
    Prediction(
        "one_bad_of_three",
        "One of three recipients does not exist. How many mailboxes get the letter?",
        int,
        explain="Every recipient has its own reply (RFC 5321 section 3.3).",
    ),
)


def _case(rng: random.Random) -> dict[str, Any]:
    """Three honest hops and one line that does not fit: its 'by' is nobody that the line above came 'from'."""
    hops = ["laptop.carol.test", "mail.carol.test", "relay.carol.test", "mx.bob.example"]
    fields = [
        f"from {client} ([203.0.113.{20 + n}]) by {server} with {how}; Thu, 1 Jan 2026 0{n}:00:05 +0000"
        for n, (client, server, how) in enumerate(zip(hops, hops[1:], ("ESMTPSA", "ESMTPS", "ESMTPS"), strict=False), 1)
    ]
    fields.reverse()  # the newest on top
    forged = rng.choice(
        (
            "from mail.bank.test ([203.0.113.99]) by gateway.bank.test with ESMTPS; Thu, 1 Jan 2026 00:59:00 +0000",
            "from trusted.bob.example ([203.0.113.98]) by secure.bob.example with ESMTPSA; Thu, 1 Jan 2026 00:30:00 +0000",
        )
    )
    place = rng.randrange(1, len(fields) + 1)
    fields.insert(place, forged)
    return {"received": fields}


def _check(answer: Any, case: dict[str, Any]) -> Verdict:
    if isinstance(answer, bool) or not isinstance(answer, int):
        return wrong("Write a whole number: 1 is the field at the top.")
    fields = case["received"]
    if not 1 <= answer <= len(fields):
        return wrong(f"There are {len(fields)} fields: write 1 to {len(fields)}.")
    chosen = fields[answer - 1]
    if answer == 1:
        return wrong("The top one was written by Bob's own server: that is the one line you can believe.", chosen)
    if answer == forged_place(fields):
        return right("The chain goes past this line: no neighbour knows its server.", chosen)
    return wrong("This line fits its neighbours: who wrote it handed the letter to the next one.", chosen)


def forged_place(fields: list[str]) -> int:
    """Return the place of the field whose 'by' is not the 'from' of the one that was written after it."""
    expected = _word(fields[0], "from")
    for place, field in enumerate(fields[1:], 2):
        if _word(field, "by") != expected:
            return place
        expected = _word(field, "from")
    raise AssertionError("every field fits")


def _word(field: str, name: str) -> str:
    words = field.split()
    return words[words.index(name) + 1]


EXERCISES = (
    Exercise(
        "forged_received",
        "Which Received field is forged? Count from the top, beginning with 1.",
        _check,
        hints=(
            "Write down the chain: who handed the letter to whom? Begin at the bottom.",
            "Each line says 'from A by B'. The next newer line has to begin with 'from B'.",
            "Go from the top: mx.bob.example got it from a host. Which line was written by that host? Skip what does not fit.",
        ),
        near_example="From the top: 'from m by b', 'from x by y', 'from a by m'. The first came from m, so the line by m is the next\n"
        "link: the third. The line by y is known to nobody: number 2 is forged.",
        variants=_case,
        right=(Right(lambda case: forged_place(case["received"])),),
        wrong=(
            Wrong(lambda case: 1, "the one line you can believe"),
            Wrong(lambda case: next(n for n in (2, 3, 4) if n != forged_place(case["received"])), "fits its neighbours"),
            Wrong(lambda case: 9, "write 1 to 4"),
            Wrong(lambda case: "the second", "whole number"),
        ),
    ),
)

QUIZ = (
    Question(
        "Why does a mail exchanger refuse an unknown user at RCPT and not after the letter?",
        (
            Option("It is faster.", "That too. But what would it owe the sender otherwise?"),
            Option("After 250 it would have to send a report, maybe to an innocent.", "Backscatter (RFC 5321 section 6.2).", True),
            Option("After DATA no reply is allowed.", "There is one, after the last dot."),
        ),
        "LO12",
    ),
    Question(
        "A letter has Received lines from mx.bob.example (top), mail.carol.test and gateway.bank.test (bottom). Which can Bob believe?",
        (
            Option("All of them", "Whoever sent it could write lines before sending."),
            Option("The bottom one: it is the origin", "It is the easiest to forge."),
            Option("The top one", "His own server wrote it. Below, only as far as he trusts each writer.", True),
        ),
        "LO6",
        unseen=True,
    ),
    Question(
        "The 250 after the dot gets lost on its way back. What happens?",
        (
            Option("The letter comes twice.", "The client did not hear it, and sends again (RFC 1047).", True),
            Option("The letter is lost.", "Both have it: that is the opposite of lost."),
            Option("The server takes it back.", "It has accepted, and delivers."),
        ),
        "LO12",
        unseen=True,
    ),
    Question(
        "MAIL FROM:<bob@bob.example>, from a stranger, was accepted. Why?",
        (
            Option("The server knows Bob.", "It did not ask for any proof."),
            Option("SMTP checks no sender.", "SPF, DKIM and DMARC were built on top for that.", True),
            Option("The stranger had the password.", "Nobody signs in at port 25."),
        ),
        "LO12",
    ),
)
