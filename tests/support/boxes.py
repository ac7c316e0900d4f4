"""Measures the texts of a figure: none on top of another, none outside, none too small."""

from __future__ import annotations

from itertools import combinations
from typing import Any


def texts_of(figure: Any) -> list[Any]:
    """Return the texts that are drawn, after drawing them."""
    figure.canvas.draw()
    return [text for axes in figure.axes for text in axes.texts if text.get_text().strip() and text.get_visible()]


def overlapping_texts(figure: Any) -> list[tuple[str, str]]:
    """Return the pairs of texts whose boxes share more than a margin of 1.5 pixels."""
    boxes = [(text.get_text(), text.get_window_extent().padded(-1.5)) for text in texts_of(figure)]
    return [(one, other) for (one, a), (other, b) in combinations(boxes, 2) if a.overlaps(b)]


def texts_outside(figure: Any) -> list[str]:
    """Return the texts that are not wholly inside the picture."""
    width, height = figure.get_size_inches() * figure.dpi
    found = []
    for text in texts_of(figure):
        box = text.get_window_extent()
        if box.x0 < 0 or box.y0 < 0 or box.x1 > width or box.y1 > height:
            found.append(text.get_text())
    return found


def assert_legible(figure: Any) -> None:
    """Raise AssertionError when a figure of 1280 x 720 cannot be read from the back of a room."""
    assert tuple(figure.get_size_inches() * figure.dpi) == (1280, 720)
    assert overlapping_texts(figure) == []
    assert texts_outside(figure) == []
    assert min(text.get_fontsize() for text in texts_of(figure)) >= 12
    assert not any(text.get_parse_math() for text in texts_of(figure)), "a text could be taken for a formula"
    assert figure.alt_text
