"""`python -m simulator serve`: keeps the small internet running for mail programs of your own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from simulator.dns.outside import outside_view
from simulator.errors import UsageError
from simulator.export.transcript import happening
from simulator.internet.endpoints import EndpointTable
from simulator.internet.internet import RunningInternet
from simulator.internet.names import name_servers
from simulator.internet.plan import HostPlan, Plan, default_plan, load_plan
from simulator.internet.servers import certificate_names
from simulator.network.loop import NetworkLoop, new_loop
from simulator.smtp.sasl import MECHANISMS
from simulator.trace.events import (
    Authenticated,
    ConnectionOpened,
    Event,
    MessageAccepted,
    MessageStored,
    RecipientResult,
    TlsFailed,
)

TRACE_OCTETS = 16 * 1024 * 1024
"""How much of the past a running server remembers."""
WELL_KNOWN = (25, 53, 465, 587)
"""Ports of which `--real-ports` opens the real ones."""
LAST_CHANCE_S = 5.0
"""How long messages in the queue may still take when the program is asked to end."""
LOGGED = (Authenticated, MessageAccepted, MessageStored, RecipientResult, TlsFailed)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """What the command line asks for."""

    plan: str | None = None
    seed: int = 1
    state: str | None = None
    ready_file: str | None = None
    real_ports: bool = False
    latency_s: float = 0.0
    quiet: bool = False


def serve(options: ServeOptions, say: Callable[[str], object] = print) -> int:
    """Run until Ctrl-C or SIGTERM; return the exit code. Raises UsageError for a busy port or an unusable folder."""
    plan = load_plan(options.plan) if options.plan else default_plan()
    real_ips = _real_ips(plan) if options.real_ports else {}
    plan = _for_real_clients(plan, real_ips)
    ready = Path(options.ready_file) if options.ready_file else None
    if ready is not None:
        _check_ready_file(ready)
    loop = new_loop("loopback", "real", options.latency_s, limit_octets=TRACE_OCTETS, seed=options.seed)
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(_run(loop, plan, real_ips, options, ready, say))
    finally:
        loop.finish()
        asyncio.set_event_loop(None)
    return 0


def _for_real_clients(plan: Plan, real_ips: Mapping[str, str]) -> Plan:
    """Return the plan with every login mechanism on its servers, and certificates for what is dialled."""

    def fit(host: HostPlan) -> HostPlan:
        names = (*certificate_names(host), real_ips[host.address]) if host.address in real_ips else ()
        return replace(host, mechanisms=MECHANISMS, certificate_names=host.certificate_names or names)

    return replace(
        plan, organisations=tuple(replace(o, hosts=tuple(fit(h) for h in o.hosts)) for o in plan.organisations)
    )


async def _run(
    loop: NetworkLoop,
    plan: Plan,
    real_ips: Mapping[str, str],
    options: ServeOptions,
    ready: Path | None,
    say: Callable[[str], object],
) -> None:
    net = RunningInternet(loop, plan, options.seed, options.state)
    if options.real_ports:
        # One real address per host, so that each can have the well-known ports.
        loop.real_ports = lambda address, port: (  # type: ignore[attr-defined]
            (real_ips[address], port) if port in WELL_KNOWN else None
        )
    net.dns_view = outside_view(lambda address: real_ips.get(address, "127.0.0.1"))
    stop = asyncio.Event()
    try:
        with _ended_by_signals(loop, stop):
            await net.start()
            table = EndpointTable(await net.endpoints())
            for mailbox in net.mailboxes.values():
                mailbox.prepare()
            ca_file = net.state.write_ca_file(net.authority)
            if ready is not None:
                _write_ready_file(ready, net, table, ca_file)
            say(_introduction(net, table, ca_file, options))
            if net.in_transit.waiting:
                say(f"{net.in_transit.waiting} message(s) of the last run are in the queue and go on.")
            if not options.quiet:
                loop.recorder.listeners.append(_logger(say))
            await stop.wait()
        say("Stopping ...")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_CHANCE_S):
                await net.in_transit.settled()
        if net.in_transit.waiting:
            say(
                f"{net.in_transit.waiting} message(s) wait in the queue; the next start with this folder goes on."
                if net.state.durable
                else f"{net.in_transit.waiting} message(s) in the queue are gone; --state DIR would keep them."
            )
    finally:
        if ready is not None:
            ready.unlink(missing_ok=True)
        await net.stop()


# --- starting and ending ---------------------------------------------------------------------------------------------


def _real_ips(plan: Plan) -> dict[str, str]:
    """Return a loopback address for every host: its logical address -> the real one."""
    addresses = [address for _, address, _ in name_servers(plan)]
    addresses += [host.address for organisation in plan.organisations for host in organisation.hosts]
    if len(addresses) > 250:
        raise UsageError(f"--real-ports works for up to 250 hosts; this plan has {len(addresses)}.")
    return {address: f"127.0.0.{number}" for number, address in enumerate(addresses, 2)}


@contextlib.contextmanager
def _ended_by_signals(loop: NetworkLoop, stop: asyncio.Event) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the program in order."""
    names = ("SIGINT", "SIGTERM", "SIGBREAK")  # the last one exists on Windows only
    signals = [getattr(signal, name) for name in names if hasattr(signal, name)]

    def ask(*_: object) -> None:
        loop.call_soon_threadsafe(stop.set)

    before = {number: signal.signal(number, ask) for number in signals}
    # Python looks after signals between steps of the main thread; this wakes the loop up so that there is a step.
    waker = None
    if sys.platform == "win32":
        waker = loop.create_task(_tick())
    try:
        yield
    finally:
        if waker is not None:
            waker.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)


async def _tick() -> None:
    while True:
        await asyncio.sleep(0.5)


def _check_ready_file(path: Path) -> None:
    """Remove what an earlier run may have left, and make sure that the file can be written."""
    try:
        path.unlink(missing_ok=True)
        with tempfile.TemporaryFile(dir=path.absolute().parent):
            pass
    except OSError as error:
        raise UsageError(
            f"The file {path} cannot be written ({error.strerror or error}); choose another place."
        ) from error


def _write_ready_file(path: Path, net: RunningInternet, table: EndpointTable, ca_file: Path) -> None:
    """Write where everything is, for other programs: all at once, when all ports answer."""
    facts = {
        "version": 1,
        "services": [endpoint.as_dict() for endpoint in table],
        "accounts": [{"address": p.address, "password": p.password} for p in net.plan.people.values()],
        "mailboxes": {address: str(mailbox.path.absolute()) for address, mailbox in net.mailboxes.items()},
        "ca_file": str(ca_file.absolute()),
        "pid": os.getpid(),
    }
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    os.replace(part, path)


# --- what it says ----------------------------------------------------------------------------------------------------


def _introduction(net: RunningInternet, table: EndpointTable, ca_file: Path, options: ServeOptions) -> str:
    kept = "" if options.state else "  (temporary: gone when this program ends; keep them with --state DIR)"
    return "\n".join(
        [
            "The small internet is running on this machine only. Stop it with Ctrl-C.",
            "",
            repr(table),
            "",
            "Accounts (user name and password):",
            *(f"  {p.address}  {p.password}" for p in net.plan.people.values()),
            f"Mailboxes (Maildir): {(net.state.folder / 'mail').absolute()}{kept}",
            f"Certificate authority, for clients that verify: {ca_file.absolute()}",
            "",
            "Try it (paste into another window):",
            *(f"  {command}" for command in commands(net.plan, table, ca_file.absolute())),
            "",
            "What happens:",
        ]
    )


def commands(plan: Plan, table: EndpointTable, ca_file: Path) -> list[str]:
    """Return commands that work as they are, for the services that are there."""
    people = list(plan.people.values())
    if not people:
        return []
    sender = people[0]
    own = sender.address.rpartition("@")[2]
    recipient = next((p for p in people if not p.address.endswith(f"@{own}")), people[-1])
    domain = recipient.address.rpartition("@")[2]
    login = f"--auth PLAIN --auth-user {sender.address} --auth-password {sender.password}"
    envelope = f"--from {sender.address} --to {recipient.address}"
    ca = f'"{ca_file}"'
    found = []
    for endpoint in table:
        if endpoint.host.startswith("old-"):  # the unsafe one is for lessons
            continue
        place = (
            f"127.0.0.1:{endpoint.real_port}"
            if endpoint.real_address == "127.0.0.1"
            else (f"{endpoint.real_address}:{endpoint.real_port}")
        )
        trusting = f"--tls-verify --tls-ca-path {ca}"
        if endpoint.role == "submission" and endpoint.host.endswith(own):
            found.append(f"swaks --server {place} --tls {trusting} {login} {envelope}")
            found.append(f"openssl s_client -connect {place} -starttls smtp -CAfile {ca} -crlf -quiet")
        elif endpoint.role == "submissions" and endpoint.host.endswith(own):
            found.append(f"swaks --server {place} --tls-on-connect {trusting} {login} {envelope}")
            found.append(f"openssl s_client -connect {place} -CAfile {ca} -crlf -quiet")
            found.append(
                f"curl --cacert {ca} --url smtps://{place} --user {sender.address}:{sender.password} "
                f"--mail-from {sender.address} --mail-rcpt {recipient.address} --upload-file letter.eml"
            )
            found.append(
                f"msmtp --file=/dev/null --host={endpoint.real_address} --port={endpoint.real_port} --tls=on "
                f"--tls-starttls=off --tls-trust-file={ca} --auth=plain --user={sender.address} "
                f"--passwordeval='echo {sender.password}' --from={sender.address} {recipient.address}"
            )
        elif endpoint.role == "dns" and endpoint.transport == "udp" and endpoint.host.endswith(domain):
            found.append(f"dig @{endpoint.real_address} -p {endpoint.real_port} {domain} MX")
    implicit = next((e for e in table if e.role == "submissions" and e.host.endswith(own)), None)
    if implicit is not None:
        found.append(
            f"Thunderbird: outgoing server {implicit.real_address}, port {implicit.real_port}, SSL/TLS, password, "
            f"user name {sender.address}; import the certificate authority first"
        )
    return found


def _logger(say: Callable[[str], object]) -> Callable[[Event], None]:
    def log(event: Event) -> None:
        if isinstance(event, ConnectionOpened) and event.transport == "tcp":
            say(f"{event.at_s:9.3f} s  {event.host} -> {event.peer} port {event.server_port}")
        elif isinstance(event, Authenticated):
            say(f"{event.at_s:9.3f} s  {event.host}: {event.user} signed in ({event.mechanism})")
        elif isinstance(event, MessageAccepted):
            to = ", ".join(event.recipients)
            say(f"{event.at_s:9.3f} s  {event.host}: accepted {event.queue_id} for {to} ({event.protocol})")
        elif isinstance(event, LOGGED):
            say(f"{event.at_s:9.3f} s  {event.host}: {happening(event)}")

    return log


def options_of(chosen: Any) -> ServeOptions:
    """Return the options from parsed arguments."""
    return ServeOptions(
        plan=chosen.plan,
        seed=chosen.seed,
        state=chosen.state,
        ready_file=chosen.ready_file,
        real_ports=chosen.real_ports,
        latency_s=chosen.latency,
        quiet=chosen.quiet,
    )
