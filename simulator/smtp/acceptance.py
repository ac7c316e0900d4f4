"""What every server does when it takes a message over: label it, trace it, and make its Received field."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from simulator.protocol.message import received_field
from simulator.smtp.session import Envelope, Session
from simulator.trace.events import FieldsAdded, MessageAccepted
from simulator.trace.recorder import Recorder


def begin(session: Session, new_label: Callable[[], str]) -> None:
    """A transaction begins: give it a label of its own, unless our own client has labelled the connection."""
    wire = session.wire
    if wire is not None and (wire.log.foreign or wire.message is None):
        wire.label(new_label())


def received(session: Session, envelope: Envelope, host: str, queue_id: str, now: datetime) -> str:
    """Return the value of this server's Received field (RFC 5321 section 4.4, RFC 3848, RFC 8314 section 4.3)."""
    # RFC 5321 section 7.2: "for" names at most one recipient, or blind copies would be betrayed.
    only = str(envelope.recipients[0].address) if len(envelope.recipients) == 1 else None
    return received_field(
        from_name=session.helo_name,
        from_address=session.client_address,
        by=host,
        protocol=session.protocol(envelope.smtputf8),
        tls_cipher=session.tls.cipher if session.tls else None,
        queue_id=queue_id,
        recipient=only,
        at=now,
    )


def accept(
    recorder: Recorder, session: Session, envelope: Envelope, host: str, queue_id: str, added: tuple[str, ...]
) -> int:
    """Record that this server is responsible for a message now; return the number of that event."""
    wire = session.wire
    connection = wire.number if wire else None
    number = recorder.record(
        MessageAccepted,
        host=host,
        seen_by="server",
        connection=connection,
        cause=wire.tap("server").last if wire else None,
        queue_id=queue_id,
        reverse_path=str(envelope.reverse_path or ""),
        recipients=tuple(str(recipient.address) for recipient in envelope.recipients),
        size_octets=len(envelope.content),
        protocol=session.protocol(envelope.smtputf8),
    )
    recorder.record(FieldsAdded, host=host, seen_by="server", connection=connection, cause=number, fields=added)
    return number
