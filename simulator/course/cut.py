"""From the source of a unit to what a learner gets and what a teacher gets. Pure: texts in, texts out.

Marks in the code of lesson.py:

    answer = 4  # solution                      becomes   answer = ...  # not answered yet
    # solution begins: answer                   becomes   answer = ...  # not answered yet
    (lines) and then  # solution ends

Markdown cells with the tag "solution" are for teachers only. A cell without a tag is core.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from simulator.errors import UsageError

Audience = Literal["learner", "teacher"]
NOT_ANSWERED = "...  # not answered yet"
KINDS = ("core", "if-time", "extension")
"""Tags of cells: in every class, in a long one, at home."""
_MARKED = re.compile(r"^(\s*[A-Za-z_]\w*\s*=\s*).*#\s*solution\s*$")
_BEGINS, _ENDS = re.compile(r"^(\s*)# solution begins(?:: *(\w+))?\s*$"), re.compile(r"^\s*# solution ends\s*$")


def cut(code: str, audience: Audience, where: str = "lesson") -> str:
    """Return a code cell without its answers, or for a teacher without its marks.

    Raises UsageError for a block that does not end, or ends without having begun.
    """
    return "\n".join(_cut(code.split("\n"), audience, where))


def _cut(lines: list[str], audience: Audience, where: str) -> Iterator[str]:
    inside: str | None = None
    for number, line in enumerate(lines, 1):
        begins = _BEGINS.match(line)
        if begins:
            if inside is not None:
                raise UsageError(f"{where}, line {number} of a cell: a solution begins inside a solution.")
            inside = begins[1]
            if audience == "learner":
                yield inside + (f"{begins[2]} = " if begins[2] else "") + NOT_ANSWERED
        elif _ENDS.match(line):
            if inside is None:
                raise UsageError(f"{where}, line {number} of a cell: a solution ends that never began.")
            inside = None
        elif inside is not None:
            if audience == "teacher":
                yield line
        else:
            marked = _MARKED.match(line)
            if marked is None:
                if line.rstrip().endswith("# solution"):
                    raise UsageError(
                        f"{where}: only a line like 'name = value  # solution' can be cut, not {line.strip()!r}."
                    )
                yield line
            else:
                yield marked[1] + NOT_ANSWERED if audience == "learner" else re.sub(r"\s*#\s*solution\s*$", "", line)
    if inside is not None:
        raise UsageError(f"{where}: a solution begins and does not end; write '# solution ends' behind it.")


def kind_of(tags: list[str], where: str = "lesson") -> str:
    """Return whether a cell is core, if-time or extension. Raises UsageError for an unknown tag."""
    unknown = [tag for tag in tags if tag not in (*KINDS, "solution")]
    if unknown:
        raise UsageError(f"{where}: a cell has the tag {unknown[0]!r}; there are {', '.join(KINDS)} and solution.")
    return next((tag for tag in tags if tag in KINDS), "core")
