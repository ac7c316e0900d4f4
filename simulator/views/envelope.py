"""The envelope beside the letter: who was named where, and where each copy went. Computed from RCPT and results."""

from __future__ import annotations

from dataclasses import dataclass
from email.parser import BytesHeaderParser
from email.utils import getaddresses
from typing import TYPE_CHECKING, Any

from simulator.errors import UsageError
from simulator.protocol.visible import readable
from simulator.trace.events import Command, MessageData, RecipientResult, Reply
from simulator.trace.trace import Trace
from simulator.views.hops import hops
from simulator.views.lettering import INK, PAGE_HEIGHT, cut, new_page, wrapped, write
from simulator.views.network_map import GROUND, STYLES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_RECIPIENTS = 9
FIELDS = ("From", "To", "Cc", "Subject")


@dataclass(frozen=True, slots=True)
class Slip:
    """One recipient of the envelope."""

    recipient: str
    answer: str
    """The first line of the reply to RCPT."""
    result: str
    """"delivered", "deferred" or "failed"; "" when nothing is known."""
    in_letter: bool
    """True when the letter's To or Cc names it, too."""


@dataclass(frozen=True, slots=True)
class EnvelopeAndLetter:
    """What the first client said: envelope and letter apart."""

    sender: str
    slips: tuple[Slip, ...]
    fields: dict[str, str]
    only_in_letter: tuple[str, ...]
    """Addresses that To or Cc name and the envelope does not."""


def envelope_and_letter(trace: Trace) -> EnvelopeAndLetter:
    """Read the envelope and the header of the first message of a trace. Raises UsageError when nobody said RCPT."""
    for hop in hops(trace):
        sender, answers, order, letter = "", dict[str, str](), list[str](), b""
        asked: list[str] = []
        for event in hop.spoken:
            octets = trace.octets(event.span)
            if isinstance(event, Command) and event.verb == "MAIL":
                sender = _path(octets)
            elif isinstance(event, Command) and event.verb == "RCPT":
                asked.append(_path(octets))
                order.append(_path(octets))
            elif isinstance(event, Reply) and event.verb == "RCPT" and asked:
                answers[asked.pop(0)] = (readable(octets) or [""])[0]
            elif isinstance(event, MessageData):
                letter = octets
        if order:
            return _read(trace, sender, list(dict.fromkeys(order)), answers, letter)
    raise UsageError("There is no envelope in this trace: nobody said RCPT.")


def _read(
    trace: Trace, sender: str, recipients: list[str], answers: dict[str, str], letter: bytes
) -> EnvelopeAndLetter:
    header = BytesHeaderParser().parsebytes(letter.partition(b"\r\n\r\n")[0])
    fields = {name: " ".join(str(header.get(name, "")).split()) for name in FIELDS}
    named = [address for _, address in getaddresses([fields["To"], fields["Cc"]]) if address]
    known = {address.lower() for address in named}
    results = _results(trace)
    slips = tuple(Slip(r, answers.get(r, ""), results.get(r, ""), r.lower() in known) for r in recipients)
    envelope = {recipient.lower() for recipient in recipients}
    return EnvelopeAndLetter(sender, slips, fields, tuple(a for a in named if a.lower() not in envelope))


def _results(trace: Trace) -> dict[str, str]:
    results: dict[str, str] = {}
    for event in trace.of(RecipientResult):
        if event.result != "relayed" and results.get(event.recipient) != "delivered":
            results[event.recipient] = event.result
    return results


def _path(octets: bytes) -> str:
    return readable(octets.partition(b"<")[2].partition(b">")[0] + b"\r\n")[0]


def envelope_arrows(trace: Trace) -> tuple[tuple[str, str], ...]:
    """Return (recipient of the envelope, what became of it): the arrows of the figure. The letter has no part in it."""
    return tuple((slip.recipient, slip.result) for slip in envelope_and_letter(trace).slips)


def alt_text(found: EnvelopeAndLetter) -> str:
    """Describe the figure in words."""
    slips = "; ".join(
        f"{slip.recipient}: {slip.result or 'nothing known'}" + ("" if slip.in_letter else ", not named in the letter")
        for slip in found.slips
    )
    extra = f" Named in the letter only: {', '.join(found.only_in_letter)}." if found.only_in_letter else ""
    return f"Envelope from {found.sender or '<>'} to {slips}. The letter says To: {found.fields['To']}.{extra}"


def envelope(trace: Trace) -> Figure:
    """Draw letter, envelope and mailboxes side by side, 1280 x 720 pixels. Raises UsageError when nobody said RCPT."""
    found = envelope_and_letter(trace)
    figure, axes = new_page(alt_text(found), "The envelope decides, not the letter")
    _panel(axes, 20, 400, "the letter: read by people")
    _panel(axes, 450, 450, "the envelope: read by servers")
    _panel(axes, 1010, 250, "what became of it")
    y = 150.0
    for name in FIELDS:
        if found.fields[name]:
            for line in wrapped(f"{name}: {found.fields[name]}", 360, 3, 14):
                write(axes, 40, y, line, fontsize=14)
                y += 24
            y += 12
    for address in found.only_in_letter[:4]:
        y += 10
        write(axes, 40, y, cut(address, 360, 13), fontsize=13, color=STYLES["readable"].color, fontweight="bold")
        write(axes, 40, y + 22, "in the letter, not in the envelope", fontsize=12.5, style="italic")
        y += 46
    write(axes, 470, 150, cut(f"MAIL FROM:<{found.sender}>", 410, 14), fontsize=14)
    shown = found.slips[:MOST_RECIPIENTS]
    gap = min(74.0, (PAGE_HEIGHT - 290) / max(1, len(shown)))
    for number, slip in enumerate(shown):
        _slip(axes, slip, 200 + number * gap)
    if len(found.slips) > len(shown):
        write(axes, 470, PAGE_HEIGHT - 62, f"and {len(found.slips) - len(shown)} more recipients", fontsize=13)
    return figure


def _panel(axes: Any, x: float, width: float, title: str) -> None:
    from matplotlib.patches import FancyBboxPatch

    axes.add_patch(
        FancyBboxPatch((x, 84), width, PAGE_HEIGHT - 124, boxstyle="round,pad=0,rounding_size=10", facecolor=GROUND,
                       edgecolor="#b8b09a", zorder=0)
    )  # fmt: skip
    write(axes, x + 20, 112, title, fontsize=15, fontweight="bold")


def _slip(axes: Any, slip: Slip, y: float) -> None:
    good = slip.result == "delivered"
    look = STYLES["protected" if good else "failed"]
    write(axes, 470, y, cut(f"RCPT TO:<{slip.recipient}>", 410, 14), fontsize=14)
    note = slip.answer if slip.in_letter else f"{slip.answer[:3]}; in the envelope, not in the letter"
    color = INK if slip.in_letter else STYLES["readable"].color
    write(axes, 470, y + 21, cut(note, 410, 12), fontsize=12, style="italic", color=color)
    if slip.result:
        arrow = {"arrowstyle": "-|>", "color": look.color, "linestyle": look.line, "linewidth": 2.6}
        axes.annotate("", xy=(1024, y), xytext=(896, y), zorder=3, arrowprops=arrow)
        where = slip.recipient if good else slip.result
        write(axes, 1034, y, cut(where, 216, 13, bold=True), fontsize=13, color=look.color, fontweight="bold")
        write(axes, 1034, y + 21, _WHAT_NOW.get(slip.result, ""), fontsize=12, style="italic")


_WHAT_NOW = {"delivered": "mailbox", "deferred": "waits in the queue", "failed": "the sender is told"}
