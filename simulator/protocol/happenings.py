"""What a recorded event means, in one or two plain sentences: the counterpart of `explain` for what nobody said."""

from __future__ import annotations

from simulator.trace.events import (
    Authenticated,
    ConnectionClosed,
    ConnectionFailed,
    ConnectionOpened,
    DnsAnswered,
    DnsAsked,
    Event,
    FieldsAdded,
    MessageAccepted,
    MessageComposed,
    MessageStored,
    Note,
    OnPathAction,
    RecipientResult,
    RouteChosen,
    TlsEstablished,
    TlsFailed,
)

_DNS = {
    "answer": "The name server is responsible for this name and answers (RFC 1034 section 4.3.1).",
    "referral": "The name server does not know, but it knows who does: it names the servers of a smaller zone "
    "(RFC 1034 section 4.3.1).",
    "nodata": "The name exists, but has no record of this type (RFC 2308 section 2.2).",
    "nxdomain": "The name does not exist (RFC 2308 section 2.1). For mail this is a permanent failure.",
    "servfail": "The name server could not answer. Nothing is known, so the mail waits (RFC 5321 section 5.1).",
    "timeout": "Nobody answered. Nothing is known, so the mail waits (RFC 5321 section 5.1).",
    "truncated": "The answer did not fit a UDP datagram; the resolver asks again over TCP (RFC 7766 section 5).",
    "error": "The name server refused or answered with an error (RFC 1035 section 4.1.1).",
}

_RESULTS = {
    "delivered": "The message is in the recipient's mailbox.",
    "relayed": "The next server has taken responsibility for this recipient (RFC 5321 section 4.1.1.4).",
    "deferred": "A temporary failure: the message stays in the queue and is tried again (RFC 5321 section 4.5.4.1).",
    "failed": "A permanent failure: the same thing would be refused again, so it is not repeated "
    "(RFC 5321 section 4.2.1).",
}

_FAILED = {
    "refused": "Nothing listens on that port: the answer to the SYN was a reset (RFC 9293 section 3.10.7.1).",
    "timed out": "Nobody answered the SYN.",
    "cut": "A box on the path ended the attempt.",
}

_CLOSED = {
    "fin": "The end of what this side has to say (FIN, RFC 9293 section 3.6).",
    "reset": "The connection ended at once, without a goodbye (RST, RFC 9293 section 3.5.2).",
    "cut": "A box on the path ended the connection; each side believes that the other one did it.",
}


def explain_event(event: Event) -> str:
    """Return what a recorded event means; never empty."""
    if isinstance(event, ConnectionOpened):
        return "TCP: SYN, SYN-ACK, ACK take one round trip before the first octet (RFC 9293 section 3.5)."
    if isinstance(event, ConnectionFailed):
        return _FAILED[event.reason]
    if isinstance(event, ConnectionClosed):
        return _CLOSED[event.how]
    if isinstance(event, OnPathAction):
        return "Somebody between the two hosts changed what travelled. Neither end is told."
    if isinstance(event, TlsEstablished):
        how = (
            "TLS from the first octet, before any SMTP (RFC 8314 section 3.3)."
            if event.implicit
            else "The connection goes on inside TLS; both sides forget what was said before (RFC 3207 section 4.2)."
        )
        return f"{how} From here on a listener sees records, no words."
    if isinstance(event, TlsFailed):
        return "No keys were agreed on, so nothing can be said on this connection under TLS (RFC 8446 section 6.2)."
    if isinstance(event, DnsAsked):
        return "A question to one name server. DNS travels in clear: the listener learns the domain (RFC 1035)."
    if isinstance(event, DnsAnswered):
        if event.server == "cache":
            return "The resolver still knew the answer; nothing had to be asked (RFC 1034 section 5.3.3)."
        return _DNS.get(event.status, _DNS["error"])
    if isinstance(event, RouteChosen):
        if event.problem:
            return "The recipient's domain cannot be reached by mail for now, or never (RFC 5321 section 5.1)."
        if event.implicit_mx:
            return "There is no MX record, so the domain's own address stands in for it (RFC 5321 section 5.1)."
        return "The lowest preference is tried first; equal ones in random order (RFC 5321 section 5.1)."
    if isinstance(event, MessageComposed):
        return "The mail program has a letter, and an envelope that says where it goes (RFC 5321 section 2.3.1)."
    if isinstance(event, Authenticated):
        return "The server believes who the user is. Only submission asks for this (RFC 6409 section 4.3)."
    if isinstance(event, MessageAccepted):
        return "From the 250 after the dot this server is responsible for the message (RFC 5321 section 4.1.1.4)."
    if isinstance(event, FieldsAdded):
        return "Servers put trace fields on top and touch nothing else of the letter (RFC 5321 section 4.4)."
    if isinstance(event, RecipientResult):
        return _RESULTS.get(event.result, event.result)
    if isinstance(event, MessageStored):
        return "Final delivery: the message lies in the mailbox (RFC 5321 section 4.4)."
    if isinstance(event, Note):
        return "A remark by the simulator."
    raise TypeError(f"{event.kind} has no explanation")
