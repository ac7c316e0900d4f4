"""From the plan of a host to its running mail servers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from simulator.delivery.server import MxHandler
from simulator.internet.plan import HostPlan, Person
from simulator.network.loop import NetworkLoop
from simulator.smtp.sasl import Account, Accounts
from simulator.smtp.server import serve_smtp
from simulator.smtp.settings import ServerSettings
from simulator.submission.server import MsaHandler
from simulator.tls.authority import Authority, Flaw
from simulator.tls.contexts import KeyLog, ServerContext, server_context


def accounts_of(people: Iterable[Person]) -> Accounts:
    """Return who may sign in. Salted keys are made at the first attempt: it costs thousands of hashes on purpose."""
    passwords = {person.address: person.password for person in people}
    made: dict[str, Account] = {}

    def find(user: str) -> Account | None:
        if user in passwords and user not in made:
            made[user] = Account.from_password(user, passwords[user])
        return made.get(user)

    return find


def certificate_names(host: HostPlan) -> tuple[str, ...]:
    """Return the names in a host's certificate: its own, and what programs on this machine dial."""
    return host.certificate_names or (host.name, host.address, "localhost", "127.0.0.1")


def context_of(host: HostPlan, authority: Authority, keylog: KeyLog) -> ServerContext:
    """Return the TLS context of a host."""
    return server_context(
        authority, certificate_names(host), versions=host.tls_versions, keylog=keylog, flaw=Flaw(host.certificate)
    )


async def start_msa(
    loop: NetworkLoop,
    host: HostPlan,
    people: Iterable[Person],
    handler: MsaHandler,
    authority: Authority,
    keylog: KeyLog,
    nonce: Callable[[], str],
) -> list[Any]:
    """Start step 1 on a host: submissions on 465 (RFC 8314 section 3.3) and submission on 587 (RFC 6409)."""
    context = context_of(host, authority, keylog)
    ident = "ESMTP submission (simulator)"
    if host.unsafe_cleartext_auth:
        ident = "ESMTP submission (simulator, UNSAFE: takes passwords in clear, for lessons only)"
    facts: dict[str, Any] = {
        "hostname": host.name,
        "ident": ident,
        "accounts": accounts_of(people),
        "mechanisms": host.mechanisms,
        "nonce": nonce,
        "auth_required": not host.unsafe_no_auth,
        "size_limit_octets": host.size_limit_octets,
    }
    implicit = ServerSettings(**facts, tls_context=context, implicit_tls=True)
    upgraded = ServerSettings(
        **facts, tls_context=context if host.starttls else None, unsafe_cleartext_auth=host.unsafe_cleartext_auth
    )
    return [
        await serve_smtp(loop, host.address, 465, handler, implicit),
        await serve_smtp(loop, host.address, 587, handler, upgraded),
    ]


async def start_mx(loop: NetworkLoop, host: HostPlan, handler: MxHandler, authority: Authority, keylog: KeyLog) -> Any:
    """Start step 3 on a host: the door for everybody's mail, port 25 (RFC 5321 section 4.5.4.2)."""
    settings = ServerSettings(
        hostname=host.name,
        ident="ESMTP mail exchanger (simulator)",
        size_limit_octets=host.size_limit_octets,
        tls_context=context_of(host, authority, keylog) if host.starttls else None,
    )
    return await serve_smtp(loop, host.address, 25, handler, settings)
