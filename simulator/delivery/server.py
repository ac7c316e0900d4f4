"""The MX: takes mail for its own domains from anyone on port 25, refuses the rest, and files what it accepted [IO]."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from simulator.delivery.mailbox import Mailbox
from simulator.delivery.recipients import Recipients
from simulator.errors import SimulatorError
from simulator.network.loop import NetworkLoop
from simulator.protocol.addresses import Address
from simulator.protocol.message import prepend, remove_field
from simulator.smtp.acceptance import accept, begin, received
from simulator.smtp.response import Response
from simulator.smtp.session import Envelope, Params, Session
from simulator.trace.events import Event, MessageStored, RecipientResult


class MxHandler:
    """What one MX does with mail. No login: anyone may send to a domain that it hosts (RFC 5321 section 3.6.2)."""

    def __init__(
        self,
        loop: NetworkLoop,
        host: str,
        recipients: Recipients,
        mailboxes: Mapping[str, Mailbox],
        new_label: Callable[[], str],
        now: Callable[[], datetime],
        rng: random.Random,
        *,
        durable: bool = False,
    ) -> None:
        self.loop, self.host, self.recipients, self.mailboxes = loop, host, recipients, mailboxes
        self.new_label, self.now, self.rng, self.durable = new_label, now, rng, durable

    async def authenticated(self, session: Session, user: str) -> None:
        """An MX has no accounts, so nobody signs in."""

    async def mail(self, session: Session, reverse_path: Address | None, params: Params) -> Response | None:
        """Anyone may send."""
        begin(session, self.new_label)
        return None

    async def rcpt(self, session: Session, recipient: Address, params: Params) -> Response | None:
        """Accept our own users; refuse relaying and unknown users before the data (RFC 5321 sections 3.3, 3.6.2)."""
        if not self.recipients.hosts(recipient):
            return Response(
                550,
                "5.7.1",
                f"Relaying denied: this server takes mail for {', '.join(sorted(self.recipients.domains))} only",
            )
        if self.recipients.mailbox(recipient) is None:
            return Response(550, "5.1.1", "There is no such user here")
        return None

    async def message(self, session: Session, envelope: Envelope) -> Response:
        """File the message in every mailbox; only then answer 250 (RFC 5321 section 4.1.1.4)."""
        queue_id = f"{self.rng.getrandbits(40):010X}"
        reverse_path = str(envelope.reverse_path or "")
        content = remove_field(envelope.content, "Return-Path")  # RFC 5321 section 4.4: only final delivery makes one
        content = prepend(content, "Received", received(session, envelope, self.host, queue_id, self.now()))
        content = prepend(content, "Return-Path", f"<{reverse_path}>")
        boxes: dict[str, list[str]] = {}
        for recipient in envelope.recipients:  # one copy per mailbox, however many names it was addressed by
            mailbox = self.recipients.mailbox(recipient.address) or ""
            boxes.setdefault(mailbox, []).append(str(recipient.address))
        try:
            for mailbox in boxes:
                self.mailboxes[mailbox].deliver(content, queue_id, durable=self.durable)
        except SimulatorError:
            return Response(
                452, "4.3.1", "The mailbox cannot be written now; try again later"
            )  # RFC 5321 section 4.2.3
        accepted = accept(self.loop.recorder, session, envelope, self.host, queue_id, ("Return-Path", "Received"))
        for mailbox, addresses in boxes.items():
            stored = self._record(MessageStored, session, accepted, mailbox=mailbox, size_octets=len(content))
            for address in dict.fromkeys(addresses):
                self._record(
                    RecipientResult,
                    session,
                    stored,
                    recipient=address,
                    result="delivered",
                    code=250,
                    enhanced="2.0.0",
                    by=self.host,
                )
        return Response(250, "2.0.0", f"Delivered as {queue_id}")

    def _record(self, kind: type[Event], session: Session, cause: int, **facts: Any) -> int:
        return self.loop.recorder.record(
            kind,
            host=self.host,
            seen_by="server",
            cause=cause,
            connection=session.wire.number if session.wire else None,
            **facts,
        )
