"""Who exists: organisations with their hosts, people, mail exchangers and zones, as plain data. Nothing runs here."""

from __future__ import annotations

import ipaddress
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from simulator.errors import PlanError, UsageError
from simulator.protocol.addresses import parse_address
from simulator.tls.authority import Flaw

ROLES = ("laptop", "submission", "mx", "dns")
"""What a host can be: where people sit; steps 1 and 2 (ports 465 and 587, relay); step 3 (port 25); names (port 53)."""

CERTIFICATES = tuple(flaw.value for flaw in Flaw)
DOCUMENTATION = tuple(
    ipaddress.ip_network(net) for net in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
)  # RFC 5737, RFC 3849
RESERVED_TOPS = ("example", "test")  # RFC 2606 section 2

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPlan:
    """One host of an organisation."""

    name: str
    address: str
    roles: tuple[str, ...]
    starttls: bool = True
    """False: port 25 and 587 do not offer STARTTLS."""
    silent: bool = False
    """True: it answers nothing, as if switched off."""
    tls_versions: tuple[str, ...] = ("1.2", "1.3")
    certificate: str = "good"
    """What is wrong with its certificate: "good", "self-signed", "unknown CA", "expired" or "wrong name"."""
    certificate_names: tuple[str, ...] = ()
    """Names in its certificate, such as "*.bob.example"; empty: its own name, address, and localhost."""
    size_limit_octets: int = 10 * 1024 * 1024
    mechanisms: tuple[str, ...] = ("PLAIN", "LOGIN")
    """SASL mechanisms of a submission server; "SCRAM-SHA-256" is possible too: two round trips more than PLAIN."""
    unsafe_cleartext_auth: bool = False
    """True: it takes passwords in cleartext. Only for lessons."""
    unsafe_no_auth: bool = False
    """True: anyone may submit. Only for measurements."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody with a mailbox and a login."""

    address: str
    password: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """A domain with its own servers, people and zone."""

    domain: str
    hosts: tuple[HostPlan, ...]
    people: tuple[Person, ...] = ()
    mx: tuple[tuple[int, str], ...] = ()
    """(preference, host name); empty: every host with the role "mx", preference 10."""
    zone: str | None = None
    """The whole zone in master-file form; None: made from the hosts."""
    extra_records: str = ""
    """Further records in master-file form, added to the zone that is made from the hosts."""

    def host(self, role: str) -> HostPlan | None:
        """Return the first host with a role that is not one of the unsafe ones."""
        return next(
            (h for h in self.hosts if role in h.roles and not h.unsafe_cleartext_auth and not h.unsafe_no_auth), None
        )

    def zone_text(self) -> str:
        """Return the zone in master-file form (RFC 1035 section 5)."""
        if self.zone is not None:
            return self.zone
        server = self.host("dns")
        if server is None:
            raise PlanError(f'{self.domain} has no host with the role "dns"; add one, so that others can find it.')
        lines = [
            f"$ORIGIN {self.domain}.",
            "$TTL 3600",
            f"@ IN SOA {server.name}. postmaster.{self.domain}. 2026010101 7200 3600 1209600 300",
            f"@ IN NS {server.name}.",
        ]
        exchangers = self.mx or tuple((10, h.name) for h in self.hosts if "mx" in h.roles)
        # RFC 7505 section 3: the name "." says that the domain takes no mail
        lines += [f"@ IN MX {preference} {name.rstrip('.')}." for preference, name in exchangers]
        for host in self.hosts:
            kind = "AAAA" if ":" in host.address else "A"
            lines.append(f"{host.name}. IN {kind} {host.address}")
        mail = self.host("submission")
        if mail is not None:  # RFC 8314 section 5.1: how a mail program finds its server
            lines += [
                f"_submissions._tcp IN SRV 0 1 465 {mail.name}.",
                f"_submission._tcp IN SRV 10 1 587 {mail.name}.",
            ]
        return "\n".join(lines) + "\n" + self.extra_records


@dataclass(frozen=True)
class Plan:
    """All organisations of one internet, and the links that differ from the rest."""

    organisations: tuple[Organisation, ...]
    links: tuple[tuple[str, str, float], ...] = ()
    """(host name, host name, one-way latency in seconds)."""
    notes: tuple[str, ...] = field(default=())
    """Sentences that must be shown to the learner, such as warnings about unsafe hosts."""

    def __post_init__(self) -> None:
        check_plan(self)

    def with_host(self, name: str, **changes: Any) -> Plan:
        """Return a plan in which one host is different, for example `with_host("mx.bob.example", starttls=False)`.

        Raises PlanError for an unknown host, for something that hosts do not have, and for a wrong value.
        """
        known = [host.name for each in self.organisations for host in each.hosts]
        if name not in known:
            raise PlanError(f"There is no host {name!r} in this plan; there are {shown(known)}.")
        return self._with_organisations(
            replace(each, hosts=tuple(_changed(host, changes) if host.name == name else host for host in each.hosts))
            for each in self.organisations
        )

    def with_new_host(self, domain: str, name: str, address: str, roles: Iterable[str], **more: Any) -> Plan:
        """Return a plan with one more host in an organisation. Raises PlanError."""
        self._check_domain(domain)
        new = _changed(HostPlan(name=name, address=address, roles=tuple(roles)), more)
        return self._with_organisations(
            replace(each, hosts=(*each.hosts, new)) if each.domain == domain else each for each in self.organisations
        )

    def with_domain(self, domain: str, **changes: Any) -> Plan:
        """Return a plan in which one organisation is different: `with_domain("bob.example", mx=((0, "."),))`.

        Raises PlanError for an unknown domain, for something that organisations do not have, and for a wrong value.
        """
        self._check_domain(domain)
        return self._with_organisations(
            _changed(each, changes) if each.domain == domain else each for each in self.organisations
        )

    def _check_domain(self, domain: str) -> None:
        if domain not in self.by_domain:
            raise PlanError(f"There is no domain {domain!r} in this plan; there are {shown(self.by_domain)}.")

    def _with_organisations(self, organisations: Iterable[Organisation]) -> Plan:
        return replace(self, organisations=tuple(organisations))

    @cached_property
    def by_domain(self) -> dict[str, Organisation]:
        """Organisations by domain."""
        return {organisation.domain: organisation for organisation in self.organisations}

    @cached_property
    def people(self) -> dict[str, Person]:
        """People by address."""
        return {person.address: person for organisation in self.organisations for person in organisation.people}

    def organisation_of(self, address: str) -> Organisation:
        """Return the organisation of an e-mail address. Raises UsageError when nobody has that domain here."""
        domain = parse_address(address).domain.lower()
        organisation = self.by_domain.get(domain)
        if organisation is None:
            raise UsageError(f"Nobody in this internet has the domain {domain}; there are {shown(self.by_domain)}.")
        return organisation

    def person(self, address: str) -> Person:
        """Return the person with this address. Raises UsageError when there is none."""
        self.organisation_of(address)
        person = self.people.get(address)
        if person is None:
            raise UsageError(f"Nobody in this internet has the address {address}; there are {shown(self.people)}.")
        return person


def _changed(old: T, changes: Mapping[str, Any]) -> T:
    """Return a copy of a host or an organisation with other values."""
    names = [each.name for each in fields(old)]  # type: ignore[arg-type]
    for name in changes:
        if name not in names:
            raise PlanError(f"There is no {name!r} to change; there are {', '.join(names)}.")
    return replace(old, **changes)  # type: ignore[type-var]


def shown(names: Iterable[str], most: int = 6) -> str:
    """List names for a sentence, not more than `most`."""
    names = list(names)
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


# --- ready plans -----------------------------------------------------------------------------------------------------

UNSAFE_NOTE = (
    "{name} takes passwords in cleartext (unsafe_cleartext_auth). It exists for lessons only; "
    "a faithful server never does (RFC 8314 section 4.1)."
)


def organisation(domain: str, people: Iterable[str], network: str, *, unsafe_msa: bool = False) -> Organisation:
    """Make an organisation with one host per role; `network` is its address up to the last part, such as "192.0.2."."""
    hosts = [
        HostPlan(name=f"laptop.{domain}", address=f"{network}9", roles=("laptop",)),
        HostPlan(name=f"mail.{domain}", address=f"{network}25", roles=("submission",)),
        HostPlan(name=f"mx.{domain}", address=f"{network}26", roles=("mx",)),
        HostPlan(name=f"ns.{domain}", address=f"{network}53", roles=("dns",)),
    ]
    if unsafe_msa:
        hosts.append(
            HostPlan(
                name=f"old-mail.{domain}", address=f"{network}27", roles=("submission",), unsafe_cleartext_auth=True
            )
        )
    return Organisation(
        domain=domain,
        hosts=tuple(hosts),
        people=tuple(Person(address=f"{name}@{domain}", password=f"secret-of-{name}") for name in people),
    )


def default_plan() -> Plan:
    """Return the plan of the first lesson: alice.example writes to bob.example."""
    return Plan(
        (
            organisation("alice.example", ["alice", "anna"], "192.0.2.", unsafe_msa=True),
            organisation("bob.example", ["bob", "berta"], "198.51.100."),
        ),
        notes=(UNSAFE_NOTE.format(name="old-mail.alice.example"),),
    )


def many_organisations(count: int) -> Plan:
    """Return a plan with `count` organisations org1.example, org2.example ..., each with one person "user"."""
    if not 1 <= count <= 60000:
        raise UsageError(f"A plan can have 1 to 60000 generated organisations, not {count}.")
    return Plan(tuple(organisation(f"org{n}.example", ["user"], f"2001:db8:{n:x}::") for n in range(1, count + 1)))


# --- plan files ------------------------------------------------------------------------------------------------------


def load_plan(path: str | Path) -> Plan:
    """Read a plan from a TOML file. Raises PlanError with one sentence about what is wrong in it."""
    try:
        with open(path, "rb") as file:
            return plan_from(tomllib.load(file), str(path))
    except OSError as error:
        raise PlanError(f"The plan {path} cannot be read: {error.strerror or error}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PlanError(f"The plan {path} is not a TOML file: {error}.") from error



def plan_from(data: Mapping[str, Any], where: str = "plan") -> Plan:
    """Make a plan from the tables of a TOML file."""
    _known(data, {"organisation", "link"}, where)
    organisations = tuple(_organisation(table, where) for table in _tables(data, "organisation", where))
    links = []
    for table in _tables(data, "link", where):
        _known(table, {"between", "latency_s"}, f"{where}: link")
        between, latency = table.get("between"), table.get("latency_s")
        if not (isinstance(between, list) and len(between) == 2 and isinstance(latency, (int, float))):
            raise PlanError(f'{where}: a link needs between = ["host", "host"] and latency_s = seconds.')
        links.append((str(between[0]), str(between[1]), float(latency)))
    unsafe = tuple(UNSAFE_NOTE.format(name=h.name) for o in organisations for h in o.hosts if h.unsafe_cleartext_auth)
    return Plan(organisations, tuple(links), unsafe)


def _organisation(table: Mapping[str, Any], where: str) -> Organisation:
    domain = table.get("domain")
    if not isinstance(domain, str):
        raise PlanError(f'{where}: every organisation needs a domain, such as domain = "carol.example".')
    where = f"{where}: {domain}"
    _known(table, {"domain", "host", "person", "mx", "zone", "extra_records"}, where)
    mx = table.get("mx", [])
    if not (isinstance(mx, list) and all(isinstance(p, list) and len(p) == 2 and isinstance(p[0], int) for p in mx)):
        raise PlanError(f'{where}: mx is a list of [preference, "host name"].')
    return Organisation(
        domain=domain.lower(),
        hosts=tuple(_filled(HostPlan, h, f"{where}: host") for h in _tables(table, "host", where)),
        people=tuple(_filled(Person, p, f"{where}: person") for p in _tables(table, "person", where)),
        mx=tuple((int(p[0]), str(p[1])) for p in mx),
        zone=table.get("zone"),
        extra_records=table.get("extra_records", ""),
    )


def _tables(data: Mapping[str, Any], name: str, where: str) -> Iterator[Mapping[str, Any]]:
    tables = data.get(name, [])
    if not (isinstance(tables, list) and all(isinstance(table, dict) for table in tables)):
        raise PlanError(f"{where}: write each {name} as a table [[{name}]].")
    yield from tables


def _known(table: Mapping[str, Any], names: set[str], where: str) -> None:
    unknown = sorted(set(table) - names)
    if unknown:
        raise PlanError(f"{where}: there is no {unknown[0]!r}; the possible names are {', '.join(sorted(names))}.")


def _filled(kind: type[T], table: Mapping[str, Any], where: str) -> T:
    wanted = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]
    _known(table, set(wanted), where)
    values: dict[str, Any] = {}
    for name, value in table.items():
        as_text = str(wanted[name].type)
        right = {
            "str": isinstance(value, str),
            "bool": isinstance(value, bool),
            "int": isinstance(value, int) and not isinstance(value, bool),
            "tuple[str, ...]": isinstance(value, list) and all(isinstance(v, str) for v in value),
        }[as_text]
        if not right:
            raise PlanError(f"{where}: {name} must be of the kind {as_text}, not {value!r}.")
        values[name] = tuple(value) if isinstance(value, list) else value
    try:
        return kind(**values)
    except TypeError as error:
        missing = [name for name in wanted if name not in values and name in str(error)]
        raise PlanError(f"{where}: {' and '.join(missing) or 'something'} is missing.") from error


def check_plan(plan: Plan) -> None:
    """Raise PlanError for the first thing in a plan that cannot work."""
    if not plan.organisations:
        raise PlanError("The plan has no organisation; describe at least one with [[organisation]].")
    names: set[str] = set()
    addresses: dict[str, str] = {}
    for org in plan.organisations:
        top = org.domain.rpartition(".")[2]
        if top not in RESERVED_TOPS or "." not in org.domain:
            raise PlanError(f"The domain {org.domain} is not reserved for examples; use names under .example or .test.")
        if org.domain in names:
            raise PlanError(f"The domain {org.domain} stands in the plan twice.")
        names.add(org.domain)
        for host in org.hosts:
            _check_host(host, addresses)
        for person in org.people:
            if parse_address(person.address).domain.lower() != org.domain:
                raise PlanError(f"{person.address} does not belong to {org.domain}.")
    hosts = set(addresses.values())
    for one, other, latency_s in plan.links:
        if one not in hosts or other not in hosts or latency_s < 0:
            raise PlanError(f"The link {one} - {other} needs two hosts of the plan and a latency that is not negative.")


def _check_host(host: HostPlan, addresses: dict[str, str]) -> None:
    wrong = [role for role in host.roles if role not in ROLES]
    if wrong:
        raise PlanError(f"{host.name} has the unknown role {wrong[0]!r}; roles are {', '.join(ROLES)}.")
    if host.name.rpartition(".")[2] not in RESERVED_TOPS:
        raise PlanError(f"The host name {host.name} is not reserved for examples; use names under .example or .test.")
    try:
        address = ipaddress.ip_address(host.address)
    except ValueError as error:
        raise PlanError(f"{host.name}: {host.address!r} is no IP address.") from error
    if not any(address in network for network in DOCUMENTATION):
        raise PlanError(
            f"{host.name}: {host.address} is not a documentation address; use 192.0.2.0/24, "
            "198.51.100.0/24, 203.0.113.0/24 or 2001:db8::/32."
        )
    if addresses.setdefault(str(address), host.name) != host.name:
        raise PlanError(f"{host.name} and {addresses[str(address)]} have the same address {address}.")
    if host.certificate not in CERTIFICATES:
        raise PlanError(f"{host.name}: certificate can be {', '.join(CERTIFICATES)}, not {host.certificate!r}.")
    if not set(host.tls_versions) <= {"1.2", "1.3"} or not host.tls_versions:
        raise PlanError(f'{host.name}: tls_versions can be "1.2" and "1.3".')
