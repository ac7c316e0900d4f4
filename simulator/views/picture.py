"""Figures that show themselves in a notebook, with their description for those who cannot see them."""

from __future__ import annotations

import io
from functools import cache
from typing import TYPE_CHECKING, Any

from simulator.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@cache
def _picture_class() -> type[Figure]:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UsageError(
            "Pictures need the package matplotlib; install it with: python -m pip install -r requirements.txt"
        ) from error

    class Picture(Figure):
        """A matplotlib figure with alt text; it needs no pyplot and no display."""

        alt_text = ""

        def _repr_png_(self) -> tuple[bytes, dict[str, Any]]:
            octets = io.BytesIO()
            self.savefig(octets, format="png")
            return octets.getvalue(), {"alt": self.alt_text}

        def __repr__(self) -> str:
            return self.alt_text

    return Picture


def new_picture(alt_text: str, width_in: float = 12.8, height_in: float = 7.2) -> Figure:
    """Return an empty figure, by default 1280 x 720 pixels. Raises UsageError when matplotlib is missing."""
    picture = _picture_class()(figsize=(width_in, height_in), dpi=100)
    picture.alt_text = alt_text  # type: ignore[attr-defined]
    return picture
