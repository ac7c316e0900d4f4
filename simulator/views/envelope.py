"""The envelope beside the letter: who was named where, and where each copy went. Computed from RCPT and results."""

from __future__ import annotations

from dataclasses import dataclass, field
from email.parser import BytesHeaderParser
from email.utils import getaddresses
from typing import TYPE_CHECKING, Any

from simulator.errors import UsageError
from simulator.protocol.message import dot_unstuff
from simulator.protocol.visible import readable
from simulator.trace.events import Command, MessageData, MessageStored, RecipientResult, Reply
from simulator.trace.trace import Trace
from simulator.views.hops import Hop, hops
from simulator.views.lettering import PAGE_HEIGHT, cut, new_page, width_px, wrapped, write
from simulator.views.network_map import GROUND, STYLES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_RECIPIENTS = 9
FIELDS = ("From", "To", "Cc", "Subject")
ONLY_ENVELOPE = "in the envelope, not in the letter"
ONLY_LETTER = "in the letter, not in the envelope"


@dataclass(frozen=True, slots=True)
class Slip:
    """One recipient of the envelope."""

    recipient: str
    answer: str
    """The first line of the reply to RCPT."""
    result: str
    """"delivered", "relayed", "deferred" or "failed"; "" when nothing is known."""
    in_letter: bool
    """True when the letter's To or Cc names it, too."""
    mailbox: str = ""
    """Where the copy was stored; "" when it was not, or when the trace does not tell."""

    @property
    def target(self) -> str:
        """Where the arrow points: the mailbox, or in a word what became of it; "" for no arrow."""
        return self.mailbox or self.result


@dataclass(frozen=True, slots=True)
class EnvelopeAndLetter:
    """What the first client said: envelope and letter apart."""

    sender: str
    slips: tuple[Slip, ...]
    fields: dict[str, str]
    only_in_letter: tuple[str, ...]
    """Addresses that To or Cc name and the envelope does not."""


@dataclass(slots=True)
class _Said:
    """The first transaction of one connection that named a recipient."""

    sender: str = ""
    answers: dict[str, str] = field(default_factory=dict)
    """Recipient -> first line of the reply, in the order of the RCPT commands."""
    letter: bytes | None = None
    message: str | None = None


def envelope_and_letter(trace: Trace) -> EnvelopeAndLetter:
    """Read the envelope and the header of the first message of a trace. Raises UsageError when nobody said RCPT."""
    said = [each for each in (_transaction(hop) for hop in hops(trace)) if each.answers]
    if not said:
        raise UsageError("There is no envelope in this trace: nobody said RCPT.")
    # A mail program may have tried in vain before: at another port, or without signing in.
    return _read(trace, next((each for each in said if each.letter is not None), said[0]))


def _transaction(hop: Hop) -> _Said:
    said, asked = _Said(), list[str]()
    for event in hop.spoken:
        octets = hop.trace.octets(event.span)
        if isinstance(event, Reply):
            if event.verb == "RCPT" and asked:
                recipient = asked.pop(0)
                said.answers[recipient] = said.answers.get(recipient) or (readable(octets) or [""])[0]
        elif said.letter is not None:
            break  # RFC 5321 section 4.1.1.4: the end of the data ends the transaction
        elif isinstance(event, MessageData):
            said.letter = dot_unstuff(octets)
        elif isinstance(event, Command) and event.verb in ("MAIL", "RSET"):
            said, asked = _Said(_path(octets) if event.verb == "MAIL" else ""), []
        elif isinstance(event, Command) and event.verb == "RCPT":
            asked.append(_path(octets))
            said.answers.setdefault(asked[-1], "")
            said.message = hop.log.message_at(event.number)
    return said


def _read(trace: Trace, said: _Said) -> EnvelopeAndLetter:
    header = BytesHeaderParser().parsebytes((said.letter or b"").partition(b"\r\n\r\n")[0])
    fields = {name: ", ".join(" ".join(str(value).split()) for value in header.get_all(name, [])) for name in FIELDS}
    named = list(dict.fromkeys(address for _, address in getaddresses([fields["To"], fields["Cc"]]) if address))
    known = {address.lower() for address in named}
    results = _results(trace, said.message)
    slips = tuple(
        Slip(recipient, answer, result, recipient.lower() in known, mailbox)
        for recipient, answer in said.answers.items()
        for result, mailbox in [results.get(recipient.lower(), ("", ""))]
    )
    envelope = {recipient.lower() for recipient in said.answers}
    return EnvelopeAndLetter(said.sender, slips, fields, tuple(a for a in named if a.lower() not in envelope))


def _results(trace: Trace, message: str | None) -> dict[str, tuple[str, str]]:
    """Return recipient -> (last result, mailbox). Delivered is final; "relayed" is the same, seen one hop before."""
    results: dict[str, tuple[str, str]] = {}
    stored = {event.number: event.mailbox for event in trace.of(MessageStored)}
    for event in trace.of(RecipientResult):
        name = event.recipient.lower()
        if (message is None or event.message == message) and results.get(name, ("",))[0] != "delivered":
            results[name] = event.result, stored.get(event.cause or 0, "")
    return results


def _path(octets: bytes) -> str:
    return readable(octets.partition(b"<")[2].partition(b">")[0] + b"\r\n")[0]


def envelope_arrows(trace: Trace) -> tuple[tuple[str, str], ...]:
    """Return (recipient of the envelope, mailbox or what became of it): the arrows. The letter has no part in it."""
    return tuple((slip.recipient, slip.target) for slip in envelope_and_letter(trace).slips if slip.target)


def alt_text(found: EnvelopeAndLetter) -> str:
    """Describe the figure in words."""
    slips = "; ".join(
        f"{slip.recipient}: {slip.result or 'nothing known'}"
        + (f" to {slip.mailbox}" if slip.mailbox not in ("", slip.recipient) else "")
        + ("" if slip.in_letter else f", {ONLY_ENVELOPE}")
        for slip in found.slips
    )
    extra = "".join(f" {address}: {ONLY_LETTER}." for address in found.only_in_letter)
    return f"Envelope from {found.sender or '<>'} to {slips}. The letter says To: {found.fields['To']}.{extra}"


def envelope(trace: Trace) -> Figure:
    """Draw letter, envelope and mailboxes side by side, 1280 x 720 pixels. Raises UsageError when nobody said RCPT."""
    found = envelope_and_letter(trace)
    figure, axes = new_page(alt_text(found), "The envelope decides, not the letter")
    _panel(axes, 20, 400, "the letter: read by people")
    _panel(axes, 450, 450, "the envelope: read by servers")
    _panel(axes, 1010, 250, "what became of it")
    _letter(axes, found)
    write(axes, 470, 150, cut(f"MAIL FROM:<{found.sender}>", 410, 14), fontsize=14)
    shown = found.slips[:MOST_RECIPIENTS]
    gap = min(74.0, (PAGE_HEIGHT - 290) / max(1, len(shown)))
    places: dict[str, float] = {}
    for number, slip in enumerate(shown):
        y = 200 + number * gap
        _slip(axes, slip, y, gap)
        if slip.target:
            first = slip.mailbox.lower() not in places  # one mailbox may have several names
            end = places.setdefault(slip.mailbox.lower(), y) if slip.mailbox else y
            _arrow(axes, slip, y, end)
            if first or not slip.mailbox:
                _outcome(axes, slip, end)
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


def _letter(axes: Any, found: EnvelopeAndLetter) -> None:
    y, bottom, step = 150.0, PAGE_HEIGHT - 60, 56.0
    for name in FIELDS:
        if found.fields[name]:
            for line in wrapped(f"{name}: {found.fields[name]}", 360, 3, 14):
                write(axes, 40, y, line, fontsize=14)
                y += 24
            y += 12
    room = max(1, int((bottom - y) // step))
    extra = found.only_in_letter
    shown = extra if len(extra) <= room else extra[: room - 1]
    for address in shown:
        y += 10
        write(axes, 40, y, cut(address, 360, 13, bold=True), fontsize=13, color=STYLES["readable"].color,
              fontweight="bold")  # fmt: skip
        write(axes, 40, y + 22, ONLY_LETTER, fontsize=12.5, style="italic")
        y += step - 10
    if len(extra) > len(shown):
        write(axes, 40, y + 10, f"and {len(extra) - len(shown)} more {ONLY_LETTER}", fontsize=12.5, style="italic")


def _slip(axes: Any, slip: Slip, y: float, gap: float) -> None:
    write(axes, 470, y, cut(f"RCPT TO:<{slip.recipient}>", 410, 14), fontsize=14)
    color = STYLES["readable"].color
    if slip.in_letter or gap >= 66:
        write(axes, 470, y + 21, cut(slip.answer or "no reply", 410, 12), fontsize=12, style="italic")
        if not slip.in_letter:
            write(axes, 470, y + 41, ONLY_ENVELOPE, fontsize=12, style="italic", color=color)
    else:  # no room for a third line
        answer = cut(slip.answer or "no reply", 406 - width_px(f"; {ONLY_ENVELOPE}", 12), 12)
        write(axes, 470, y + 21, f"{answer}; {ONLY_ENVELOPE}", fontsize=12, style="italic", color=color)


def _arrow(axes: Any, slip: Slip, y: float, end: float) -> None:
    from matplotlib.lines import Line2D

    look = STYLES["protected" if slip.result == "delivered" else "failed"]
    share = 108 / 124  # of the way is line, the rest is head
    stop = y + (end - y) * share
    axes.add_line(Line2D([900, 1008], [y, stop], color=look.color, linestyle=look.line, linewidth=2.6, zorder=3))
    head = {"arrowstyle": "-|>", "color": look.color, "linewidth": 1.0, "mutation_scale": 20}
    head |= {"shrinkA": 0, "shrinkB": 0}
    # By itself: at the end of a dashed line the head would be dashed, too.
    axes.annotate("", xy=(1024, end), xytext=(1008, stop), zorder=4, arrowprops=head)


def _outcome(axes: Any, slip: Slip, y: float) -> None:
    look = STYLES["protected" if slip.result == "delivered" else "failed"]
    write(axes, 1034, y, cut(slip.target, 216, 13, bold=True), fontsize=13, color=look.color, fontweight="bold")
    words = "mailbox" if slip.mailbox else _WHAT_NOW.get(slip.result, "")
    write(axes, 1034, y + 21, cut(words, 216, 12), fontsize=12, style="italic")


_WHAT_NOW = {
    "delivered": "in a mailbox",
    "relayed": "taken by the next server",
    "deferred": "waits in the queue",
    "failed": "the sender is told",
}
