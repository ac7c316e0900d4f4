"""The glossary: terms in plain words, linked from the units and back. Pure but for reading one file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from simulator.errors import UsageError

LINK = re.compile(r"\[\[([^\]|]+)(?:\|([^\]]+))?\]\]")
"""[[term]] or [[term|words in the text]]."""


@dataclass(frozen=True, slots=True)
class Term:
    """One entry."""

    name: str
    text: str

    @property
    def anchor(self) -> str:
        """Where it stands on the page, as Markdown viewers make it from the heading."""
        return anchor(self.name)


def anchor(name: str) -> str:
    """Return the anchor of a heading: small letters, blanks as hyphens, no other signs."""
    return re.sub(r"[^\w\- ]", "", name.lower()).replace(" ", "-")


def read_glossary(path: Path) -> dict[str, Term]:
    """Return the terms by their names in small letters. Raises UsageError for a term that stands there twice."""
    terms: dict[str, Term] = {}
    for part in re.split(r"^## ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        name, _, text = part.partition("\n")
        if name.strip().lower() in terms:
            raise UsageError(f"{path.name}: the term {name.strip()!r} stands there twice.")
        terms[name.strip().lower()] = Term(name.strip(), text.strip())
    return terms


def link(text: str, terms: Mapping[str, Term], address: Callable[[Term], str], where: str) -> str:
    """Turn [[term]] into links. Raises UsageError for a term that the glossary does not have."""

    def linked(found: re.Match[str]) -> str:
        term = terms.get(found[1].strip().lower())
        if term is None:
            raise UsageError(f"{where}: the glossary has no term {found[1]!r}.")
        return f"[{found[2] or found[1]}]({address(term)})"

    return LINK.sub(linked, text)


def used(text: str) -> list[str]:
    """Return the terms that a text links to, in small letters."""
    return [found[1].strip().lower() for found in LINK.finditer(text)]


def page(terms: Mapping[str, Term], uses: Mapping[str, Iterable[tuple[str, str]]], introduction: str) -> str:
    """Return the glossary as one Markdown page; `uses` maps a term to (title, address) of the units that link to it."""
    parts = [introduction.strip(), ""]
    for key in sorted(terms):
        term = terms[key]
        parts += [f"## {term.name}", "", term.text, ""]
        found = list(dict.fromkeys(uses.get(key, ())))
        if found:
            parts += ["Used in: " + ", ".join(f"[{title}]({address})" for title, address in found) + ".", ""]
    return "\n".join(parts).rstrip() + "\n"
