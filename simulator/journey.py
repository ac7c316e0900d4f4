"""What a learner holds after sending: the trace of one message, with the views and exports that read it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator.errors import PlanError, UsageError
from simulator.export.transcript import transcript
from simulator.protocol.dialogue import read_connection
from simulator.protocol.round_trips import round_trips
from simulator.trace import store
from simulator.trace.events import Command, Event, MessageComposed, MessageStored, RecipientResult
from simulator.trace.trace import Trace
from simulator.views.figures import draw, figure_and_file
from simulator.views.hops import Hop, hops

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one recipient."""

    recipient: str
    result: str
    """"delivered", "deferred" or "failed"."""
    code: int | None = None
    enhanced: str = ""
    text: str = ""
    by: str = ""
    """The host whose words these are."""

    @property
    def temporary(self) -> bool:
        """It may still arrive: the message waits in a queue."""
        return self.result == "deferred"

    def __str__(self) -> str:
        said = " ".join(str(part) for part in (self.code, self.enhanced, self.text) if part)
        return self.result + (f": {said}" if said else "") + (f" [{self.by}]" if self.by else "")


class Outcomes(dict[str, Outcome]):
    """What became of each recipient, shown one to a line."""

    def __repr__(self) -> str:
        width = max(map(len, self), default=0)
        return "\n".join(f"{recipient:<{width}}  {outcome}" for recipient, outcome in self.items())

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))


_FINAL = {"delivered": "delivered", "deferred": "deferred", "failed": "failed"}


class Page:
    """The player of a journey, as a notebook shows it."""

    def __init__(self, trace: Trace, options: dict[str, Any]) -> None:
        self._trace, self._options = trace, options

    def _repr_html_(self) -> str:
        from simulator.export.html import fragment

        return fragment(self._trace, **self._options)

    def __repr__(self) -> str:
        return transcript(self._trace, most_data_lines=12)


class Journey:
    """One message on its way over all hops. Everything it tells is computed from its trace."""

    def __init__(self, trace: Trace, message: str | None = None) -> None:
        self.trace = trace
        self.message = message

    @classmethod
    def load(cls, path: str | Path) -> Journey:
        """Read a saved journey. Raises PlanError with what is wrong in the file."""
        trace = store.load(path)
        labels = trace.messages
        if not labels:
            raise PlanError(f"The trace {path} holds no message.")
        return cls(trace, labels[0] if len(labels) == 1 else None)

    # --- reading -----------------------------------------------------------------------------------------------------

    @property
    def hops(self) -> tuple[Hop, ...]:
        """The SMTP connections in order; the first one is the submission."""
        return hops(self.trace)

    @property
    def events(self) -> tuple[Event, ...]:
        """All events, recorded and spoken (both ends), in order."""
        spoken = [
            event
            for log in self.trace.connections.values()
            if log.transport == "tcp" and log.server_port != 53
            for seen_by in ("client", "server")
            for event in read_connection(self.trace, log.number, seen_by)
        ]
        return tuple(sorted([*self.trace.events, *spoken], key=lambda event: event.number))

    @property
    def outcomes(self) -> Outcomes:
        """What became of each recipient so far."""
        found = Outcomes()
        for composed in self.trace.of(MessageComposed):
            for recipient in composed.recipients:
                found.setdefault(recipient, Outcome(recipient, "deferred", text="it has not left yet"))
        for event in self.trace.events:
            if isinstance(event, RecipientResult) and event.result in _FINAL:
                if found.get(event.recipient, Outcome("", "")).result == "delivered":
                    continue
                found[event.recipient] = Outcome(
                    event.recipient, event.result, event.code, event.enhanced, event.text, event.by
                )
        return found

    @property
    def delivered(self) -> bool:
        """True when every recipient has it."""
        return bool(self.outcomes) and all(outcome.result == "delivered" for outcome in self.outcomes.values())

    @property
    def mailboxes(self) -> tuple[str, ...]:
        """The mailboxes in which the message lies."""
        return tuple(event.mailbox for event in self.trace.of(MessageStored))

    def round_trips(self, hop: int = 1, until: str = "250") -> int | float:
        """Count round trips from the SYN of a hop, without DNS, by the recorded octets.

        `until="MAIL"`: when the client put MAIL FROM on the wire; `until="250"`: when the reply after the final dot had
        arrived. An integer wherever the time between is a whole number of round trips. Raises UsageError when that
        moment never came, or when the link has no latency.
        """
        return round_trips(self.trace, self._hop(hop).log.number, until)

    def _hop(self, number: int) -> Hop:
        found = self.hops
        if not 1 <= number <= len(found):
            raise UsageError(f"This journey has {len(found)} SMTP connections; there is no hop {number}.")
        return found[number - 1]

    # --- looking -----------------------------------------------------------------------------------------------------

    def transcript(self) -> str:
        """Return the dialogue of every hop: `->` `<-` in clear, `~>` `<~` inside TLS."""
        return transcript(self.trace)

    def figure(self, name: str, **options: Any) -> Figure:
        """Draw one figure by its name: see `simulator.views.figures.FIGURES`. Raises UsageError."""
        return draw(name, self.trace, **options)

    def map(self) -> Figure:
        """Draw who spoke to whom."""
        return self.figure("map")

    def ladder(self, lens: str | None = None, hop: int | None = None, page: int = 1) -> Figure:
        """Draw who said what, time downwards.

        `lens`: what "sender", "receiver", "listener", "listener:1" (of hop 1) or "operator:mx.bob.example" has of it;
        `hop`: one SMTP connection only; `page`: long journeys have several.
        """
        return self.figure("ladder", lens=lens, hop=hop, page=page)

    def names(self, domain: str | None = None) -> Figure:
        """Draw the way through the DNS to the hosts that take the mail of `domain`."""
        return self.figure("names", domain=domain)

    def wire(self, hop: int = 1, page: int = 1) -> Figure:
        """Draw the octets of one SMTP connection as a listener has them, record by record."""
        return self.figure("wire", connection=self._hop(hop).log.number, page=page)

    def readers(self) -> Figure:
        """Draw who could read what."""
        return self.figure("readers")

    def envelope(self) -> Figure:
        """Draw the envelope beside the letter, and where each recipient's copy went."""
        return self.figure("envelope")

    def timeline(self) -> Figure:
        """Draw what happened when, up to days."""
        return self.figure("timeline")

    def custody(self) -> Figure:
        """Draw who was responsible for the message at each instant."""
        return self.figure("custody")

    def __repr__(self) -> str:
        return transcript(self.trace, most_data_lines=12)

    def player(self, lens: str | None = None, **options: Any) -> Page:
        """Return the player for a notebook: step through the journey, forward and back.

        `lens` as for `ladder`; `present=True` for a projector; `asks` stops with questions (see
        `simulator.views.player.asks.Ask`).
        """
        return Page(self.trace, {"lens": lens, **options})

    def _repr_html_(self) -> str:
        return self.player()._repr_html_()

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))

    # --- taking away -------------------------------------------------------------------------------------------------

    def save(self, path: str | Path, *, share: bool = False) -> Path:
        """Write the journey as JSON lines. With `share`, without TLS keys and without the lines of AUTH."""
        masks = tuple(
            event.span
            for event in self.events
            if share and isinstance(event, Command) and event.verb in ("AUTH", "*AUTH")
        )
        store.save(
            self.trace, path, extra_events=[event for event in self.events if event.spoken], masks=masks, share=share
        )
        return Path(path)

    def export(self, path: str | Path, *, keys: bool = True, **options: Any) -> Path:
        """Write the journey in the form that the ending of `path` names.

        .jsonl, .txt, .html (the player), .pcapng (for Wireshark; with the TLS keys inside unless `keys=False`), .keys
        (a key log), .png and .svg: the figure that the file's name names, such as "ladder.png", else the map. Raises
        UsageError for another ending, or when the file cannot be written.
        """
        path = Path(path)
        writers: dict[str, Callable[[], object]] = {
            ".jsonl": lambda: self.save(path),
            ".txt": lambda: path.write_text(self.transcript(), encoding="utf-8", newline="\n"),
            ".html": lambda: path.write_text(self._page(**options), encoding="utf-8", newline="\n"),
            ".pcapng": lambda: path.write_bytes(self._capture(keys)),
            ".keys": lambda: path.write_text(self._key_log(), encoding="ascii", newline="\n"),
            ".png": lambda: self._picture(path, **options),
            ".svg": lambda: self._picture(path, **options),
        }
        writer = writers.get(path.suffix.lower())
        if writer is None:
            raise UsageError(
                f"There is no export to {path.suffix or 'a file without an ending'}; "
                f"possible endings are {', '.join(writers)}."
            )
        try:
            writer()
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error.strerror or error}.") from error
        return path

    def _page(self, **options: Any) -> str:
        from simulator.export.html import page

        return page(self.trace, **options)

    def _capture(self, keys: bool) -> bytes:
        from simulator.export.pcapng import pcapng

        return pcapng(self.trace, keys=keys)

    def _key_log(self) -> str:
        from simulator.export.pcapng import key_log

        return key_log(self.trace)

    def _picture(self, path: Path, **options: Any) -> None:
        name, file = figure_and_file(str(path))
        self.figure(name, **options).savefig(file)
