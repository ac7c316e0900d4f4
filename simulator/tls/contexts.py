"""TLS contexts [IO]: they trust the local authority only, remember what asyncio forgets, and are made at first use."""

from __future__ import annotations

import os
import ssl
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from typing import Any, cast

from simulator.errors import UsageError
from simulator.tls.authority import Authority, Certificate, Flaw
from simulator.tls.hello import doubts, read_certificate
from simulator.tls.modes import TlsVersion, parse_versions

_VERSIONS = {TlsVersion.TLS_1_2: ssl.TLSVersion.TLSv1_2, TlsVersion.TLS_1_3: ssl.TLSVersion.TLSv1_3}
BOTH = ("1.2", "1.3")


class KeyLog:
    """Collects the secrets of TLS sessions in the format of SSLKEYLOGFILE, so that captures can be decrypted.

    Server contexts write it, so that sessions of foreign clients are in it too. OpenSSL only writes to a file: it is
    private to this user, open only during handshakes, and deleted by `close` or with the object.
    """

    def __init__(self) -> None:
        handle, self._path = tempfile.mkstemp(prefix="simulator-", suffix=".keys")
        os.close(handle)
        self._delete = weakref.finalize(self, _delete, self._path)

    @property
    def lines(self) -> tuple[str, ...]:
        """All secrets so far, one line each; () after `close`."""
        return self.lines_since(0)

    @property
    def size_octets(self) -> int:
        """How long the log is now; give it to `lines_since` later."""
        return os.stat(self._path).st_size if self._delete.alive else 0

    def lines_since(self, start_octets: int) -> tuple[str, ...]:
        """The secrets that came after the log had this length; () after `close`."""
        if not self._delete.alive:
            return ()
        with open(self._path, "rb") as file:
            file.seek(start_octets)
            return tuple(line for line in file.read().decode("ascii").splitlines() if not line.startswith("#"))

    def close(self) -> None:
        """Delete the file."""
        self._delete()

    @contextmanager
    def attached(self, context: ssl.SSLContext) -> Iterator[None]:
        """Let `context` write here for the moment; a context that stays attached would hold a file descriptor."""
        if not self._delete.alive:
            yield
            return
        context.keylog_filename = self._path
        try:
            yield
        finally:
            context.keylog_filename = cast(str, None)  # the type stubs do not know that None detaches


def _delete(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)


# --- the server's side -----------------------------------------------------------------------------------------------

class ServerTls(ssl.SSLObject):
    """One TLS connection at its server end."""

    asked_name: str | None = None
    """The name that the client asked for (SNI, RFC 6066 section 3)."""

    def do_handshake(self) -> None:
        """Go on with the handshake; secrets are known, and logged, only here."""
        keylog = cast(ServerContext, self.context).keylog
        with keylog.attached(self.context) if keylog else nullcontext():
            super().do_handshake()


class ServerContext(ssl.SSLContext):
    """A server's context: loads its certificate at the first connection, notes the SNI name, feeds a key log."""

    def __new__(cls, *_: Any, **__: Any) -> ServerContext:
        return super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)

    def __init__(self, authority: Authority, names: Sequence[str], versions: Sequence[str] = BOTH,
                 keylog: KeyLog | None = None, flaw: Flaw = Flaw.GOOD) -> None:
        self.keylog = keylog
        self._authority, self._names, self._flaw = authority, tuple(names), flaw
        self._certificate: Certificate | None = None
        _restrict(self, versions)
        self.sslobject_class = ServerTls
        self.sni_callback = _note_server_name

    @property
    def certificate(self) -> Certificate:
        """The certificate that this server shows to everybody, whatever name they ask for."""
        if self._certificate is None:
            self._certificate = self._authority.issue(*self._names, flaw=self._flaw)
        return self._certificate

    def wrap_bio(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, server_side: bool = True,
                 server_hostname: str | bytes | None = None, session: ssl.SSLSession | None = None) -> ssl.SSLObject:
        """Start TLS on one connection (asyncio calls this)."""
        if self._certificate is None:
            _load(self, self.certificate)
        return super().wrap_bio(incoming, outgoing, server_side, server_hostname, session)


def _note_server_name(tls: ssl.SSLSocket | ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
    # RFC 8461 section 7.1, RFC 7672 section 8.1: an absent or unknown name is never refused; returning None goes on
    # with the one certificate that there is.
    cast(ServerTls, tls).asked_name = name


def _load(context: ssl.SSLContext, certificate: Certificate) -> None:
    """Give the context its certificate: `ssl` only takes it from a file (cpython issue 60691)."""
    handle, path = tempfile.mkstemp(prefix="simulator-", suffix=".pem")
    try:
        with open(handle, "wb") as file:
            file.write(certificate.pem)
        context.load_cert_chain(path)
    finally:
        os.unlink(path)


def server_context(authority: Authority, names: Sequence[str], *, versions: Sequence[str] = BOTH,
                   keylog: KeyLog | None = None, flaw: Flaw = Flaw.GOOD) -> ServerContext:
    """Return the context of a server with these names; the same question gets the same context.

    Nothing is generated before the first connection. TLS is at least 1.2, whatever `versions` says.
    Raises UsageError for unknown versions.
    """
    key = ("server", tuple(names), tuple(versions), keylog, flaw)
    if key not in authority.contexts:
        authority.contexts[key] = ServerContext(authority, tuple(names), versions, keylog, flaw)
    return cast(ServerContext, authority.contexts[key])


# --- the client's side -----------------------------------------------------------------------------------------------

class ClientTls(ssl.SSLObject):
    """One TLS connection at its client end."""

    def do_handshake(self) -> None:
        """Go on with the handshake."""
        super().do_handshake()
        self._remember()

    def unwrap(self) -> Any:
        """Say goodbye; by now the tickets of TLS 1.3 have come."""
        self._remember()
        return super().unwrap()

    def _remember(self) -> None:
        cast(ClientContext, self.context).remember(self)


class ClientContext(ssl.SSLContext):
    """A client's context: trusts the local authority only, and can resume sessions, which asyncio never does."""

    def __new__(cls, *_: Any, **__: Any) -> ClientContext:
        return super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)

    def __init__(self, authority: Authority | None, verify: bool = True, versions: Sequence[str] = BOTH,
                 resumption: bool = False) -> None:
        self.authority = authority
        self._trusts = not verify
        self._sessions: dict[str | bytes | None, ssl.SSLSession] | None = {} if resumption else None
        _restrict(self, versions)
        self.hostname_checks_common_name = False  # RFC 9525 section 2: only subjectAltName counts
        if not verify:
            self.check_hostname = False
            self.verify_mode = ssl.CERT_NONE
        self.sslobject_class = ClientTls

    def wrap_bio(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, server_side: bool = False,
                 server_hostname: str | bytes | None = None, session: ssl.SSLSession | None = None) -> ssl.SSLObject:
        """Start TLS on one connection (asyncio calls this)."""
        if not self._trusts and self.authority is not None:
            self.load_verify_locations(cadata=self.authority.certificate_pem.decode("ascii"))
            self._trusts = True
        if session is None and self._sessions is not None:
            # OpenSSL checks no host name when it resumes: a session is only for the name it was made with.
            session = self._sessions.get(server_hostname)
        return super().wrap_bio(incoming, outgoing, server_side, server_hostname, session)

    def remember(self, tls: ssl.SSLObject) -> None:
        """Keep the session of a finished handshake for the next connection to the same name."""
        if self._sessions is not None and tls.session is not None:
            self._sessions[tls.server_hostname] = tls.session


def client_context(authority: Authority | None, *, verify: bool = True, versions: Sequence[str] = BOTH,
                   resumption: bool = False) -> ClientContext:
    """Return a context for clients that trust `authority` and nobody else.

    With `verify=False` any certificate will do (RFC 7435: opportunistic security), but `handshake_facts` still tells
    whether `authority` vouches for it. With `resumption` the context is the caller's own, with a session cache;
    otherwise the same question gets the same context. Raises UsageError for verifying without an authority.
    """
    if authority is None:
        if verify:
            raise UsageError("A client that verifies certificates needs an authority to trust.")
        return ClientContext(None, verify, versions, resumption)
    if resumption:
        return ClientContext(authority, verify, versions, resumption)
    key = ("client", verify, tuple(versions))
    if key not in authority.contexts:
        authority.contexts[key] = ClientContext(authority, verify, versions)
    return cast(ClientContext, authority.contexts[key])


def _restrict(context: ssl.SSLContext, versions: Sequence[str]) -> None:
    chosen = parse_versions(tuple(versions))
    context.minimum_version = _VERSIONS[chosen[0]]  # RFC 9325 section 3.1.1, RFC 8996: never below 1.2
    context.maximum_version = _VERSIONS[chosen[-1]]


# --- what both ends can tell afterwards ------------------------------------------------------------------------------

def handshake_facts(tls: ssl.SSLObject) -> dict[str, Any]:
    """Return the facts of a finished handshake as fields of the event `TlsEstablished` (all but `implicit`)."""
    cipher = tls.cipher()
    facts: dict[str, Any] = {
        "version": tls.version() or "", "cipher": cipher[0] if cipher else "", "resumed": bool(tls.session_reused)}
    if tls.server_side:
        facts["server_name"] = getattr(tls, "asked_name", None)
        if isinstance(tls.context, ServerContext):
            der = ssl.PEM_cert_to_DER_cert(tls.context.certificate.chain_pem.decode("ascii"))
            facts |= _certificate_facts(der)
        return facts
    facts["server_name"] = tls.server_hostname
    der_seen = tls.getpeercert(binary_form=True)
    if der_seen is None:
        return facts | {"verified": False, "why_unverified": "no certificate"}
    facts |= _certificate_facts(der_seen)
    if tls.context.verify_mode is ssl.CERT_REQUIRED and tls.context.check_hostname:
        return facts | {"verified": True}
    authority = getattr(tls.context, "authority", None)
    found = doubts(der_seen, tls.server_hostname, (authority.certificate,) if authority else ())
    return facts | {"verified": False, "why_unverified": ", ".join(found) or "not checked"}


def _certificate_facts(der: bytes) -> dict[str, Any]:
    shown = read_certificate(der)
    return {"certificate_names": shown.names, "certificate_issuer": shown.issuer,
            "certificate_not_after": shown.not_after_text}
