"""Claims, experiments, exercises and quiz of unit 8. Right and wrong answers are tried by the tests."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from simulator import Internet, compare, default_plan
from simulator.exercises import Exercise, Option, Prediction, Question, Right, Section, Verdict, Wrong, right, wrong
from simulator.exercises.claims import commands, smtp_connections
from simulator.network.attackers import StripStartTls

SECTIONS = (
    Section("Hook", 3),
    Section("What happened when?", 8),
    Section("Eight claims", 17),
    Section("Which port should I use?", 11),
    Section("If there is time: your own article", 10, "if-time"),
    Section("Extension: what do programs really offer?", 20, "extension"),
)

PREDICTIONS = (
    Prediction(
        "what_decides",
        "What decides whether the password is lost?",
        options=("the port", "the setting", "both alike"),
        explain="Required and checked protects on both ports; 'if it works' on neither (RFC 8314 sections 3.3 and 5.2).",
    ),
)

ENVELOPE = {"sender": "alice@alice.example", "to": "bob@bob.example"}
T, N, D, W = "true", "nuance", "outdated", "wrong"


# --- experiments -----------------------------------------------------------------------------------------------------


def _three_steps() -> str:
    with Internet(medium="memory") as net:
        journey = net.send("x", **ENVELOPE)
    return "\n".join(f"{hop.number}. {hop.title}" for hop in journey.hops)


def _without_login() -> str:
    with Internet(medium="memory") as net:
        journey = net.send("x", mode="implicit", authenticate=False, **ENVELOPE)
    return f"Without a login, port 465 answers: {journey.outcomes['bob@bob.example']}"


def _dns() -> str:
    with Internet(medium="memory") as net:
        journey = net.send("x", **ENVELOPE)
    lines = [f"{e.name} {e.rdtype} -> {'; '.join(e.records)}" for e in journey.trace.events if e.kind == "DnsAnswered" and e.status == "answer"]
    return "\n".join(lines)


def _stranger() -> str:
    with Internet(medium="memory") as net:
        line = net.connect("mx.bob.example", 25)
        for command in ("EHLO stranger.test", "MAIL FROM:<bob@bob.example>", "RCPT TO:<bob@bob.example>"):
            line(command)
        line.close()
        return str(line)


def _first_octets() -> str:
    with Internet(medium="memory") as net:
        said = []
        for port, tls in ((25, False), (587, False), (465, False), (465, True)):
            host = "mx.bob.example" if port == 25 else "mail.alice.example"
            line = net.connect(host, port, tls=tls, patience_s=10)
            said.append(f"{port}, {'TLS' if tls else 'text'}:\n{line}")
            line.close()
    return "\n".join(said)


def _same_dialogue() -> str:
    three = compare(["587, STARTTLS", "465, implicit TLS"])
    lines = []
    for name, journey in three.journeys.items():
        verbs = [f"{event.verb}{' (TLS)' if event.tls else ''}" for event in journey.hops[0].spoken if event.kind == "Command"]
        lines.append(f"{name}: {', '.join(verbs)}")
    return "\n".join(lines)


def _bad_certificate() -> str:
    said = []
    plan = default_plan().with_host("mail.alice.example", certificate="self-signed")
    for careless in (False, True):
        with Internet(medium="memory", plan=plan) as net:
            journey = net.send("x", mode="implicit", server="mail.alice.example", unsafe_no_verification=careless, **ENVELOPE)
        said.append(f"checks certificates: {not careless}. Delivered: {journey.delivered}")
    return "A self-signed certificate on port 465.\n" + "\n".join(said)


def _leaks() -> str:
    return str(compare())


def _second_hop() -> str:
    with Internet(medium="memory", plan=default_plan().with_host("mx.bob.example", starttls=False)) as net:
        journey = net.send("x", mode="implicit", **ENVELOPE)
    return "\n".join(hop.title for hop in journey.hops)


def _no_starttls_on_587() -> str:
    with Internet(medium="memory", plan=default_plan().with_host("mail.alice.example", starttls=False)) as net:
        journey = net.send("x", mode="starttls", server="mail.alice.example", **ENVELOPE)
    return f"A server on 587 that offers no STARTTLS, and a client that needs it: {journey.outcomes['bob@bob.example'].text}"


def _policy() -> str:
    with Internet(medium="memory") as net:
        journey = net.send("x", **ENVELOPE)
    return f"A mail program without a mode, as RFC 8314 wants it, tried: {journey.hops[0].title}"


def _cells() -> str:
    return str(eight_cells())


def _source_port() -> str:
    with Internet(medium="memory") as net:
        log = net.send("x", mode="implicit", **ENVELOPE).hops[0].log
    return f"From {log.client_address} port {log.client_port} to {log.server_address} port {log.server_port}."


# --- claims ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ArticleClaim:
    """One sentence of the article, what is true of it, and what decides."""

    text: str
    verdicts: tuple[str, ...]
    """The best one first; every one of these counts."""
    fact: str
    source: str
    experiment: Callable[[], str] | None = None


CLAIMS: dict[int, ArticleClaim] = {
    1: ArticleClaim("SMTP is the protocol for sending mail between networks.", (N, T), "It carries submission and transfer, hop by hop. Fetching mail is another protocol.", "RFC 5321 section 1.1, RFC 5598 section 4.3", _three_steps),
    2: ArticleClaim("The way of a mail has three steps.", (N, T), "A good first picture. There are more roles than steps: MUA, MSA, MTA, MX, MDA.", "RFC 5598 section 2.2", _three_steps),
    3: ArticleClaim("From the mail program to the outgoing server it is called submission.", (T,), "Yes. And it needs a login, which the article forgets.", "RFC 6409 section 3.1", _without_login),
    4: ArticleClaim("The sending server looks up the recipient's e-mail IP address in the DNS.", (W,), "Addresses have no IP. The domain goes in, host names and then IP addresses come out.", "RFC 5321 section 5.1", _dns),
    5: ArticleClaim("From server to server it is called relay.", (T, N), "Yes. Strictly, the last one is delivery.", "RFC 5321 section 2.3.10", _three_steps),
    6: ArticleClaim("The incoming server accepts a mail once its sender has been authenticated.", (W, N), "Nobody signs in at port 25. Checks of the sender's domain exist, and are another matter (a later unit).", "RFC 5321 section 7.1", _stranger),
    7: ArticleClaim("SMTP needs an IP address and a port.", (T, N), "TCP does. Between servers the port is always 25: an MX record cannot name one.", "RFC 5321 section 5.1", _dns),
    8: ArticleClaim("Port 25 is for relay between servers.", (T,), "Yes.", "RFC 5321 section 4.5.4.2", _three_steps),
    9: ArticleClaim("Port 587 is for submission; 465 used to do this.", (D, W), "Both do it today: 587 'submission', 465 'submissions'.", "RFC 8314 section 3.3", _policy),
    10: ArticleClaim("465 was once the default port of SMTP.", (W,), "The default has been 25 since 1982.", "RFC 821, RFC 8314 section 7.3"),
    11: ArticleClaim("465 was given to 'SMTPS'. That was a protocol of its own.", (W, N), "The port was; but SMTPS is SMTP inside TLS, the same dialogue.", "RFC 8314 section 7.3 and appendix A", _same_dialogue),
    12: ArticleClaim("465 lost its status, so 587 is preferred.", (D,), "It lost it, and got it back in 2018, as the preferred way.", "RFC 8314 sections 3.3 and 7.3", _policy),
    13: ArticleClaim("Only old systems know 465; many servers block connections from port 465.", (W,), "465 is where clients connect *to*; they come from a high port. And most providers offer it.", "RFC 8314 section 3.3", _source_port),
    14: ArticleClaim("465 and 587 differ in how encryption starts.", (T,), "Yes: from the first octet, or after STARTTLS.", "RFC 8314 sections 2 and 3.3", _same_dialogue),
    15: ArticleClaim("465 uses implicit TLS.", (T,), "Yes.", "RFC 8314 section 3.3", _first_octets),
    16: ArticleClaim("On 465, TLS makes sure that the certificate is checked.", (W,), "TLS lets a client skip it. Mail programs must not, on either port.", "RFC 8314 section 5.2", _bad_certificate),
    17: ArticleClaim("With 465 nothing can travel in plaintext.", (N,), "Nothing of SMTP on that connection. Sizes, times and the server's name show, and the next link may be in clear.", "RFC 3207 section 6, RFC 8446 section 2", _second_hop),
    18: ArticleClaim("587 uses STARTTLS, so the connection is encrypted.", (N, W), "STARTTLS is an offer. Port 587 alone promises nothing.", "RFC 3207 section 4, RFC 6409 section 7", _no_starttls_on_587),
    19: ArticleClaim("Port 465 is deprecated.", (D, W), "What is deprecated is submission in clear, and TLS before 1.2.", "RFC 8314 section 4.1, RFC 8997"),
    20: ArticleClaim("465 was first assigned to submission, and later lost it.", (W,), "The other way round: first to SMTP over SSL, now to submission.", "RFC 8314 section 7.3"),
    21: ArticleClaim("465 is more secure than 25, because it uses TLS.", (N, W), "Security comes from the session and its settings, not from the number.", "RFC 8314 section 3.3", _cells),
    22: ArticleClaim("Use 465 only as a fallback, when 587 makes trouble.", (D, W), "It is the other way round today.", "RFC 8314 section 4.5.2, RFC 9325 section 3.2", _policy),
    23: ArticleClaim("Fewer and fewer systems support 465.", (W,), "Since 2018 it is the recommended one, and the first choice of many providers.", "RFC 8314 section 3.3"),
    24: ArticleClaim("587 has replaced 465.", (W,), "Both are current; the move is towards implicit TLS.", "RFC 8314 section 3.3"),
    25: ArticleClaim("587 with STARTTLS is the most robust and secure choice.", (W, N), "Equal only if TLS is required and checked; and there is more that can go wrong.", "RFC 8314 section 3.3 and appendix A", _cells),
    26: ArticleClaim("In most cases choose 587.", (D, W), "465 if offered, else 587 with TLS required.", "RFC 8314 section 3.3, RFC 9325 section 3.2", _leaks),
}  # fmt: skip
VERDICTS = (T, N, D, W)


class Listing(str):
    """A text that a notebook shows as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def show_claims(numbers: Iterable[int]) -> Listing:
    """Return the claims as a numbered text."""
    return Listing("\n".join(f"{number:3}. {CLAIMS[number].text}" for number in numbers))


def evidence(number: Any) -> Listing:
    """Run the experiment for a claim, and name the source."""
    if number is ... or number not in CLAIMS:
        return Listing("Put the number of one of your claims here.")
    claim = CLAIMS[number]
    shown = f"What happened:\n{claim.experiment()}\n\n" if claim.experiment else ""
    return Listing(f"Claim {number}: {claim.text}\n\n{shown}The fact: {claim.fact}\nSource: {claim.source}")


# --- the eight cells -------------------------------------------------------------------------------------------------


def _lost(port: int, strict: bool, interferes: bool) -> bool:
    """Let it happen; tell whether the one in the café has the password."""
    plan = default_plan()
    if interferes and port == 465:  # there is nothing to strip: he answers himself, with a certificate of his own
        plan = plan.with_host("mail.alice.example", certificate="self-signed")
    with Internet(medium="memory", plan=plan) as net:
        if interferes and port == 587:
            net.place_box(StripStartTls(instead="AUTH PLAIN LOGIN"), lambda connection: connection.server_port == 587)
        mode = "implicit" if port == 465 else "starttls" if strict else "starttls-if-offered"
        journey = net.send("x", mode=mode, server="mail.alice.example",
                           unsafe_no_verification=not strict and port == 465, **ENVELOPE)  # fmt: skip
    (log, *_) = smtp_connections(journey.trace)
    logins = [event for event in commands(journey.trace, log) if event.verb == "AUTH"]
    in_clear = any(not event.tls for event in logins)
    to_him = interferes and port == 465 and bool(logins)
    return in_clear or to_him


@dataclass(frozen=True, slots=True)
class Cells:
    """(port, strict, interferes) -> the password is lost."""

    lost: dict[tuple[int, bool, bool], bool]

    def __str__(self) -> str:
        lines = [f"{'':44}listens      interferes"]
        for port in (465, 587):
            for strict in (True, False):
                name = f"{port}, {'TLS required, certificate checked' if strict else 'TLS if it happens to work'}"
                cells = ["LOST" if self.lost[port, strict, interferes] else "safe" for interferes in (False, True)]
                lines.append(f"{name:44}{cells[0]:13}{cells[1]}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)


def eight_cells() -> Cells:
    """Run all eight combinations."""
    both = (True, False)
    return Cells({(port, s, i): _lost(port, s, i) for port in (465, 587) for s in both for i in both})


def what_decides(cells: Cells) -> str:
    """Tell what the losses depend on."""
    by_port = {port: sum(lost for (p, _, _), lost in cells.lost.items() if p == port) for port in (465, 587)}
    by_setting = {strict: sum(lost for (_, s, _), lost in cells.lost.items() if s is strict) for strict in (True, False)}
    if by_port[465] == by_port[587] and by_setting[True] != by_setting[False]:
        return "the setting"
    return "both alike" if by_setting[True] != by_setting[False] else "the port"


# --- exercises -------------------------------------------------------------------------------------------------------

YEARS = {
    "RFC 821: SMTP, port 25 for everything": 1982,
    "RFC 2476: submission gets port 587": 1998,
    "RFC 3207: STARTTLS as it is today": 2002,
    "RFC 5068: keep submission and relay apart": 2007,
    "RFC 6409: submission becomes a full standard": 2011,
    "RFC 8314: port 465 is back, as 'submissions'": 2018,
    "RFC 8997: no TLS before 1.2 for submission": 2021,
    "RFC 9325: prefer the port where TLS comes first": 2022,
}


def _order_case(rng: random.Random) -> dict[str, str]:
    return dict(zip("ABCDE", rng.sample(sorted(YEARS), 5), strict=True))


def _ordered(case: dict[str, str]) -> str:
    return "".join(sorted(case, key=lambda letter: YEARS[case[letter]]))


def _check_order(answer: Any, case: dict[str, str]) -> Verdict:
    if not isinstance(answer, str) or sorted(answer.upper()) != sorted(case):
        return wrong("Write each of the five letters once, such as 'ABCDE'.")
    given = answer.upper()
    years = [YEARS[case[letter]] for letter in given]
    for earlier, later, one, other in zip(years, years[1:], given, given[1:], strict=False):
        if earlier > later:
            return wrong(f"{one} came after {other}: the numbers of RFCs grow with the years.")
    return right("In order: " + ", ".join(f"{year}" for year in years) + ".")


def _claims_case(rng: random.Random) -> list[int]:
    return sorted(rng.sample(sorted(CLAIMS), 8))


def _check_claims(answer: Any, case: list[int]) -> Verdict:
    if not isinstance(answer, dict):
        return wrong('Write a dictionary: the number of the claim, and "true", "nuance", "outdated" or "wrong".')
    missing = [number for number in case if answer.get(number) in (None, ..., "")]
    if missing:
        return wrong(f"There is no verdict on claim {missing[0]} yet.")
    odd = [number for number in case if answer[number] not in VERDICTS]
    if odd:
        return wrong(f"The verdict on claim {odd[0]} has to be one of {', '.join(VERDICTS)}.")
    off = [number for number in case if answer[number] not in CLAIMS[number].verdicts]
    if off:
        first = off[0]
        return wrong(
            f"{len(case) - len(off)} of {len(case)} stand. Look at claim {first} again: {CLAIMS[first].text} "
            f"file.evidence({first}) shows what decides."
        )
    return right("All eight stand.", *(f"{number}: {CLAIMS[number].fact} ({CLAIMS[number].source})" for number in case))


def _one_off(case: list[int]) -> dict[int, str]:
    verdicts = {number: CLAIMS[number].verdicts[0] for number in case}
    verdicts[case[0]] = next(v for v in VERDICTS if v not in CLAIMS[case[0]].verdicts)
    return verdicts


EXERCISES = (
    Exercise(
        "in_order",
        "Which of the five events came first, which last?",
        _check_order,
        hints=(
            "The numbers of RFCs grow with the years.",
            "RFC 821 is from 1982, RFC 8314 from January 2018.",
            "Sort by the number behind 'RFC'. That is all.",
        ),
        near_example="With A: RFC 3207, B: RFC 821, C: RFC 8314 the order is 'BAC'.",
        variants=_order_case,
        right=(Right(_ordered), Right(lambda case: _ordered(case).lower())),
        wrong=(
            Wrong(lambda case: _ordered(case)[::-1], "came after"),
            Wrong(lambda case: "AAAAA", "each of the five letters once"),
            Wrong(lambda case: 12345, "each of the five letters once"),
        ),
    ),
    Exercise(
        "eight_claims",
        "What is your verdict on each of your eight claims?",
        _check_claims,
        hints=(
            "For every claim ask: true of the port, or true of the settings? And: true before 2018, or today?",
            "file.evidence(number) runs the experiment that decides. Read the fact, then choose the word.",
            "'outdated' is for what was once good advice; 'wrong' for what no RFC ever said.",
        ),
        near_example="'Mail programs use port 110.' That is POP, for fetching mail; no RFC ever gave it to SMTP: 'wrong'.",
        variants=_claims_case,
        right=(Right(lambda case: {number: CLAIMS[number].verdicts[0] for number in case}),),
        wrong=(
            Wrong(_one_off, "7 of 8 stand"),
            Wrong(lambda case: {case[0]: "true"}, "no verdict on claim"),
            Wrong(lambda case: dict.fromkeys(case, "maybe"), "has to be one of"),
            Wrong(lambda case: "all wrong", "dictionary"),
        ),
    ),
)

QUIZ = (
    Question(
        "A page from 2012 says '465 is deprecated'. What do you write beside it?",
        (
            Option("Wrong from the start", "In 2012 the port was registered for something else."),
            Option("Outdated since 2018", "RFC 8314 section 7.3 gave it back.", True),
            Option("True", "Not since January 2018."),
        ),
        "LO15",
    ),
    Question(
        "A company's rule says: 'Only 587, because 465 is insecure.' Which test would you show them?",
        (
            Option("The round trips of both", "They show speed, not security."),
            Option("The same attacker against both, with strict settings", "Both are safe; the rule's reason is gone.", True),
            Option("A scan of their server", "It would tell what is open, not what is safe."),
        ),
        "LO15",
        unseen=True,
    ),
    Question(
        "Your provider offers 465, and 587 with STARTTLS. What do you set?",
        (
            Option("465, certificate checked", "Yes: RFC 8314 section 3.3, RFC 9325 section 3.2.", True),
            Option("587, 'TLS if available'", "Then whoever is on the path decides."),
            Option("25", "That is for servers."),
        ),
        "LO7",
    ),
)
