"""What can be claimed about a trace, and is then looked up in it. Checks are made of these, not of compared strings.

A claim is a function from a trace to a `Finding`. The dialogue is read as the client had it, or the server where the
client is foreign.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from email.parser import BytesHeaderParser

from simulator.protocol.dialogue import read_connection
from simulator.protocol.round_trips import round_trips
from simulator.protocol.visible import readable
from simulator.trace.events import Command, MessageData, MessageStored, Reply, Spoken, TlsEstablished
from simulator.trace.trace import ConnectionLog, Trace


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether a claim holds, in words, with the lines that show it."""

    holds: bool
    words: str
    evidence: tuple[str, ...] = ()


Claim = Callable[[Trace], Finding]


def smtp_connections(trace: Trace) -> list[ConnectionLog]:
    """Return the SMTP connections in the order in which they were opened."""
    return sorted(
        (log for log in trace.connections.values() if log.transport == "tcp" and log.server_port != 53),
        key=lambda log: log.number,
    )


def spoken(trace: Trace, log: ConnectionLog) -> tuple[Spoken, ...]:
    """Return what was said on one connection."""
    found = read_connection(trace, log.number, "server" if log.foreign else "client")
    return tuple(event for event in found if isinstance(event, Spoken))


def commands(trace: Trace, log: ConnectionLog) -> list[Command]:
    """Return the whole commands of one connection; one that was cut off is none."""
    return [event for event in spoken(trace, log) if isinstance(event, Command) and event.complete]


def line(trace: Trace, event: Spoken) -> str:
    """Return the first line of what was said, with its mark."""
    mark = {("c2s", False): "->", ("c2s", True): "~>", ("s2c", False): "<-", ("s2c", True): "<~"}
    lines = readable(trace.octets(event.span)) or [""]
    return f"{mark[event.direction, event.tls]} {lines[0]}"


def _all_commands(trace: Trace) -> Iterator[Command]:
    for log in smtp_connections(trace):
        yield from commands(trace, log)


# --- TLS and passwords -----------------------------------------------------------------------------------------------


def auth_only_inside_tls(trace: Trace) -> Finding:
    """Every AUTH, and every line of a login, travelled inside TLS (RFC 4954 section 4, RFC 8314 section 4.1)."""
    logins = [event for event in _all_commands(trace) if event.verb in ("AUTH", "*AUTH")]
    bad = [line(trace, event) for event in logins if not event.tls]
    if bad:
        return Finding(False, "A password was sent before TLS: everybody on the path has it.", tuple(bad))
    return Finding(bool(logins), "The password was sent inside TLS only." if logins else "Nobody signed in.")


def nothing_secret_in_clear(trace: Trace) -> Finding:
    """On the submission connections no envelope, password or letter travelled in clear."""
    bad = []
    for log in smtp_connections(trace):
        if log.server_port == 25:
            continue
        for event in spoken(trace, log):
            told = isinstance(event, Command) and event.verb in ("AUTH", "*AUTH", "MAIL", "RCPT")
            if not event.tls and (told or isinstance(event, MessageData)):
                bad.append(line(trace, event))
    words = "Something secret travelled in clear." if bad else "Password, envelope and letter travelled inside TLS."
    return Finding(not bad, words, tuple(bad))


def only_greeting_before_tls(trace: Trace) -> Finding:
    """Before TLS the client said EHLO, STARTTLS and QUIT and nothing else (RFC 8314 section 5.2)."""
    bad = [
        line(trace, event)
        for log in smtp_connections(trace)
        if log.server_port != 25
        for event in commands(trace, log)
        if not event.tls and event.verb not in ("EHLO", "HELO", "STARTTLS", "QUIT", "NOOP")
    ]
    words = "The client said too much before TLS." if bad else "Before TLS nothing was told."
    return Finding(not bad, words, tuple(bad))


def second_ehlo_after_starttls(trace: Trace) -> Finding:
    """After every STARTTLS that the server agreed to, the client said EHLO again (RFC 3207 section 4.2)."""
    upgraded = 0
    for log in smtp_connections(trace):
        verbs = [(event.verb, event.tls) for event in commands(trace, log)]
        agreed = any(isinstance(e, Reply) and e.verb == "STARTTLS" and e.code == 220 for e in spoken(trace, log))
        if agreed and any(tls for _, tls in verbs):
            upgraded += 1
            first = next(verb for verb, tls in verbs if tls)
            if first not in ("EHLO", "HELO"):
                return Finding(False, f"After STARTTLS the client said {first}, without a new EHLO.")
    return Finding(upgraded > 0, "EHLO was said again inside TLS." if upgraded else "There was no STARTTLS.")


def certificate_verified(trace: Trace) -> Finding:
    """The mail program checked the certificate of its server, and it was good (RFC 8314 section 5.2)."""
    found = [
        event
        for log in smtp_connections(trace)
        if log.server_port != 25
        for event in trace.of(TlsEstablished, connection=log.number, seen_by="client")
    ]
    bad = [event.why_unverified or "not checked" for event in found if not event.verified]
    if bad:
        return Finding(False, f"The certificate was {bad[0]}, and the client went on.")
    return Finding(bool(found), "The certificate was checked and good." if found else "There was no TLS.")


def password_unreadable(trace: Trace) -> Finding:
    """No line of a login stands in the octets of the wire."""
    wires = b"\0".join(
        log.stream(name).octets for log in smtp_connections(trace) for name in ("wire.c2s.sent", "wire.c2s.arrived")
    )
    for event in _all_commands(trace):
        octets = trace.octets(event.span)
        if event.verb in ("AUTH", "*AUTH") and len(octets) > 12 and octets in wires:
            return Finding(False, "The login stands in the octets that a listener has.", (line(trace, event),))
    return Finding(True, "No listener has the password.")


# --- envelope and letter ---------------------------------------------------------------------------------------------


def envelope_recipients(trace: Trace) -> list[str]:
    """Return the recipients of all RCPT commands, without repetitions."""
    return _paths(trace, "RCPT")


def envelope_senders(trace: Trace) -> list[str]:
    """Return the senders of all MAIL commands, without repetitions."""
    return _paths(trace, "MAIL")


def _paths(trace: Trace, verb: str) -> list[str]:
    found = [trace.octets(event.span) for event in _all_commands(trace) if event.verb == verb]
    inside = [octets.partition(b"<")[2].partition(b">")[0].decode("utf-8", "replace") for octets in found]
    return list(dict.fromkeys(inside))


def letters(trace: Trace) -> list[bytes]:
    """Return the letters as the clients sent them, whole ones only."""
    return [
        trace.octets(event.span)
        for log in smtp_connections(trace)
        for event in spoken(trace, log)
        if isinstance(event, MessageData) and event.complete
    ]


def recipient_not_in_letter(address: str) -> Claim:
    """The envelope names `address`, and the header of the letter does not (RFC 5321 section 2.3.1)."""

    def claim(trace: Trace) -> Finding:
        if address not in envelope_recipients(trace):
            return Finding(False, f"No RCPT names {address}.")
        for letter in letters(trace):
            header = letter.partition(b"\r\n\r\n")[0]
            if address.encode() in header:
                return Finding(False, f"The header of the letter names {address}.", tuple(readable(header)))
        return Finding(True, f"The envelope names {address}, the letter does not.")

    return claim


def to_differs_from_envelope(trace: Trace) -> Finding:
    """A letter's To and Cc fields are not the envelope's recipients."""
    named: set[str] = set()
    for letter in letters(trace):
        fields = BytesHeaderParser().parsebytes(letter.partition(b"\r\n\r\n")[0])
        named |= {address for name in ("To", "Cc") for address in _addresses(str(fields.get(name, "")))}
    recipients = set(envelope_recipients(trace))
    words = "Header and envelope differ." if named != recipients else "Header and envelope name the same people."
    return Finding(named != recipients, words)


def _addresses(field: str) -> Iterable[str]:
    from email.utils import getaddresses

    return (address for _, address in getaddresses([field]) if address)


def stored_in(*mailboxes: str) -> Claim:
    """The letter lies in exactly these mailboxes."""

    def claim(trace: Trace) -> Finding:
        found = sorted({event.mailbox for event in trace.of(MessageStored)})
        words = f"It lies in {', '.join(found)}." if found else "It lies in no mailbox."
        return Finding(found == sorted(mailboxes), words)

    return claim


# --- the course of the dialogue --------------------------------------------------------------------------------------


def stopped_after_refusal(trace: Trace) -> Finding:
    """After a permanent refusal of MAIL, DATA or AUTH the client sent no letter (RFC 5321 section 4.2.1)."""
    for log in smtp_connections(trace):
        refused: Reply | None = None
        for event in spoken(trace, log):
            if isinstance(event, Reply) and event.code >= 500 and event.verb in ("MAIL", "DATA", "AUTH", "*AUTH"):
                refused = event
            elif isinstance(event, MessageData) and refused is not None:
                return Finding(False, "The letter was sent after a refusal.", (line(trace, refused),))
    return Finding(True, "Nothing was sent after a refusal.")


def continued_after(code: int, verb: str = "RCPT") -> Claim:
    """After the reply `code` to `verb` the client went on and sent its letter."""

    def claim(trace: Trace) -> Finding:
        for log in smtp_connections(trace):
            events = spoken(trace, log)
            for index, event in enumerate(events):
                if isinstance(event, Reply) and event.code == code and event.verb == verb:
                    went_on = any(isinstance(later, MessageData) for later in events[index:])
                    words = "the client went on" if went_on else "the client sent no letter"
                    return Finding(went_on, f"After {code} {words}.", (line(trace, event),))
        return Finding(False, f"There was no {code} to {verb}.")

    return claim


def replied(code: int, enhanced: str = "", verb: str | None = None) -> Claim:
    """Some server answered with this code, and this enhanced code (RFC 3463), to this verb."""

    def claim(trace: Trace) -> Finding:
        for log in smtp_connections(trace):
            for event in spoken(trace, log):
                if isinstance(event, Reply) and event.code == code and verb in (None, event.verb):
                    text = line(trace, event)
                    if not enhanced or f" {enhanced} " in f"{text} ":
                        return Finding(True, f"A server answered {code} {enhanced}".rstrip() + ".", (text,))
        return Finding(False, f"No server answered {code} {enhanced}".rstrip() + ".")

    return claim


def pipelined(trace: Trace) -> Finding:
    """MAIL and RCPT were sent in one go (RFC 2920 section 3.1)."""
    for log in smtp_connections(trace):
        at = {event.verb: event.at_s for event in commands(trace, log) if event.verb in ("MAIL", "RCPT")}
        if len(at) == 2 and at["MAIL"] == at["RCPT"]:
            return Finding(True, "The envelope was sent in one go.")
    return Finding(False, "Every command waited for the reply before it.")


def round_trips_until(until: str, count: int, hop: int = 1) -> Claim:
    """One SMTP connection took this many round trips until MAIL, or until the last 250."""

    def claim(trace: Trace) -> Finding:
        found = smtp_connections(trace)
        if len(found) < hop:
            return Finding(False, f"There is no SMTP connection number {hop}.")
        counted = round_trips(trace, found[hop - 1].number, until)
        return Finding(counted == count, f"It took {counted} round trips until {until}.")

    return claim


def hosts_tried(trace: Trace) -> list[str]:
    """Return the hosts that a relay dialled on port 25, in order."""
    return [log.server_host for log in smtp_connections(trace) if log.server_port == 25]


def only_port_25_between_servers(trace: Trace) -> Finding:
    """After submission every connection went to port 25 (RFC 5321 section 5.1: an MX record has no port)."""
    ports = sorted({log.server_port for log in smtp_connections(trace)[1:]})
    return Finding(ports == [25], f"Between servers the ports were {ports}.")


def every(*claims: Claim) -> Claim:
    """All of them hold; the first that does not is told."""

    def claim(trace: Trace) -> Finding:
        finding = Finding(True, "Nothing was claimed.")
        for each in claims:
            finding = each(trace)
            if not finding.holds:
                return finding
        return finding

    return claim
