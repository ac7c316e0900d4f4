"""The MSA: takes mail from its own users on 465 and 587, once signed in, repairs it and passes it to the relay [IO]."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime

from simulator.delivery.recipients import Recipients
from simulator.errors import SimulatorError
from simulator.network.loop import NetworkLoop
from simulator.protocol.addresses import Address
from simulator.protocol.message import prepend
from simulator.relay.queue import QueuedMessage, Recipient
from simulator.relay.worker import Relay
from simulator.smtp.acceptance import accept, begin, received
from simulator.smtp.response import Response
from simulator.smtp.session import Envelope, Params, Session
from simulator.submission.rules import recipient_refusal, repair, sender_refusal
from simulator.trace.events import Authenticated


class MsaHandler:
    """What one submission server does with mail (RFC 6409)."""

    def __init__(
        self,
        loop: NetworkLoop,
        host: str,
        recipients: Recipients,
        relay: Relay,
        new_label: Callable[[], str],
        now: Callable[[], datetime],
        rng: random.Random,
        *,
        needs_login: bool = True,
    ) -> None:
        self.loop, self.host, self.recipients, self.relay = loop, host, recipients, relay
        self.new_label, self.now, self.rng, self.needs_login = new_label, now, rng, needs_login

    async def authenticated(self, session: Session, user: str) -> None:
        """Somebody has signed in."""
        wire = session.wire
        if wire is not None:
            self.loop.recorder.record(
                Authenticated,
                host=self.host,
                seen_by="server",
                connection=wire.number,
                cause=wire.tap("server").last,
                mechanism=session.mechanism,
                user=user,
            )

    async def mail(self, session: Session, reverse_path: Address | None, params: Params) -> Response | None:
        """Refuse senders that are not the user's own (RFC 6409 section 6.1)."""
        own = (session.user,) if self.needs_login and session.user else None
        refusal = sender_refusal(reverse_path, own)
        if refusal is not None:
            return Response(refusal.code, refusal.enhanced, refusal.text)
        begin(session, self.new_label)
        return None

    async def rcpt(self, session: Session, recipient: Address, params: Params) -> Response | None:
        """Accept anybody, but refuse at once what is known to fail (RFC 6409 section 3.2)."""
        refusal = recipient_refusal(recipient)
        if refusal is not None:
            return Response(refusal.code, refusal.enhanced, refusal.text)
        if self.recipients.hosts(recipient) and self.recipients.mailbox(recipient) is None:
            return Response(550, "5.1.1", "There is no such user here")
        return None

    async def message(self, session: Session, envelope: Envelope) -> Response:
        """Repair the message, queue it, and take responsibility for it (RFC 5321 section 4.1.1.4)."""
        queue_id = self.relay.new_queue_id(self.rng)
        now = self.now()
        repaired = repair(envelope.content, now=now, message_id=f"<{queue_id}.{now:%Y%m%d%H%M%S}@{self.host}>")
        content = prepend(repaired.content, "Received", received(session, envelope, self.host, queue_id, now))
        label = session.wire.message if session.wire else None
        queued = QueuedMessage(
            queue_id=queue_id,
            label=label or self.new_label(),
            reverse_path=str(envelope.reverse_path or ""),
            content=content,
            queued_s=self.loop.time(),
            recipients=[Recipient(str(r.address)) for r in envelope.recipients],
        )
        try:
            self.relay.keep(queued)
        except SimulatorError:
            # RFC 3463 section 3.4: 4.3.1, the mail system is full
            return Response(452, "4.3.1", "The queue cannot be written now; try again later")
        queued.cause = accept(
            self.loop.recorder, session, envelope, self.host, queue_id, ("Received", *reversed(repaired.added))
        )
        self.relay.accept(queued)
        return Response(250, "2.0.0", f"Queued as {queue_id}")
