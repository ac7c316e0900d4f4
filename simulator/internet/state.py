"""The folder in which an internet keeps what must outlast a run: mailboxes, queues, the certificate authority [IO]."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import IO

from simulator.errors import UsageError
from simulator.relay.spool import Spool
from simulator.tls.authority import Authority

CA_FILE = "ca.pem"
"""The certificate that clients have to trust."""
CA_KEY_FILE = "ca-with-key.pem"
LOCK_FILE = "in-use"


class State:
    """One folder for one running internet; without a folder, a temporary one that goes at the end.

    Raises UsageError when the folder cannot be written, or when another internet runs on it.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self.durable = folder is not None
        self.folder = _usable(Path(folder)) if folder is not None else Path(tempfile.mkdtemp(prefix="simulator-"))
        self._lock = _locked(self.folder / LOCK_FILE) if self.durable else None

    def authority(self) -> Authority:
        """Return the certificate authority of the last run; a new one when there is none."""
        if not self.durable:
            return Authority()
        kept = self.folder / CA_KEY_FILE
        try:
            if kept.exists():
                return Authority(pem=kept.read_bytes())
            authority = Authority()
            # Others on this machine must not be able to read the key.
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
            with open(os.open(kept, flags, 0o600), "wb") as file:
                file.write(authority.pem)
            return authority
        except UsageError as error:
            self.close()
            raise UsageError(f"{error} The file is {kept}.") from error
        except OSError as error:
            self.close()
            raise UsageError(f"{kept} cannot be read or written ({error.strerror or error}).") from error

    def write_ca_file(self, authority: Authority) -> Path:
        """Write the certificate that clients have to trust; return where it is."""
        path = self.folder / CA_FILE
        path.write_bytes(authority.certificate_pem)
        return path

    def spool(self, host: str, now: Callable[[], datetime], loop_time: Callable[[], float]) -> Spool:
        """Return the queue of one host."""
        return Spool(self.folder / "queue" / host, now, loop_time)

    def close(self) -> None:
        """Let the folder go; a temporary one is removed."""
        if self._lock is not None:
            self._lock.close()  # the file stays: removing it could take a lock away that somebody else has just got
        if not self.durable:
            shutil.rmtree(self.folder, ignore_errors=True)


def _usable(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(
            f"The folder {folder} cannot be written ({error.strerror or error}); choose another one."
        ) from error
    return folder


def _locked(path: Path) -> IO[bytes]:
    """Return a lock that ends with this process, however it ends."""
    file = open(path, "ab")  # noqa: SIM115 - it stays open for as long as the lock is to hold
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise UsageError(
            f"The folder {path.parent} is in use by another running internet; stop that one or choose another folder."
        ) from error
    return file
