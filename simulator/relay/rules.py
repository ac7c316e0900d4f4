"""What a session or the DNS means for one recipient: accepted, to be tried again, or failed. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simulator.dns.mx import Problem
from simulator.protocol.client_session import SessionOutcome


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be done about a recipient, and whose words led to it."""

    temporary: bool
    code: int | None
    enhanced: str
    text: str
    by: str
    accepted: bool = False


def verdict_of(problem: Problem, host: str) -> Verdict:
    """Return what a problem with the route means: our own host's words."""
    return Verdict(problem.temporary, problem.code, problem.enhanced, problem.text, host)


def decisive(reasons: Sequence[Verdict]) -> Verdict:
    """Return the reason that counts when no host took the message: the last temporary one, for it may still go well.

    Only when every host is hopeless is the message (RFC 5321 section 4.5.4.1).
    """
    return next((reason for reason in reversed(reasons) if reason.temporary), reasons[-1])


def judge(outcome: SessionOutcome, recipient: str, host: str, own_host: str) -> Verdict:
    """Return what a session means for one recipient.

    A session that broke down, a 4yz reply or silence: another host, then later (RFC 5321 section 4.5.4.1). A 5yz reply
    is final for the recipients it is about (section 4.2.1).
    """
    result = outcome.recipient(recipient)
    reply = result.reply
    code, enhanced = (reply.code, reply.enhanced or "") if reply else (None, "")
    by = host if reply else own_host  # silence and broken connections are our own words about the host
    return Verdict(result.result == "temporary", code, enhanced, result.text, by, result.result == "accepted")
