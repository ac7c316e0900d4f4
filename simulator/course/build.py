"""Builds notebooks from lessons/: one for learners, one solved for teachers. The same source gives the same files."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

from simulator.course.cut import Audience, cut, kind_of
from simulator.course.glossary import Term, link, page, read_glossary, used

ROOT = Path(__file__).resolve().parent.parent.parent
LESSONS = ROOT / "lessons"
NOTEBOOKS = ROOT / "notebooks"
GLOSSARY = LESSONS / "glossary.md"
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
SOLVED = "solved"
"""Folder of the teachers' notebooks, inside that of the learners'."""


def lessons() -> dict[str, Path]:
    """Return the lessons by name, such as "00_start_here", in order."""
    return {path.parent.name: path for path in sorted(LESSONS.glob("[0-9][0-9]_*/lesson.py"))}


def title_of(lesson: Path) -> str:
    """Return the first heading of a lesson."""
    found = re.search(r"^# # (.+)$", lesson.read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else lesson.parent.name


def notebook(lesson: Path, audience: Audience, glossary: str = "../docs/glossary.md") -> Any:
    """Return the notebook that a lesson becomes for one audience; `glossary` is where its links lead."""
    import jupytext
    import nbformat

    made = jupytext.reads(lesson.read_text(encoding="utf-8"), fmt="py:percent")
    made.metadata = nbformat.from_dict({"kernelspec": KERNEL, "language_info": {"name": "python"}})  # type: ignore[no-untyped-call]
    terms = read_glossary(GLOSSARY) if GLOSSARY.exists() else {}
    cells: list[Any] = []
    for cell in made.cells:
        tags, where = list(cell.metadata.get("tags", [])), lesson.parent.name
        if "solution" in tags and audience == "learner":
            continue
        if cell.cell_type == "code":
            cell.source = cut(cell.source, audience, where)
        else:
            cell.source = link(cell.source, terms, lambda term: f"{glossary}#{term.anchor}", where)
        cell["id"] = f"cell-{len(cells):03}"  # nbformat draws random ones
        cell["metadata"] = {"tags": [kind_of(tags, where)]} if tags else {}
        cells.append(cell)
    made.cells = cells
    return made


def notebook_text(lesson: Path, audience: Audience = "learner") -> str:
    """Return the same as the text of an .ipynb file."""
    import nbformat

    above = "../../docs/glossary.md" if audience == "teacher" else "../docs/glossary.md"
    made = notebook(lesson, audience, above)
    return str(nbformat.writes(made, version=nbformat.NO_CONVERT)) + "\n"  # type: ignore[no-untyped-call]


def files() -> dict[Path, str]:
    """Return everything that a build writes: place relative to the repository -> text."""
    made: dict[Path, str] = {}
    for name, lesson in lessons().items():
        made[Path("notebooks") / f"{name}.ipynb"] = notebook_text(lesson)
        made[Path("notebooks") / SOLVED / f"{name}.ipynb"] = notebook_text(lesson, "teacher")
    if GLOSSARY.exists():
        made[Path("docs/glossary.md")] = glossary_page()
    return made


def glossary_page() -> str:
    """Return the glossary with its links back to the units."""
    terms: dict[str, Term] = read_glossary(GLOSSARY)
    uses: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for name, lesson in lessons().items():
        for term in used(lesson.read_text(encoding="utf-8")):
            uses[term].append((title_of(lesson), f"../notebooks/{name}.ipynb"))
    introduction = GLOSSARY.read_text(encoding="utf-8").partition("\n## ")[0]
    return page(terms, uses, introduction)


def build(into: Path = ROOT) -> list[Path]:
    """Write everything; return the files."""
    written = []
    for place, text in files().items():
        target = into / place
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8", newline="\n")
        written.append(target)
    return written


def stale(root: Path = ROOT) -> list[Path]:
    """Return the files that are not what their lessons make."""
    return [
        root / place
        for place, text in files().items()
        if not (root / place).is_file() or (root / place).read_text(encoding="utf-8") != text
    ]
