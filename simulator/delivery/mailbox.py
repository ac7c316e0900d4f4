"""Mailboxes as Maildir folders: one file per message, octet for octet what was delivered, readable by any mail program.

A Maildir is never half written: a message is completed in `tmp` and then moved to `new` in one step.
"""

from __future__ import annotations

import email
import email.policy
import os
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

from simulator.errors import UsageError

FOLDERS = ("tmp", "new", "cur")


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """One message in a mailbox."""

    octets: bytes
    """Exactly what was delivered, with CRLF line ends."""
    path: Path

    @property
    def message(self) -> EmailMessage:
        """The message as Python's email package reads it."""
        return email.message_from_bytes(self.octets, policy=email.policy.default)

    @property
    def subject(self) -> str:
        """The Subject field, decoded."""
        return str(self.message.get("Subject", ""))

    @property
    def text(self) -> str:
        """The plain text of the letter, decoded."""
        body = self.message.get_body(preferencelist=("plain",))
        return str(body.get_content()) if body is not None else ""

    def __repr__(self) -> str:
        return f"<StoredMessage: {self.subject!r}, {len(self.octets)} octets>"

    def __str__(self) -> str:
        return self.octets.decode("utf-8", "replace").replace("\r\n", "\n")


class Mailbox:
    """One Maildir. Folders are made at the first delivery."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._count = 0

    def prepare(self) -> None:
        """Make the folders, so that other programs can watch them. Raises UsageError when that is not possible."""
        try:
            for folder in FOLDERS:
                (self.path / folder).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"The mailbox {self.path} cannot be written: {error.strerror or error}.") from error

    def deliver(self, octets: bytes, queue_id: str, *, durable: bool = False) -> Path:
        """File one message; with `durable`, only return when it is on the disk.

        Raises UsageError when the folder cannot be written; then nothing is left behind.
        """
        part: Path | None = None
        self.prepare()
        try:
            # Unique without the clock of the machine; no ":" because Windows forbids it in file names.
            name, self._count = self._free_name(queue_id), self._count + 1
            part = self.path / "tmp" / name
            with open(part, "xb") as file:
                file.write(octets)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            done = self.path / "new" / name
            os.replace(part, done)
            if durable and hasattr(os, "O_DIRECTORY"):
                _sync_folder(self.path / "new")
            return done
        except OSError as error:
            if part is not None:
                part.unlink(missing_ok=True)
            raise UsageError(f"The mailbox {self.path} cannot be written: {error.strerror or error}.") from error

    def _free_name(self, queue_id: str) -> str:
        number = self._count
        while (self.path / "new" / f"{number:06}.{queue_id}").exists() or (
            self.path / "cur" / f"{number:06}.{queue_id}"
        ).exists():
            number += 1
        return f"{number:06}.{queue_id}"

    def messages(self) -> list[StoredMessage]:
        """Return the messages, oldest first."""
        files = [
            file
            for folder in ("new", "cur")
            if (self.path / folder).is_dir()
            for file in (self.path / folder).iterdir()
            if file.is_file()
        ]
        return [StoredMessage(file.read_bytes(), file) for file in sorted(files, key=lambda file: file.name)]


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
