"""Predictions, exercise and quiz of unit 5. Right and wrong answers are tried by the tests."""

from __future__ import annotations

from typing import Any

from simulator import Internet
from simulator.exercises import Exercise, Option, Prediction, Question, Right, Section, Verdict, Wrong, right, wrong
from simulator.exercises.claims import certificate_verified, nothing_secret_in_clear, password_unreadable
from simulator.network.attackers import RejectStartTls, StripStartTls
from simulator.network.onpath import Box

SECTIONS = (
    Section("Hook", 3),
    Section("Whose key is it? Certificates", 9),
    Section("Taking STARTTLS away", 11),
    Section("The same attacker against two other settings", 9),
    Section("Exercise: settings that survive", 7),
    Section("If there is time: who is this attacker on port 25?", 6, "if-time"),
    Section("Extension: build the box", 30, "extension"),
)

PREDICTIONS = (
    Prediction(
        "careless_client",
        "A client that checks no certificates meets an attacker with a self-signed one. Does he get the password?",
        options=("no, TLS protects it", "yes"),
        explain="TLS was up, with the attacker. Without a check nobody knows whose key it is (RFC 8314 section 5.2).",
    ),
    Prediction(
        "strip_careless",
        "STARTTLS is replaced by AUTH; the client is set to 'STARTTLS, if available'. What happens?",
        options=(
            "the client stops, nothing is lost",
            "the server refuses before any harm is done",
            "the server refuses, but the password has been seen",
            "the letter is delivered in clear",
        ),
        explain="The server's 538 is right, and too late.",
    ),
    Prediction(
        "strip_strict",
        "The same box, against 'STARTTLS, required'. What does the attacker get?",
        options=("the password", "only the name of Alice's computer", "nothing at all"),
        explain="A strict client says EHLO, misses the offer, and says QUIT (RFC 8314 section 5.2).",
    ),
    Prediction(
        "strip_relay",
        "The box stands between the two servers. What becomes of the letter?",
        options=("it waits in the queue", "it comes back to Alice", "it is delivered, readable on the way"),
        explain="Opportunistic TLS prefers delivery (RFC 7435). Later units show what was built against that.",
    ),
)

ATTACKS: dict[str, Any] = {
    "nobody": None,
    "STARTTLS replaced by AUTH": lambda: StripStartTls(instead="AUTH PLAIN LOGIN"),
    "STARTTLS taken away": StripStartTls,
    "STARTTLS refused by the box": RejectStartTls,
}
ALLOWED = {"mode", "tls_version", "unsafe_no_verification", "mechanisms", "pipelining", "fold_auth", "authenticate"}


def _check(answer: Any, case: Any) -> Verdict:
    if not isinstance(answer, dict):
        return wrong('Write the arguments of net.send as a dictionary, such as {"mode": "starttls"}.')
    if not answer:
        return wrong("Write down at least the mode: what your program does by itself is not your decision.")
    unknown = sorted(set(answer) - ALLOWED)
    if unknown:
        return wrong(f"Leave out {', '.join(unknown)}: sender, recipient and server are given.")
    arrived = []
    for name, box in ATTACKS.items():
        with Internet(medium="memory") as net:
            if box is not None:
                made: Box = box()
                net.place_box(made, lambda connection: connection.server_port in (587, 465))
            journey = net.send(
                "The secret text", sender="alice@alice.example", to="bob@bob.example", server="mail.alice.example", **answer
            )
        for claim in (password_unreadable, nothing_secret_in_clear):
            found = claim(journey.trace)
            if not found.holds:
                return wrong(f"With '{name}' on the path: {found.words}", *found.evidence)
        if journey.delivered:
            arrived.append(name)
            checked = certificate_verified(journey.trace)
            if not checked.holds:
                return wrong(f"{checked.words} An attacker with any certificate would have got it all.")
    if "nobody" not in arrived:
        return wrong("Nothing was shown, but the letter does not even arrive when nobody attacks.")
    if len(arrived) < len(ATTACKS):
        stopped = ", ".join(f"'{name}'" for name in ATTACKS if name not in arrived)
        return wrong(f"Nothing was shown: good. But with {stopped} on the path the letter does not arrive. Is there another door?")
    return right("It arrives with all of them on the path, and none of them learns a secret.")


EXERCISES = (
    Exercise(
        "settings_that_survive",
        "With which arguments of net.send does the letter arrive, and nothing secret is shown, whatever box is there?",
        _check,
        hints=(
            "All these boxes wait for one line of text. On which port is that line never said?",
            "Strict settings on 587 show nothing, but the letter stays at home. You want it to arrive, too.",
            "Three of the four modes begin in clear. Check the certificate, too: leave unsafe_no_verification alone.",
        ),
        near_example="For 'nothing shown, delivery does not matter', {'mode': 'starttls'} is enough: the client stops when the offer is missing.",
        right=(Right(lambda case: {"mode": "implicit"}), Right(lambda case: {"mode": "implicit", "tls_version": "1.2"})),
        wrong=(
            Wrong(lambda case: {"mode": "starttls"}, "Is there another door?"),
            Wrong(lambda case: {"mode": "starttls-if-offered"}, "The login stands in the octets"),
            Wrong(lambda case: {"mode": "implicit", "unsafe_no_verification": True}, "An attacker with any certificate"),
            Wrong(lambda case: {"mode": "implicit", "server": "old-mail.alice.example"}, "Leave out server"),
            Wrong(lambda case: {"mode": "implicit", "authenticate": False}, "does not even arrive"),
            Wrong(lambda case: "implicit", "dictionary"),
        ),
    ),
)

QUIZ = (
    Question(
        "A mail program is set to 'STARTTLS, if available'. Who decides whether TLS is used?",
        (
            Option("The server", "It offers. But what arrives of the offer is up to others."),
            Option("Whoever is on the path", "Yes: the offer travels in clear.", True),
            Option("The user", "The user has just given the decision away."),
        ),
        "LO9",
    ),
    Question(
        "Why does a certificate check not help against STARTTLS stripping?",
        (
            Option("There is no handshake, so no certificate is ever shown.", "Exactly: the attack happens before.", True),
            Option("The attacker has a valid certificate.", "None is needed."),
            Option("Certificates expire.", "No certificate is looked at."),
        ),
        "LO9",
        unseen=True,
    ),
    Question(
        "What can an attacker on the path do to a strict, checking client on 465?",
        (
            Option("Read the password", "He sees TLS records only."),
            Option("Show a certificate of his own", "It is checked, and the session ends."),
            Option("Break the connection", "That is all. The letter is late, not stolen.", True),
        ),
        "LO9",
    ),
    Question(
        "smtplib.SMTP_SSL('mail.alice.example') without a context meets a self-signed certificate. What happens?",
        (
            Option("It refuses.", "Without a context it checks nothing."),
            Option("It asks the user.", "A library asks nobody."),
            Option("It goes on.", "So it is in Python today; pass ssl.create_default_context().", True),
        ),
        "LO10",
        unseen=True,
    ),
)
