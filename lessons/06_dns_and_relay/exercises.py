"""Predictions, exercise and quiz of unit 6. Right and wrong answers are tried by the tests."""

from __future__ import annotations

import random
from typing import Any

from simulator import Internet, default_plan
from simulator.exercises import Exercise, Option, Prediction, Question, Right, Section, Verdict, Wrong, right, wrong
from simulator.exercises.claims import hosts_tried

SECTIONS = (
    Section("Hook", 2),
    Section("From the root to the host", 8),
    Section("Two hosts: who is first?", 8),
    Section("'Not now' and 'never'", 9),
    Section("Why always port 25?", 6),
    Section("Exercise: put them in order", 6),
    Section("If there is time: half an hour later", 5, "if-time"),
    Section("Extension: break a zone", 20, "extension"),
)

PREDICTIONS = (
    Prediction(
        "servers_asked",
        "How many name servers are asked before the name of Bob's mail host is known?",
        int,
        explain="The root, the server of the top-level domain, and the one that is responsible for bob.example.",
    ),
    Prediction(
        "first_host",
        "MX 10 and MX 20: which host is tried first?",
        options=("mx.bob.example", "backup.bob.example", "either, at random"),
        explain="The lowest preference first (RFC 5321 section 5.1).",
    ),
    Prediction(
        "first_away",
        "The first host is switched off. What happens to the letter?",
        options=("it comes back to Alice", "it waits half an hour", "the other host gets it at once"),
        explain="The next host of the list is tried in the same attempt (RFC 5321 section 5.1).",
    ),
    Prediction(
        "who_waits",
        "For which of the four domains does the letter wait in the queue?",
        explain="Only silence and 4yz replies are worth another try (RFC 5321 section 4.2.1).",
    ),
    Prediction(
        "no_starttls",
        "Bob's host offers no STARTTLS. What does the relay do?",
        options=("it sends in clear", "it waits", "it gives up"),
        explain="Opportunistic TLS: some protection if possible, none otherwise (RFC 7435).",
    ),
)

NAMES = ("mx1.bob.example", "mx2.bob.example", "mx3.bob.example")


def _case(rng: random.Random) -> dict[str, Any]:
    names = list(NAMES)
    rng.shuffle(names)
    preferences = rng.sample(range(1, 60), 3)
    records = sorted(zip(preferences, names, strict=True), key=lambda record: record[1])
    in_order = [name for _, name in sorted(records)]
    return {"records": records, "switched_off": in_order[: rng.choice((1, 2))]}


def _tried(case: dict[str, Any]) -> list[str]:
    """Build that internet, send a letter, and return which hosts were dialled."""
    plan = default_plan()
    for number, name in enumerate(NAMES):
        plan = plan.with_new_host("bob.example", name, f"198.51.100.{101 + number}", ["mx"])
    with Internet(medium="memory", plan=plan.with_domain("bob.example", mx=tuple(case["records"]))) as net:
        for name in case["switched_off"]:
            net.switch_off(name)
        journey = net.send("x", sender="alice@alice.example", to="bob@bob.example")
    return list(dict.fromkeys(hosts_tried(journey.trace)))


def _check(answer: Any, case: dict[str, Any]) -> Verdict:
    if isinstance(answer, (str, bytes)) or not hasattr(answer, "__iter__"):
        return wrong('Write a list of names, such as ["mx1.bob.example"].')
    given, tried = [str(name).rstrip(".") for name in answer], _tried(case)
    if given == tried:
        return right("So it was dialled.", *tried)
    unknown = [name for name in given if name not in NAMES]
    if unknown:
        return wrong(f"{unknown[0]} is none of the hosts of your task.")
    if given[:1] != tried[:1]:
        return wrong("Another host was dialled first. Which preference is tried first?")
    if len(given) > len(tried):
        return wrong("Not so many were dialled: when a host has taken the letter, nobody else is tried.")
    if len(given) < len(tried):
        return wrong("More were dialled: a host that is switched off is tried, too, before anybody knows.")
    return wrong("The first one is right; look at the preferences of the others.")


EXERCISES = (
    Exercise(
        "mx_order",
        "Which hosts does the relay dial, in order, until the letter is delivered?",
        _check,
        hints=(
            "Sort by preference. Is 10 tried before or after 20?",
            "Nobody knows beforehand that a host is switched off: it has to be tried.",
            "Write the hosts in the order of their preferences, and stop at the first one that is not switched off.",
        ),
        near_example="MX 5 a, MX 30 b, MX 7 c; a is switched off. In order: a (5), c (7), b (30). a is tried in vain, c takes the\n"
        "letter: the answer is [a, c].",
        variants=_case,
        right=(Right(_tried),),
        wrong=(
            Wrong(lambda case: [name for _, name in sorted(case["records"], reverse=True)], "dialled first"),
            Wrong(lambda case: [name for _, name in sorted(case["records"])][: len(case["switched_off"])], "before anybody knows"),
            Wrong(lambda case: [*_tried(case), *(n for n in NAMES if n not in _tried(case)), "mx1.bob.example"], "nobody else is tried"),
            Wrong(lambda case: ["mail.bob.example"], "none of the hosts"),
            Wrong(lambda case: "mx1.bob.example", "list of names"),
        ),
    ),
)

QUIZ = (
    Question(
        "carol.test has MX 50 a.carol.test and MX 5 b.carol.test. Who is tried first?",
        (
            Option("a: 50 is more than 5", "Preference is a place in a queue, not a strength."),
            Option("b: 5 comes before 50", "The lowest number first.", True),
            Option("Either, at random", "Only equal numbers are tried in random order."),
        ),
        "LO4",
    ),
    Question(
        "A domain has no MX record, but an address. What does the relay do?",
        (
            Option("It dials that address.", "Yes: the 'implicit MX' (RFC 5321 section 5.1).", True),
            Option("It gives up.", "A missing MX is no refusal; 'MX 0 .' would be one."),
            Option("It waits.", "The answer of the DNS was clear: there is nothing to wait for."),
        ),
        "LO4",
        unseen=True,
    ),
    Question(
        "The receiving server answers RCPT with 451. What will Alice see in the next minute?",
        (
            Option("An error", "451 is 'not now': the relay tries again later, for days."),
            Option("A second copy", "Nothing was delivered yet."),
            Option("Nothing", "Her program said 'sent' long ago; the relay waits (RFC 5321 section 4.5.4.1).", True),
        ),
        "LO5",
        unseen=True,
    ),
    Question(
        "Why can a domain not say 'send mail to me on port 465'?",
        (
            Option("MX records have no place for a port.", "So it is 25 for all (RFC 5321 section 5.1).", True),
            Option("465 is not encrypted.", "It is; but that is not the question."),
            Option("IANA forbids it.", "465 is for submission; an MX record could not say it anyway."),
        ),
        "LO7",
    ),
)
