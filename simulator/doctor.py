"""Is everything there? Each check says "ok", or in one sentence what to do."""

from __future__ import annotations

import html
import importlib
import importlib.metadata
import platform
import socket
import ssl
import sys
from collections.abc import Callable
from dataclasses import dataclass

from simulator import missing_package

PACKAGES = (
    ("aiosmtpd", "aiosmtpd"),
    ("dns", "dnspython"),
    ("trustme", "trustme"),
    ("cryptography", "cryptography"),
    ("networkx", "networkx"),
    ("matplotlib", "matplotlib"),
    ("jupyterlab", "jupyter"),
    ("jupytext", "jupytext"),
    ("nbclient", "nbclient"),
)
"""(name to import, name to install)."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    what: str
    good: bool
    found: str
    """What is there, or what to do."""


class Report(tuple[Check, ...]):
    """The results of all checks; prints as a table."""

    __slots__ = ()

    @property
    def good(self) -> bool:
        """True when everything is fine."""
        return all(check.good for check in self)

    def __repr__(self) -> str:
        width = max(len(check.what) for check in self)
        return "\n".join(
            f"{'ok ' if check.good else 'NO '}  {check.what.ljust(width)}  {check.found}" for check in self
        )

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{'ok' if c.good else '<b>NO</b>'}</td><td>{html.escape(c.what)}</td>"
            f"<td>{html.escape(c.found)}</td></tr>"
            for c in self
        )
        head = "".join(f'<th scope="col">{heading}</th>' for heading in ("", "what", "found"))
        return f"<table><thead><tr>{head}</tr></thead>{rows}</table>"


def check_installation() -> Report:
    """Check Python, the packages, TLS and the loopback interface."""
    checks = [_python()]
    checks += [_package(module, name) for module, name in PACKAGES]
    checks += [_tried("TLS 1.3", _tls), _tried("sockets on 127.0.0.1", _loopback)]
    return Report(checks)


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    good = sys.version_info >= (3, 11)
    version = f"{version} on {platform.system()} {platform.release()} ({platform.machine()})"
    return Check("Python", good, version if good else f"{version} is too old; install Python 3.11 or newer.")


def _package(module: str, name: str) -> Check:
    try:
        importlib.import_module(module)
        return Check(name, True, importlib.metadata.version(name))
    except ImportError:
        return Check(name, False, missing_package(name))


def _tried(what: str, check: Callable[[], str]) -> Check:
    try:
        return Check(what, True, check())
    except OSError as error:
        return Check(what, False, f"does not work ({error}); is a firewall or a security program in the way?")


def _tls() -> str:
    if not ssl.HAS_TLSv1_3:
        raise OSError("this Python was built without TLS 1.3")
    return ssl.OPENSSL_VERSION


def _loopback() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname(), timeout=5):
        return "work"
