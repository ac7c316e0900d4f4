"""A running `serve` for tests that come from outside."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def wait_for(condition: Callable[[], Any], what: str, timeout_s: float = 30.0) -> Any:
    """Wait until something has come true."""
    end = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < end, f"{what} did not happen"
        time.sleep(0.02)
    return found


class Serving:
    """A running `serve` and what its ready file says."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.ready = folder / "ready.json"
        self.log = folder / "log.txt"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "simulator", "serve", "--ready-file", str(self.ready), *options],
                stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        wait_for(lambda: self.ready.exists() or self.process.poll() is not None, "getting ready")
        assert self.process.poll() is None, self.log.read_text()
        self.facts = json.loads(self.ready.read_text())

    def place(self, role: str, host: str, transport: str = "tcp") -> tuple[str, int]:
        for service in self.facts["services"]:
            if (service["role"], service["host"], service["transport"]) == (role, host, transport):
                return service["real_address"], service["real_port"]
        raise KeyError((role, host))

    def letters(self, address: str = "bob@bob.example") -> list[Path]:
        return sorted((Path(self.facts["mailboxes"][address]) / "new").iterdir())

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)
