"""One message handed over in several ways, on one time axis, and what a listener learned. Drawn with matplotlib."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from simulator.errors import UsageError
from simulator.protocol.round_trips import round_trips
from simulator.trace.trace import Trace
from simulator.views.hops import Hop, hops
from simulator.views.leaks import Leak, leaks
from simulator.views.lettering import INK, cut, shown, width_px
from simulator.views.network_map import GROUND, STYLES
from simulator.views.picture import new_picture
from simulator.views.steps import Step, steps

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH_PX, HEIGHT_PX = 1280.0, 800.0
LEFT_PX = 184.0
"""Room for the axis and for the names of the rows."""
TOP_PX = 92.0
ROUND_TRIP_PX = (33.0, 44.0)
"""A round trip is as high as there is room for; only where the least is not enough the picture grows."""
ROW_PX = 21.0
COUNTS_PX = 82.0
"""Between the end of the time axis and the first row of the table."""
BOTTOM_PX = 8.0


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
    until_mail: int | float | None
    until_250: int | float | None
    """Counted in round trips; None when it never came to that."""
    leaks: tuple[Leak, ...]
    round_trip_s: float

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
    said = [
        step
        for step in own  # with a box on the path every word is told twice: here as the client had it
        if step.said and (last is None or step.number <= last) and hop.log.client_host in (step.from_host, step.to_host)
    ]
    return Lane(
        name,
        hop.log.server_port,
        f"{hop.protection} ({hop.tls.version})" if hop.tls else hop.protection,
        (
            Arrow(0.0, 0.5, True, "TCP: SYN", "tcp"),
            Arrow(0.5, 1.0, False, "SYN-ACK", "tcp"),
            *_arrows(said, rt, hop.log.latency_s),
        ),
        (rt(tls.from_s), rt(tls.to_s)) if tls else None,
        _count(trace, hop, "MAIL"),
        _count(trace, hop, "250"),
        leaks(hop),
        2 * hop.log.latency_s,
    )


def _count(trace: Trace, hop: Hop, until: str) -> int | float | None:
    try:
        return round_trips(trace, hop.log.number, until)
    except UsageError:  # the client gave up before, or was refused
        return None


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


def _arrows(said: Sequence[Step], rt: _Clock, latency_s: float) -> list[Arrow]:
    arrows: list[Arrow] = []
    for step in said:
        to_server = step.kind != "reply"
        from_s = step.from_s if to_server else step.to_s - latency_s
        times = rt(from_s), rt(from_s + latency_s)
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
        counts = f"{_told(each.until_mail)} round trips until MAIL, {_told(each.until_250)} until the 250; "
        counts = "" if hide_round_trips else counts
        read = ", ".join(leak.what for leak in each.leaks if leak.seen == "read")
        told.append(f"{each.name}, port {each.port}, {each.protection}: {counts}a listener read: {read or 'nothing'}.")
    return "One letter handed over in several ways, side by side. " + " ".join(told)


def _told(count: int | float | None) -> str:
    return "never" if count is None else f"{count:g}"


def compare_figure(traces: Mapping[str, Trace], *, hide_round_trips: bool = False) -> Figure:
    """Draw several traces as columns on one time axis, with what a listener learned below.

    1280 x 800 pixels; higher only if the slowest way has more round trips than fit. With `hide_round_trips` the counts
    and the axis wait for a prediction. Raises UsageError for fewer than one or more than four traces, and for a trace
    without latency.
    """
    if not 1 <= len(traces) <= 4:
        raise UsageError(f"One to four traces can be compared, not {len(traces)}.")
    lanes = [lane(name, trace) for name, trace in traces.items()]
    most = max([2.0, *(arrow.to_rt for each in lanes for arrow in each.arrows)])
    rows = len(lanes[0].leaks)
    rest = TOP_PX + COUNTS_PX + rows * ROW_PX + BOTTOM_PX
    scale = min(max((HEIGHT_PX - rest) / most, ROUND_TRIP_PX[0]), ROUND_TRIP_PX[1])
    bottom = max(TOP_PX + most * scale, HEIGHT_PX - rest + TOP_PX)
    height = rest - TOP_PX + bottom
    figure = new_picture(shown(alt_text(lanes, hide_round_trips)), WIDTH_PX / 100, height / 100)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xlim(0, WIDTH_PX)
    axes.set_ylim(height, 0)
    axes.set_axis_off()
    _write(axes, 16, 24, "One letter, handed over in different ways", size=17, bold=True)
    _legend(axes, any(each.first_protected is not None for each in lanes))
    if not hide_round_trips:
        _axis(axes, most, scale, {each.round_trip_s for each in lanes})
    width = (WIDTH_PX - LEFT_PX) / len(lanes)
    table = bottom + COUNTS_PX
    for index, each in enumerate(lanes):
        left = LEFT_PX + index * width
        _draw_lane(axes, each, left, width, scale)
        _draw_counts(axes, each, left, width, bottom + 25, hide_round_trips)
        _draw_leaks(axes, each, left, width, table)
    for number, leak in enumerate(lanes[0].leaks):
        y = table + (number + 0.5) * ROW_PX
        _write(axes, 16, y, leak.what, size=12.5)
        if number % 2 == 0:
            axes.axhspan(y - ROW_PX / 2, y + ROW_PX / 2, color=GROUND, zorder=0)
    if not hide_round_trips:
        _write(axes, 16, bottom + 25, "round trips", size=13, bold=True)
    _write(axes, 16, table - 13, "A listener learned", size=13, bold=True)
    return figure


def _write(axes: Any, x: float, y: float, text: str, *, size: float, bold: bool = False, **look: Any) -> None:
    options: dict[str, Any] = {"va": "center", "ha": "left", "color": INK, "zorder": 6}
    weight = "bold" if bold else "normal"
    axes.text(x, y, text, fontsize=size, fontweight=weight, parse_math=False, **options | look)


def _legend(axes: Any, marked: bool) -> None:
    x = WIDTH_PX - 16
    entries = [("readable", "readable on the path"), ("protected", "inside TLS"), ("first", "first protected word")]
    for name, words in reversed(entries if marked else entries[:1]):
        x -= width_px(words, 12)
        _write(axes, x, 24, words, size=12)
        if name == "first":
            axes.plot([x - 14], [24], marker="D", markersize=8, color=STYLES["protected"].color)
            x -= 48
        else:
            look = STYLES[name]
            axes.plot([x - 44, x - 8], [24, 24], color=look.color, linestyle=look.line, linewidth=2.2)
            x -= 68


def _axis(axes: Any, most: float, scale: float, round_trips_s: Collection[float]) -> None:
    _write(axes, 120, TOP_PX - 14, "round trips", size=12, style="italic", ha="right")
    for count in range(int(most) + 1):
        y = TOP_PX + count * scale
        axes.plot([LEFT_PX - 44, WIDTH_PX - 12], [y, y], color="#d8d2c0", linewidth=1.0, zorder=0)
        lower = y + (5 if count == 0 else 0)
        _write(axes, LEFT_PX - 52, lower, str(count), size=13, bold=True, ha="right")
        if len(round_trips_s) == 1:  # all the links are equally long: the same axis in time
            _write(axes, 86, lower, f"{count * 1000 * max(round_trips_s):.0f} ms", size=12, ha="right")


def _ends(left: float, width: float) -> tuple[float, float]:
    margin = 34 if width > 300 else 28
    return left + margin, left + width - margin


def _draw_lane(axes: Any, each: Lane, left: float, width: float, scale: float) -> None:
    from matplotlib.patches import Rectangle

    client, server = _ends(left, width)
    bottom = TOP_PX + max(arrow.to_rt for arrow in each.arrows) * scale
    for x, name, side in ((client, "client", "left"), (server, "server", "right")):
        axes.plot([x, x], [TOP_PX, bottom + 8], color="#9a927c", linewidth=1.4, zorder=1)
        _write(axes, x, TOP_PX - 12, name, size=12, ha="center" if width > 300 else side)
    name = shown(each.name)
    size = next((size for size in (15.0, 14.0, 13.0) if width_px(name, size, bold=True) <= width - 16), 12.0)
    _write(axes, left + width / 2, 54, cut(name, width - 16, size, bold=True), size=size, bold=True, ha="center")
    if each.handshake is not None:
        y0, y1 = (TOP_PX + rt * scale for rt in each.handshake)
        axes.add_patch(Rectangle((client, y0), server - client, y1 - y0, facecolor=GROUND, zorder=1, linewidth=1.2,
                                 edgecolor=STYLES["protected"].color, hatch="//"))  # fmt: skip
        words = f"{each.protection.split('(')[-1].rstrip(')').replace('v', ' ')} handshake"
        _label(axes, (client + server) / 2, (y0 + y1) / 2, words, STYLES["protected"].color, bold=True)
    for arrow in each.arrows:
        look = STYLES["protected" if arrow.kind == "protected" else "readable"]
        color = "#666666" if arrow.kind == "tcp" else look.color
        x0, x1 = (client, server) if arrow.to_server else (server, client)
        y0, y1 = TOP_PX + arrow.from_rt * scale, TOP_PX + arrow.to_rt * scale
        axes.annotate("", xy=(x1, y1), xytext=(x0, y0), zorder=2, arrowprops={
            "arrowstyle": "-|>", "color": color, "linestyle": look.line if arrow.kind != "tcp" else "dotted",
            "linewidth": 2.2, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 14})  # fmt: skip
        text = ("TLS: " if arrow.kind == "protected" else "") + arrow.text
        text = cut(text, server - client - 24, 12)
        _label(axes, (x0 + x1) / 2, (y0 + y1) / 2, text, color)
    first = next((arrow for arrow in each.arrows if arrow.kind == "protected"), None)
    if first is not None:
        axes.plot([client if first.to_server else server], [TOP_PX + first.from_rt * scale], marker="D", markersize=9,
                  color=STYLES["protected"].color, zorder=7)  # fmt: skip


def _label(axes: Any, x: float, y: float, text: str, color: str, *, bold: bool = False) -> None:
    box = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
    _write(axes, x, y, text, size=12, bold=bold, ha="center", color=color, bbox=box)


def _draw_counts(axes: Any, each: Lane, left: float, width: float, y: float, hide: bool) -> None:
    mail, last = (
        "?" if hide else "\N{EN DASH}" if count is None else f"{count:g}" for count in (each.until_mail, each.until_250)
    )
    words = f"until MAIL: {mail}    until 250: {last}" if width > 300 else f"MAIL: {mail}   250: {last}"
    _write(axes, left + width / 2, y, words, size=14, bold=True, ha="center")
    first = each.first_protected
    since = "protected from round trip" if width > 300 else "protected from"
    told = "no word is protected" if first is None else "?" if hide else f"\N{BLACK DIAMOND} {since} {first:g} on"
    _write(axes, left + width / 2, y + 24, told, size=12.5, ha="center")


def _draw_leaks(axes: Any, each: Lane, left: float, width: float, top: float) -> None:
    for number, leak in enumerate(each.leaks):
        look = STYLES["readable" if leak.seen == "read" else "protected"]
        color = INK if leak.seen == "not sent" else look.color
        y, bold = top + (number + 0.5) * ROW_PX, leak.seen == "read"
        x = _ends(left, width)[0]
        words = cut(leak.words, left + width - x - 6, 12.5, bold=bold)
        _write(axes, x, y, words, size=12.5, color=color, bold=bold)
