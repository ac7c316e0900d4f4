"""Where every service is: the logical place that the story uses, and the real one that other programs can dial."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, overload


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One service of one host."""

    host: str
    address: str
    port: int
    transport: str
    """"tcp" or "udp"."""
    role: str
    """"submission" (587), "submissions" (465), "mx" (25) or "dns" (53)."""
    tls: str
    """"starttls", "implicit" or "none"."""
    real_address: str | None = None
    """None in memory, where no program from outside can connect."""
    real_port: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields by name, as `--ready-file` writes them."""
        return asdict(self)


HEADINGS = ("host", "logical address", "port", "service", "TLS", "real address", "real port")


class EndpointTable(Sequence[Endpoint]):
    """The endpoints of an internet; prints as a table."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self._endpoints = tuple(endpoints)

    @overload
    def __getitem__(self, index: int) -> Endpoint: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Endpoint]: ...
    def __getitem__(self, index: int | slice) -> Endpoint | Sequence[Endpoint]:
        return self._endpoints[index]

    def __len__(self) -> int:
        return len(self._endpoints)

    def find(self, role: str, host: str | None = None, transport: str = "tcp") -> Endpoint:
        """Return the first endpoint with a role, of one host if given. Raises KeyError."""
        for endpoint in self._endpoints:
            if endpoint.role == role and endpoint.transport == transport and host in (None, endpoint.host):
                return endpoint
        raise KeyError(f"no {role} service{f' on {host}' if host else ''}")

    def rows(self) -> Iterator[tuple[str, ...]]:
        """Yield the cells of the table."""
        for e in self._endpoints:
            yield (
                e.host,
                e.address,
                str(e.port),
                f"{e.role} ({e.transport})",
                e.tls,
                e.real_address or "in memory",
                str(e.real_port or "-"),
            )

    def __repr__(self) -> str:
        rows = [HEADINGS, *self.rows()]
        widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        lines.insert(1, "  ".join("-" * width for width in widths))
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        cells = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in self.rows()
        )
        head = "".join(f'<th scope="col">{heading}</th>' for heading in HEADINGS)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{cells}</tbody></table>"
