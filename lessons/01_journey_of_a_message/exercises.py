"""Predictions, exercise and quiz of unit 1. Right and wrong answers are tried by the tests."""

from __future__ import annotations

import random
from typing import Any

from simulator.exercises import Exercise, Option, Prediction, Question, Right, Section, Verdict, Wrong, right, wrong

SECTIONS = (
    Section("Hook", 3),
    Section("How many connections carry the letter?", 8),
    Section("Who asks the DNS?", 8),
    Section("Read the trace together", 9),
    Section("Who is responsible, when?", 6),
    Section("Exercise: roles on a fresh trace", 6),
    Section("If there is time: cut the last link", 6, "if-time"),
    Section("Extension: several people", 20, "extension"),
)

PREDICTIONS = (
    Prediction(
        "connections",
        "How many TCP connections carry the letter from Alice until it lies in Bob's mailbox?",
        int,
        explain="Laptop to Alice's server, Alice's server to Bob's. Bob's own computer takes no part.",
    ),
    Prediction(
        "who_asks",
        "Who asks the DNS which host takes mail for bob.example?",
        options=("Alice's laptop", "Alice's mail server", "Bob's mail server"),
        explain="The relay does (RFC 5321 section 5.1). The laptop only knows its own server.",
    ),
    Prediction(
        "sent_means",
        "Alice's program shows 'sent'. Where is the letter at that instant?",
        options=("in Bob's mailbox", "on Alice's server", "on the way between the servers"),
        explain="The 250 came from Alice's own server: it is responsible now (RFC 5321 section 4.1.1.4).",
    ),
    Prediction(
        "bob_away",
        "Bob's server is switched off. What does Alice's mail program show?",
        options=("sent", "cannot send: Bob's server is away"),
        explain="Her own server took it. It now waits in the queue there (RFC 5321 section 4.5.4.1).",
    ),
)

PEOPLE = ("alice@alice.example", "anna@alice.example", "bob@bob.example", "berta@bob.example")
ROLES = ("mail program", "submission server", "relay", "mail exchanger")


def _case(rng: random.Random) -> dict[str, str]:
    sender = rng.choice(PEOPLE)
    own = sender.partition("@")[2]
    return {"sender": sender, "to": rng.choice([person for person in PEOPLE if not person.endswith(own)])}


def _hosts(case: dict[str, str]) -> dict[str, str]:
    """The hosts of a journey, as a trace of it would show them; the check looks them up in one."""
    from simulator import Internet

    with Internet(medium="memory") as net:
        journey = net.send("x", sender=case["sender"], to=case["to"])
    first, second = journey.hops
    ends = (first.log.client_host, first.log.server_host, second.log.client_host, second.log.server_host)
    return dict(zip(ROLES, ends, strict=True))


def _check(answer: Any, case: dict[str, str]) -> Verdict:
    if not isinstance(answer, dict):
        return wrong("Write a dictionary with the four roles and a host name for each.")
    for role, host in _hosts(case).items():
        if answer.get(role) in (None, ..., ""):
            return wrong(f"Who was the {role}? Write its host name.")
        if answer[role] != host:
            return wrong(f"The {role} was another host. {_CLUES[role]}")
    return right("All four roles. The submission server and the relay are one host here: two jobs.")


_CLUES = {
    "mail program": "It opened the first SMTP connection.",
    "submission server": "It is the one that asked for a login.",
    "relay": "It opened the connection to port 25.",
    "mail exchanger": "It listens on port 25, and the DNS named it.",
}

EXERCISES = (
    Exercise(
        "roles",
        "Who was the mail program, the submission server, the relay and the mail exchanger of this letter?",
        _check,
        hints=(
            "Look at the map: every arrow begins at a client and ends at a server.",
            "Ports tell the job: 465 or 587 is submission, 25 is between servers.",
            "One host has two of the four roles: it is a server on the first connection and a client on the second.",
        ),
        near_example="For a letter from Alice to Bob the first arrow goes from laptop.alice.example to mail.alice.example, port\n"
        "465: so the mail program runs on laptop.alice.example, and mail.alice.example is the submission server.",
        variants=_case,
        right=(Right(_hosts),),
        wrong=(
            Wrong(lambda case: _hosts(case) | {"relay": _hosts(case)["mail exchanger"]}, "opened the connection to port 25"),
            Wrong(lambda case: _hosts(case) | {"mail program": _hosts(case)["submission server"]}, "the first SMTP connection"),
            Wrong(lambda case: _hosts(case) | {"mail exchanger": "ns.bob.example"}, "listens on port 25"),
            Wrong(lambda case: "mail.alice.example", "dictionary"),
            Wrong(lambda case: {}, "Write its host name"),
        ),
    ),
)

QUIZ = (
    Question(
        "Bob's laptop is switched off. What happens to a letter for him?",
        (
            Option("It comes back to Alice.", "Bob's laptop takes no part in delivery."),
            Option("It waits on Alice's server.", "It would, if Bob's server were away. His laptop is not needed."),
            Option("It is delivered as always.", "It lies in the mailbox on his server until he fetches it.", True),
        ),
        "LO1",
        unseen=True,
    ),
    Question(
        "Which question does the relay put to the DNS for a letter to carol@carol.test?",
        (
            Option("MX of carol.test", "Yes: the domain of the recipient (RFC 5321 section 5.1).", True),
            Option("The address of carol@carol.test", "An e-mail address has no IP address."),
            Option("MX of alice.example", "That is where letters *to* Alice go."),
        ),
        "LO1",
        unseen=True,
    ),
    Question(
        "What does 250 after the last dot say?",
        (
            Option("Bob has read it.", "Nobody but Bob knows that."),
            Option("It is in Bob's inbox.", "The server that said it may still have to pass it on."),
            Option("This server is responsible for it now.", "Exactly that (RFC 5321 section 4.1.1.4).", True),
        ),
        "LO12",
    ),
    Question(
        "Which of these connections is no SMTP?",
        (
            Option("Alice's laptop to port 465", "That is submission: SMTP inside TLS."),
            Option("Bob fetching his mail", "Yes: that is IMAP or POP. SMTP only pushes.", True),
            Option("Alice's server to port 25", "That is the relay, in SMTP."),
        ),
        "LO1",
    ),
)
