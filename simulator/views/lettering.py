"""Text on pictures: made visible, measured and cut to fit, so that no words run into each other.

Pictures that use this file count in pixels of a 1280 x 720 picture: x to the right, y downwards.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from simulator.errors import UsageError
from simulator.views.picture import new_picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAGE_WIDTH, PAGE_HEIGHT = 1280.0, 720.0
SIZE_PT = 12.5
"""Ordinary text; never smaller than 12 pt, so that it can be read from the back of a room."""
TITLE_PT = 17.0
LINE_PX = 21.0
"""From one line of ordinary text to the next."""
INK = "#1a1a1a"
_PX_PER_PT = 100 / 72
_SPARE = 1.03
"""A renderer rounds the width of every letter."""


def shown(text: str) -> str:
    """Return text with every odd character visible: control characters, lone surrogates, marks of direction."""
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def clock(at_s: float) -> str:
    """Return a time since some start in words that are short, such as "0.340 s", "30 min 31 s" or "2 d 3 h"."""
    if round(at_s, 3) < 60:
        return f"{at_s:.3f} s"
    whole = round(at_s)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def new_page(alt_text: str, title: str) -> tuple[Figure, Axes]:
    """Return a picture with a title, and axes that count in pixels. Raises UsageError when matplotlib is missing."""
    figure = new_picture(shown(alt_text))
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xlim(0, PAGE_WIDTH)
    axes.set_ylim(PAGE_HEIGHT, 0)
    axes.set_axis_off()
    write(axes, 20, 26, cut(title, PAGE_WIDTH - 40, TITLE_PT, bold=True), fontsize=TITLE_PT, fontweight="bold")
    return figure, axes


def write(axes: Axes, x: float, y: float, text: str, **look: Any) -> None:
    """Write one or more lines at a point, from there to the right unless `look` says otherwise. Never as a formula."""
    options: dict[str, Any] = {"fontsize": SIZE_PT, "color": INK, "ha": "left", "va": "center", "linespacing": 1.15}
    axes.text(x, y, text, parse_math=False, **options | look)


def width_px(text: str, size_pt: float = SIZE_PT, *, bold: bool = False) -> float:
    """Return how wide one line of text is on the picture."""
    font, to_path, _ = _font(bold)
    font.set_size(size_pt)
    return float(to_path.get_text_width_height_descent(text, font, False)[0]) * _PX_PER_PT * _SPARE


def cut(text: str, width: float, size_pt: float = SIZE_PT, *, bold: bool = False) -> str:
    """Return text that can be drawn and is not wider than `width` pixels; "…" stands for what was cut off."""
    text = _drawable(text)
    if width_px(text, size_pt, bold=bold) <= width:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        fits = width_px(text[:middle] + "…", size_pt, bold=bold) <= width
        low, high = (middle, high) if fits else (low, middle - 1)
    return text[:low].rstrip() + "…"


def wrapped(text: str, width: float, most_lines: int = 2, size_pt: float = SIZE_PT) -> list[str]:
    """Return text in at most `most_lines` lines of at most `width` pixels; the last one is cut if need be."""
    words, lines = _drawable(text).split(" "), list[str]()
    while words:
        if len(lines) == most_lines - 1:
            lines.append(cut(" ".join(words), width, size_pt))
            break
        count = 1
        while count < len(words) and width_px(" ".join(words[: count + 1]), size_pt) <= width:
            count += 1
        lines.append(cut(" ".join(words[:count]), width, size_pt))
        del words[:count]
    return lines


def _drawable(text: str) -> str:
    """Return text whose characters all have a shape in the font; the others are named by their numbers."""
    shapes = _font(False)[2]
    return "".join(c if ord(c) in shapes else _escaped(c) for c in shown(text))


@cache
def _font(bold: bool) -> tuple[Any, Any, frozenset[int]]:
    try:
        from matplotlib.font_manager import FontProperties, findfont, get_font
        from matplotlib.textpath import TextToPath
    except ImportError as error:
        raise UsageError(
            "Pictures need the package matplotlib; install it with: python -m pip install -r requirements.txt"
        ) from error
    font = FontProperties(weight="bold" if bold else "normal")
    return font, TextToPath(), frozenset(get_font(findfont(font)).get_charmap())
