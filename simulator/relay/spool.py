"""The queue on disk: what was answered with 250 is there after a crash, too (RFC 5321 section 6.1) [IO].

Each message has two files: `ID.eml`, its octets, and `ID.json`, its envelope and what became of each recipient. The
second one counts: it is moved into place last and removed first, so that half a message is never taken for one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from simulator.errors import UsageError
from simulator.relay.queue import QueuedMessage, Recipient, State

VERSION = 1


class Spool:
    """The queue of one server in one folder. `now` is the date of this internet; times on disk are dates."""

    def __init__(self, folder: Path, now: Callable[[], datetime], loop_time: Callable[[], float]) -> None:
        self.folder, self._now, self._loop_time = folder, now, loop_time

    def __contains__(self, queue_id: str) -> bool:
        return self._file(queue_id, "json").exists()

    def keep(self, message: QueuedMessage) -> None:
        """Write a new message; return when it is on the disk. Raises UsageError; then nothing is left behind."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._write(self._file(message.queue_id, "eml"), message.content)
            self._write(self._file(message.queue_id, "json"), self._facts(message))
        except OSError as error:
            for ending in ("json", "eml"):
                self._file(message.queue_id, ending).unlink(missing_ok=True)
            raise UsageError(f"The queue {self.folder} cannot be written: {error.strerror or error}.") from error

    def update(self, message: QueuedMessage) -> None:
        """Write down what became of the recipients; a message that is done leaves the queue.

        A disk that cannot be written costs at worst a second delivery, never a message (RFC 5321 section 4.5.3.2.6).
        """
        try:
            if message.done:
                self._file(message.queue_id, "json").unlink(missing_ok=True)
                self._file(message.queue_id, "eml").unlink(missing_ok=True)
            else:
                self._write(self._file(message.queue_id, "json"), self._facts(message))
        except OSError:
            return  # the older state stays, and with it the message

    def messages(self, new_label: Callable[[], str]) -> Iterator[QueuedMessage | str]:
        """Yield what an earlier run left, oldest first; for a file that cannot be read, one sentence.

        A broken file is renamed, never removed: somebody may still read it.
        """
        if not self.folder.is_dir():
            return
        for part in self.folder.glob("*.part"):
            part.unlink(missing_ok=True)  # never was answered with 250
        for file in sorted(self.folder.glob("*.json"), key=lambda file: (file.stat().st_mtime_ns, file.name)):
            try:
                yield self._read(file, new_label())
            except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                aside = file.with_suffix(".broken")
                os.replace(file, aside)
                yield f"A message in the queue cannot be read ({error}); it was put aside as {aside}."
        for letter in self.folder.glob("*.eml"):
            if not letter.with_suffix(".json").exists() and not letter.with_suffix(".broken").exists():
                letter.unlink(missing_ok=True)

    # --- files -------------------------------------------------------------------------------------------------------

    def _file(self, queue_id: str, ending: str) -> Path:
        return self.folder / f"{queue_id}.{ending}"

    @staticmethod
    def _write(file: Path, octets: bytes) -> None:
        part = file.with_name(f"{file.name}.part")
        try:
            with open(part, "wb") as opened:
                opened.write(octets)
                opened.flush()
                os.fsync(opened.fileno())
            os.replace(part, file)
        except OSError:
            part.unlink(missing_ok=True)
            raise
        if hasattr(os, "O_DIRECTORY"):  # Windows has no handle for folders, and needs none
            folder = os.open(file.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def _facts(self, message: QueuedMessage) -> bytes:
        return json.dumps(
            {
                "version": VERSION,
                "reverse_path": message.reverse_path,
                "queued_at": self._date(message.queued_s),
                "recipients": [
                    {
                        "address": recipient.address,
                        "state": recipient.state.value,
                        "attempts": recipient.attempts,
                        "retry_at": None if recipient.retry_at_s is None else self._date(recipient.retry_at_s),
                    }
                    for recipient in message.recipients
                ],
            },
            indent=1,
        ).encode()

    def _read(self, file: Path, label: str) -> QueuedMessage:
        facts = json.loads(file.read_bytes())
        if facts["version"] != VERSION:
            raise ValueError(f"version {facts['version']} of the queue is not known here")
        message = QueuedMessage(
            queue_id=file.stem,
            label=label,
            reverse_path=str(facts["reverse_path"]),
            content=self._file(file.stem, "eml").read_bytes(),
            queued_s=min(self._moment(facts["queued_at"]), self._loop_time()),
            recipients=[
                Recipient(
                    str(each["address"]),
                    State(each["state"]),
                    int(each["attempts"]),
                    None if each["retry_at"] is None else self._moment(each["retry_at"]),
                )
                for each in facts["recipients"]
            ],
        )
        for recipient in message.recipients:
            recipient.parsed  # noqa: B018 - a broken address is found now, not when it is due
        return message

    def _date(self, at_s: float) -> str:
        return (self._now() + timedelta(seconds=at_s - self._loop_time())).isoformat()

    def _moment(self, date: str) -> float:
        parsed = datetime.fromisoformat(date)
        if parsed.tzinfo is None:
            parsed = parsed.replace(tzinfo=UTC)
        return self._loop_time() + (parsed - self._now()).total_seconds()
