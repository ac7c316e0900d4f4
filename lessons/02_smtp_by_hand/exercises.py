"""Predictions, exercise and quiz of unit 2. Right and wrong answers are tried by the tests."""

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
from simulator.exercises.claims import letters, recipient_not_in_letter, stored_in

SECTIONS = (
    Section("Hook", 2),
    Section("The first conversation", 9),
    Section("Predict the first digit", 9),
    Section("Envelope and letter", 8),
    Section("What a dot does", 6),
    Section("Exercise: a letter that names nobody", 6),
    Section("If there is time: rude clients", 5, "if-time"),
    Section("Extension: in a group", 15, "extension"),
)

PREDICTIONS = (
    Prediction(
        "six_digits",
        "What are the first digits of the six replies, as one word of six digits?",
        explain="503: RCPT came before MAIL. 550: no such user, but the transaction went on. 354: go on.",
    ),
    Prediction(
        "to_differs",
        "The letter says To: Berta, the envelope names Bob. Who gets it?",
        options=("Bob", "Berta", "both", "nobody: the server refuses it"),
        explain="Only the envelope decides (RFC 5321 section 2.3.1).",
    ),
    Prediction(
        "dots",
        "What lies in Bob's mailbox after the lines with the dots?",
        options=("..two dots / .one dot", ".two dots / one dot", "..two dots / one dot"),
        explain="The receiver takes one dot away from every line that begins with one (RFC 5321 section 4.5.2).",
    ),
)


def _case(rng: random.Random) -> dict[str, str]:
    return {
        "recipient": rng.choice(("bob@bob.example", "berta@bob.example")),
        "line": rng.choice((".profile", ".5 of it", ".", "..and so on")),
    }


def _check(answer: Any, case: dict[str, str]) -> Verdict:
    trace = trace_of(answer)
    found = stored_in(case["recipient"])(trace)
    if not found.holds:
        return wrong(f"{found.words} It should lie in the mailbox of {case['recipient']}, and only there.")
    blind = recipient_not_in_letter(case["recipient"])(trace)
    if not blind.holds:
        return wrong(blind.words, *blind.evidence)
    arrived = [line for letter in letters(trace) for line in _unstuffed(letter)]
    if case["line"] not in arrived:
        return wrong(
            f"No line of the text arrived as {case['line']!r}. What does the receiver take away from a line that begins "
            "with a dot?"
        )
    return right("It arrived, and the letter itself names nobody. So a blind copy works.")


def _unstuffed(letter: bytes) -> list[str]:
    lines = letter.decode("utf-8", "replace").split("\r\n")
    end = lines.index(".") if "." in lines else len(lines)
    return [line.removeprefix(".") if line.startswith(".") else line for line in lines[:end]]


def _by_hand(recipient: str, text: str, header: str = "") -> Any:
    with Internet(medium="memory") as net:
        line = net.connect("mx.bob.example", 25)
        for command in ("EHLO laptop.alice.example", "MAIL FROM:<alice@alice.example>", f"RCPT TO:<{recipient}>", "DATA"):
            line(command)
        line.letter(f"From: alice@alice.example\n{header}Subject: For you\n\n{text}\n")
        line("QUIT")
        return line.journey


EXERCISES = (
    Exercise(
        "blind_letter",
        "Deliver a letter by hand to your person, whose address does not stand in its header, with your line in the text.",
        _check,
        hints=(
            "Which command names the recipient? And what does the header need to say about that? Nothing.",
            "Look at the first character of your line. What does the server do to such lines?",
            "Send the commands of section 1 with your RCPT; in the letter write no To field; put one more dot in front of your "
            "line.",
        ),
        near_example="To let '.hidden' arrive, the client sends '..hidden':\n    talk.letter('Subject: x\\n\\n..hidden\\n')",
        variants=_case,
        right=(Right(lambda case: _by_hand(case["recipient"], "." + case["line"])),),
        wrong=(
            Wrong(lambda case: _by_hand(case["recipient"], "." + case["line"], f"To: {case['recipient']}\n"), "The header of the letter names"),
            Wrong(lambda case: _by_hand("nobody@bob.example", "." + case["line"]), "It should lie in the mailbox"),
            Wrong(lambda case: _by_hand(case["recipient"], "another line"), "What does the receiver take away"),
            Wrong(lambda case: "sent", "has to be a journey"),
        ),
    ),
)

QUIZ = (
    Question(
        "A client reads '459 Xyzzy'. It does not know 459. What does it do?",
        (
            Option("Try again later.", "Right: the first digit decides, 4 is 'not now' (RFC 5321 section 4.2.1).", True),
            Option("Give up: unknown code.", "A code need not be known: the first digit says enough."),
            Option("Go on as after 250.", "4 is no success."),
        ),
        "LO2",
        unseen=True,
    ),
    Question(
        "Who reads the envelope, and who the header's To field?",
        (
            Option("Servers both.", "Servers carry the header; they do not ask it where to go."),
            Option("Servers the envelope, people the To field.", "Yes: like the postman and the reader of a paper letter.", True),
            Option("People both.", "The envelope is gone when the letter is read; only Return-Path remains."),
        ),
        "LO3",
    ),
    Question(
        "One of three RCPT commands was answered with 550. The client goes on with DATA. What happens?",
        (
            Option("Nobody gets the letter.", "The two others were accepted: it is theirs."),
            Option("All three get it.", "The refused one is not in the envelope."),
            Option("The other two get it.", "Every recipient has its own reply (RFC 5321 section 3.3).", True),
        ),
        "LO2",
        unseen=True,
    ),
    Question(
        "A letter says To: all-members@club.example, and it lies in Bob's mailbox. How did it get there?",
        (
            Option("His server looked up who all-members are in the To field.", "Servers do not ask the To field anything."),
            Option("RCPT named Bob; the To field is only text for the reader.", "So mailing lists work (RFC 5321 section 3.9).", True),
            Option("By mistake: To has to name the receiver.", "No rule says so: blind copies would be impossible."),
        ),
        "LO3",
        unseen=True,
    ),
    Question(
        "Which octets end a letter?",
        (
            Option("LF . LF", "A bare LF is no line end; taking it for one makes 'smuggling' possible (RFC 5321 section 2.3.8)."),
            Option("CR LF . CR LF", "Only these (RFC 5321 section 4.1.1.4).", True),
            Option("An empty line", "Letters are full of empty lines."),
        ),
        "LO2",
    ),
)
