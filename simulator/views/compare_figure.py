"""One message handed over in several ways, on one time axis, and what a listener learned. Drawn with matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from simulator.errors import UsageError
from simulator.protocol.round_trips import round_trips
from simulator.trace.trace import Trace
from simulator.views.hops import Hop, hops
from simulator.views.leaks import Leak, leaks
from simulator.views.lettering import INK, cut
from simulator.views.network_map import GROUND, STYLES
from simulator.views.picture import new_picture
from simulator.views.steps import Step, steps

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH_PX = 1280.0
LEFT_PX = 184.0
"""Room for the axis and for the names of the rows."""
TOP_PX = 96.0
ROUND_TRIP_PX = 42.0
ROW_PX = 24.0
COUNTS_PX = 64.0
BOTTOM_PX = 14.0


@dataclass(frozen=True, slots=True)
class Arrow:
    """What went one way in one go; times in round trips since the SYN."""

    from_rt: float
    to_rt: float
    to_server: bool
    text: str
    kind: Literal["tcp", "readable", "protected"]


@dataclass(frozen=True, slots=True)
class Lane:
    """One way of handing over: a column of the figure."""

    name: str
    port: int
    protection: str
    arrows: tuple[Arrow, ...]
    handshake: tuple[float, float] | None
    """The TLS handshake, from the ClientHello until the client is done; in round trips."""
    until_mail: int | float
    until_250: int | float
    leaks: tuple[Leak, ...]

    @property
    def first_protected(self) -> float | None:
        """When the first protected word was sent, in round trips."""
        return next((arrow.from_rt for arrow in self.arrows if arrow.kind == "protected"), None)


def lane(name: str, trace: Trace) -> Lane:
    """Return one column: the submission of a trace, counted in round trips. Raises UsageError without latency."""
    found = hops(trace)
    if not found:
        raise UsageError(f'There is nothing to compare in "{name}": the trace has no SMTP connection.')
    hop = found[0]
    if hop.log.latency_s <= 0:
        raise UsageError("Round trips need a link with latency; use latency_s=0.02.")
    own = [step for step in steps(trace) if step.hop == hop.number]
    last = _last_250(own)
    rt = _Clock(hop)
    tls = next((step for step in own if step.kind == "tls"), None)
    said = [step for step in own if step.said and (last is None or step.number <= last)]
    return Lane(
        name,
        hop.log.server_port,
        f"{hop.protection} ({hop.tls.version})" if hop.tls else hop.protection,
        (
            Arrow(0.0, 0.5, True, "TCP: SYN", "tcp"),
            Arrow(0.5, 1.0, False, "SYN-ACK", "tcp"),
            *_arrows(said, rt),
        ),
        (rt(tls.from_s), rt(tls.to_s)) if tls else None,
        round_trips(trace, hop.log.number, "MAIL"),
        round_trips(trace, hop.log.number, "250"),
        leaks(hop),
    )


class _Clock:
    """Turns simulated seconds into round trips since the SYN of a hop."""

    def __init__(self, hop: Hop) -> None:
        self._opened_s, self._round_trip_s = hop.log.opened_s, 2 * hop.log.latency_s

    def __call__(self, at_s: float) -> float:
        return round((at_s - self._opened_s) / self._round_trip_s, 6)


def _last_250(own: Sequence[Step]) -> int | None:
    """Return the number of the reply to the letter."""
    letter = next((index for index, step in enumerate(own) if step.kind == "data"), None)
    if letter is None:
        return None
    return next((step.number for step in own[letter:] if step.kind == "reply"), None)


def _arrows(said: Sequence[Step], rt: _Clock) -> list[Arrow]:
    arrows: list[Arrow] = []
    for step in said:
        times = rt(step.from_s), rt(step.to_s)
        to_server = step.kind != "reply"
        kind: Literal["readable", "protected"] = "protected" if step.tls else "readable"
        if arrows and (arrows[-1].from_rt, arrows[-1].to_rt, arrows[-1].to_server) == (*times, to_server):
            arrows[-1] = Arrow(*times, to_server, f"{arrows[-1].text} {_word(step)}", kind)
        else:
            arrows.append(Arrow(*times, to_server, _word(step), kind))
    return arrows


def _word(step: Step) -> str:
    if step.kind == "data":
        return "the letter"
    first = step.lines[0] if step.lines else ""
    return first[:3] if step.kind == "reply" else first.split(" ")[0]


def alt_text(lanes: Sequence[Lane], hide_round_trips: bool) -> str:
    """Describe the comparison in words."""
    told = []
    for each in lanes:
        counts = f"{each.until_mail} round trips until MAIL, {each.until_250} until the 250; "
        counts = "" if hide_round_trips else counts
        read = ", ".join(leak.what for leak in each.leaks if leak.seen == "read")
        told.append(f"{each.name}, port {each.port}, {each.protection}: {counts}a listener read: {read or 'nothing'}.")
    return "One letter handed over in several ways, side by side. " + " ".join(told)


def compare_figure(traces: Mapping[str, Trace], *, hide_round_trips: bool = False) -> Figure:
    """Draw several traces as columns on one time axis, with what a listener learned below.

    1280 pixels wide; as high as the slowest way needs. With `hide_round_trips` the counts and the axis wait for a
    prediction. Raises UsageError for fewer than one or more than four traces, and for a trace without latency.
    """
    if not 1 <= len(traces) <= 4:
        raise UsageError(f"One to four traces can be compared, not {len(traces)}.")
    lanes = [lane(name, trace) for name, trace in traces.items()]
    most = max([2.0, *(arrow.to_rt for each in lanes for arrow in each.arrows)])
    rows = len(lanes[0].leaks)
    plot_px = most * ROUND_TRIP_PX
    height = TOP_PX + plot_px + COUNTS_PX + rows * ROW_PX + BOTTOM_PX + 30
    figure = new_picture(alt_text(lanes, hide_round_trips), WIDTH_PX / 100, height / 100)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xlim(0, WIDTH_PX)
    axes.set_ylim(height, 0)
    axes.set_axis_off()
    _write(axes, 16, 26, "One letter, handed to the outgoing server in different ways", size=17, bold=True)
    if not hide_round_trips:
        _axis(axes, most)
    width = (WIDTH_PX - LEFT_PX) / len(lanes)
    for index, each in enumerate(lanes):
        left = LEFT_PX + index * width
        _draw_lane(axes, each, left, width)
        _draw_counts(axes, each, left, width, TOP_PX + plot_px + 30, hide_round_trips)
        _draw_leaks(axes, each, left, width, TOP_PX + plot_px + COUNTS_PX + 30)
    for number, leak in enumerate(lanes[0].leaks):
        y = TOP_PX + plot_px + COUNTS_PX + 30 + (number + 0.5) * ROW_PX
        _write(axes, 16, y, leak.what, size=12.5)
        if number % 2 == 0:
            axes.axhspan(y - ROW_PX / 2, y + ROW_PX / 2, color=GROUND, zorder=0)
    _write(axes, 16, TOP_PX + plot_px + COUNTS_PX + 16, "A listener learned", size=13, bold=True)
    return figure


def _write(axes: Any, x: float, y: float, text: str, *, size: float, bold: bool = False, **look: Any) -> None:
    options: dict[str, Any] = {"va": "center", "ha": "left", "color": INK, "zorder": 6}
    weight = "bold" if bold else "normal"
    axes.text(x, y, text, fontsize=size, fontweight=weight, parse_math=False, **options | look)


def _axis(axes: Any, most: float) -> None:
    _write(axes, 16, TOP_PX - 14, "round trips", size=12, style="italic")
    for count in range(int(most) + 1):
        y = TOP_PX + count * ROUND_TRIP_PX
        axes.plot([LEFT_PX - 44, WIDTH_PX - 12], [y, y], color="#d8d2c0", linewidth=1.0, zorder=0)
        _write(axes, LEFT_PX - 54, y + (4 if count == 0 else 0), str(count), size=13, ha="right")


def _ends(left: float, width: float) -> tuple[float, float]:
    return left + 34, left + width - 34


def _draw_lane(axes: Any, each: Lane, left: float, width: float) -> None:
    from matplotlib.patches import Rectangle

    client, server = _ends(left, width)
    bottom = TOP_PX + max(arrow.to_rt for arrow in each.arrows) * ROUND_TRIP_PX
    for x, name, side in ((client, "client", "left"), (server, "server", "right")):
        axes.plot([x, x], [TOP_PX, bottom + 8], color="#9a927c", linewidth=1.4, zorder=1)
        _write(axes, x, TOP_PX - 12, name, size=12, ha="center" if width > 300 else side)
    title = cut(f"{each.name}", width - 20, 15, bold=True)
    _write(axes, left + width / 2, 58, title, size=15, bold=True, ha="center")
    if each.handshake is not None:
        y0, y1 = (TOP_PX + rt * ROUND_TRIP_PX for rt in each.handshake)
        axes.add_patch(Rectangle((client, y0), server - client, y1 - y0, facecolor=GROUND, zorder=1, linewidth=1.2,
                                 edgecolor=STYLES["protected"].color, hatch="//"))  # fmt: skip
        words = f"{each.protection.split('(')[-1].rstrip(')').replace('v', ' ')} handshake"
        _label(axes, (client + server) / 2, (y0 + y1) / 2, words, STYLES["protected"].color, bold=True)
    for arrow in each.arrows:
        look = STYLES["protected" if arrow.kind == "protected" else "readable"]
        color = "#666666" if arrow.kind == "tcp" else look.color
        x0, x1 = (client, server) if arrow.to_server else (server, client)
        y0, y1 = TOP_PX + arrow.from_rt * ROUND_TRIP_PX, TOP_PX + arrow.to_rt * ROUND_TRIP_PX
        axes.annotate("", xy=(x1, y1), xytext=(x0, y0), zorder=2, arrowprops={
            "arrowstyle": "-|>", "color": color, "linestyle": look.line if arrow.kind != "tcp" else "dotted",
            "linewidth": 2.2, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 14})  # fmt: skip
        text = ("TLS: " if arrow.kind == "protected" else "") + arrow.text
        _label(axes, (x0 + x1) / 2, (y0 + y1) / 2, cut(text, server - client - 24, 12), color)


def _label(axes: Any, x: float, y: float, text: str, color: str, *, bold: bool = False) -> None:
    box = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
    _write(axes, x, y, text, size=12, bold=bold, ha="center", color=color, bbox=box)


def _draw_counts(axes: Any, each: Lane, left: float, width: float, y: float, hide: bool) -> None:
    mail, last = ("?", "?") if hide else (f"{each.until_mail:g}", f"{each.until_250:g}")
    words = f"until MAIL: {mail}    until 250: {last}" if width > 300 else f"MAIL: {mail}   250: {last}"
    _write(axes, left + width / 2, y, words, size=14, bold=True, ha="center")
    first = each.first_protected
    told = "no word is protected" if first is None else "?" if hide else f"protected from round trip {first:g} on"
    _write(axes, left + width / 2, y + 24, told, size=12.5, ha="center")


def _draw_leaks(axes: Any, each: Lane, left: float, width: float, top: float) -> None:
    for number, leak in enumerate(each.leaks):
        look = STYLES["readable" if leak.seen == "read" else "protected"]
        color = INK if leak.seen == "not sent" else look.color
        y, bold = top + (number + 0.5) * ROW_PX, leak.seen == "read"
        _write(axes, left + 34, y, cut(leak.words, width - 40, 12.5, bold=bold), size=12.5, color=color, bold=bold)
