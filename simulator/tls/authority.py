"""The local certificate authority: good certificates for every host, and bad ones of each kind for the lessons."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING

from simulator.errors import UsageError

if TYPE_CHECKING:
    import trustme
    from cryptography import x509

ORGANISATION = "mail internet simulator"
FAR_PAST = datetime.datetime(2020, 1, 1)
LONG_AGO = datetime.datetime(2021, 1, 1)
FAR_FUTURE = datetime.datetime(3000, 1, 1)
OTHER_NAME = "another-host.example"
"""The name that a certificate with the flaw WRONG_NAME is for."""


class Flaw(Enum):
    """What is wrong with a certificate (RFC 5280 section 6, RFC 9525)."""

    GOOD = "good"
    SELF_SIGNED = "self-signed"
    """Signed with its own key: anybody can make one."""
    UNKNOWN_CA = "unknown CA"
    """Signed by an authority that nobody here trusts."""
    EXPIRED = "expired"
    WRONG_NAME = "wrong name"
    """Good in itself, but for another host."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate with its private key, both as PEM."""

    names: tuple[str, ...]
    """The names it was asked for; with the flaw WRONG_NAME it bears another one."""
    flaw: Flaw
    chain_pem: bytes
    private_key_pem: bytes = field(repr=False)

    @property
    def pem(self) -> bytes:
        """Key and chain in one file, as `ssl.SSLContext.load_cert_chain` wants them."""
        return self.private_key_pem + self.chain_pem


class Authority:
    """A certificate authority with P-256 keys; everything is made at first use.

    Certificates are checked against the wall clock, as OpenSSL does it, not against simulated time: the good ones are
    valid until the year 3000, the expired ones ended in 2021.
    """

    def __init__(self, name: str = "Local CA of the simulated internet", pem: bytes = b"") -> None:
        """Make a new authority, or with `pem` (see `pem`) the one that an earlier run made.

        Raises UsageError when `pem` is no certificate with its private key.
        """
        self.name = name
        self._kept_ca = _read_ca(pem) if pem else None
        self.contexts: dict[object, object] = {}
        """What `simulator.tls.contexts` has made with this authority, by description."""
        self._issued: dict[tuple[tuple[str, ...], Flaw, datetime.datetime | None], Certificate] = {}

    @cached_property
    def _ca(self) -> trustme.CA:
        import trustme  # late: 0.1 s, and a journey without TLS does not need it

        if self._kept_ca is not None:
            return self._kept_ca
        return trustme.CA(organization_name=ORGANISATION, organization_unit_name=self.name)

    @cached_property
    def _stranger(self) -> trustme.CA:
        import trustme

        return trustme.CA(organization_name=ORGANISATION, organization_unit_name="A CA that nobody here trusts")

    @property
    def certificate_pem(self) -> bytes:
        """The authority's own certificate: what a client must be told to trust."""
        return self._ca.cert_pem.bytes()

    @property
    def pem(self) -> bytes:
        """Private key and certificate in one file, to be kept over restarts. It is for this machine only."""
        return self._ca.private_key_pem.bytes() + self.certificate_pem

    @cached_property
    def certificate(self) -> x509.Certificate:
        """The authority's own certificate as an object of the library `cryptography`."""
        from cryptography import x509

        return x509.load_pem_x509_certificate(self.certificate_pem)

    def issue(self, *names: str, flaw: Flaw = Flaw.GOOD, not_after: datetime.datetime | None = None) -> Certificate:
        """Return a certificate for host names, wildcards such as "*.alice.example", or IP addresses.

        The same question gets the same certificate. `not_after` is in UTC without a time zone.
        Raises UsageError when there is no name, or one that cannot stand in a certificate.
        """
        key = names, flaw, not_after
        if key not in self._issued:
            self._issued[key] = self._issue(names, flaw, not_after)
        return self._issued[key]

    def _issue(self, names: tuple[str, ...], flaw: Flaw, not_after: datetime.datetime | None) -> Certificate:
        if not names:
            raise UsageError("A certificate needs at least one host name or address.")
        shown = (OTHER_NAME,) if flaw is Flaw.WRONG_NAME else names
        not_after = not_after or (LONG_AGO if flaw is Flaw.EXPIRED else FAR_FUTURE)
        not_before = min(FAR_PAST, not_after - datetime.timedelta(days=1))
        try:
            if flaw is Flaw.SELF_SIGNED:
                chain_pem, key_pem = _self_signed(shown, not_before, not_after)
            else:
                ca = self._stranger if flaw is Flaw.UNKNOWN_CA else self._ca
                leaf = ca.issue_cert(*shown, not_before=not_before, not_after=not_after,
                                     organization_name=ORGANISATION, organization_unit_name="simulated host")
                chain_pem, key_pem = b"".join(p.bytes() for p in leaf.cert_chain_pems), leaf.private_key_pem.bytes()
        except ValueError as error:  # from idna or cryptography
            raise UsageError(f"No certificate can be made for {', '.join(names)}: {error}.") from error
        return Certificate(names, flaw, chain_pem, key_pem)


def _read_ca(pem: bytes) -> trustme.CA:
    import trustme

    try:
        return trustme.CA.from_pem(pem, pem)
    except (ValueError, TypeError) as error:
        raise UsageError("The kept certificate authority cannot be read; remove its file to get a new one.") from error


def _self_signed(names: tuple[str, ...], not_before: datetime.datetime,
                 not_after: datetime.datetime) -> tuple[bytes, bytes]:
    """Return (certificate, private key) as PEM; trustme has no such thing."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANISATION),
                         x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "self-signed host")])
    certificate = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(not_before).not_valid_after(not_after)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256()))
    return certificate.public_bytes(serialization.Encoding.PEM), key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _general_name(name: str) -> x509.GeneralName:
    import ipaddress

    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
