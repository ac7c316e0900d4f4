"""Octets made visible: text stays text, every odd octet is shown by its number."""

from __future__ import annotations


def readable(octets: bytes) -> list[str]:
    """Return octets as lines of text in which every odd octet is visible."""
    lines = octets.split(b"\r\n")
    if lines and not lines[-1]:
        lines.pop()
    return [
        "".join(
            c if c.isprintable() else "".join(f"\\x{o:02x}" for o in c.encode("utf-8", "surrogateescape"))
            for c in line.decode("utf-8", "surrogateescape")
        )
        for line in lines
    ]
