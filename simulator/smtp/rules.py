"""Reading the arguments of MAIL and RCPT: paths and parameters, or the reply that refuses them. No IO."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from simulator.errors import UsageError
from simulator.protocol.addresses import Address, parse_path
from simulator.smtp.response import Response
from simulator.smtp.session import Params
from simulator.smtp.settings import ServerSettings

# A path in angle brackets, in which a quoted local part may contain any of "<", ">" and " ", then the parameters.
_PATH = re.compile(r'[ \t]*(<(?:"(?:[^"\\]|\\.)*"|[^<>"])*>)(?:[ ]+(.*))?', re.DOTALL)
# RFC 5321 section 4.1.2: esmtp-param; RFC 6531 section 3.3 lets values go beyond ASCII.
_PARAM = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([^\x00- =\x7f]+))?")
# RFC 3461 section 4: xtext
_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*")


@dataclass(frozen=True, slots=True)
class Named:
    """A path with its parameters."""

    address: Address | None
    """None is the null path `<>`."""
    params: Params


def read_mail(argument: str, settings: ServerSettings, extended: bool) -> Named | Response:
    """Read what follows "MAIL ": FROM:<reverse-path> and parameters (RFC 5321 section 4.1.1.2)."""
    allowed: dict[str, Callable[[str | None], Response | None]] = {}
    if extended:
        allowed["SIZE"] = lambda value: _check_size(value, settings.size_limit_octets)
        if settings.offers_8bitmime:
            allowed["BODY"] = _check_body
        if settings.smtputf8:
            allowed["SMTPUTF8"] = _check_smtputf8
        if settings.accounts is not None:
            allowed["AUTH"] = _check_auth
    found = _read(argument, "FROM:", "5.1.7", allowed)
    if isinstance(found, Response):
        return found
    return _check_ascii(found, "SMTPUTF8" in found.params) or found


def read_rcpt(argument: str, smtputf8: bool) -> Named | Response:
    """Read what follows "RCPT ": TO:<forward-path> and parameters (RFC 5321 section 4.1.1.3)."""
    found = _read(argument, "TO:", "5.1.3", {})
    if isinstance(found, Response):
        return found
    if found.address is None:
        return Response(501, "5.1.3", "A recipient cannot be the null path <>")
    return _check_ascii(found, smtputf8) or found


def _read(argument: str, keyword: str, syntax_code: str,
          allowed: Mapping[str, Callable[[str | None], Response | None]]) -> Named | Response:
    if argument[:len(keyword)].upper() != keyword:
        return Response(501, "5.5.4", f"Expected {keyword}<address>")
    match = _PATH.fullmatch(argument, len(keyword))
    if match is None:
        return Response(501, syntax_code, f"Expected {keyword}<address>, the address in angle brackets")
    try:
        address = parse_path(match[1])
    except UsageError as error:
        return Response(501, syntax_code, str(error))
    params = _read_params(match[2] or "", allowed)
    return params if isinstance(params, Response) else Named(address, params)


def _read_params(text: str, allowed: Mapping[str, Callable[[str | None], Response | None]]) -> Params | Response:
    params: dict[str, str | None] = {}
    for word in text.split():
        match = _PARAM.fullmatch(word)
        if match is None:
            return Response(501, "5.5.4", "A parameter is not of the form KEYWORD or KEYWORD=VALUE")
        keyword, value = match[1].upper(), match[2]
        if keyword in params:
            return Response(501, "5.5.4", f"The parameter {keyword} was given twice")
        if keyword not in allowed:  # RFC 5321 section 4.1.1.11
            return Response(555, "5.5.4", f"The parameter {keyword} is not known here")
        problem = allowed[keyword](value)
        if problem is not None:
            return problem
        params[keyword] = value
    return params


def _check_size(value: str | None, limit_octets: int) -> Response | None:
    # RFC 1870 section 3: one to twenty digits
    if value is None or not re.fullmatch(r"[0-9]{1,20}", value):
        return Response(501, "5.5.4", "SIZE needs a number of octets")
    if int(value) > limit_octets:  # RFC 1870 section 6.1: before any data is sent
        return Response(552, "5.3.4", f"A message may have at most {limit_octets} octets here")
    return None


def _check_body(value: str | None) -> Response | None:
    # RFC 6152 section 2
    if value is None or value.upper() not in ("7BIT", "8BITMIME"):
        return Response(501, "5.5.4", "BODY is either 7BIT or 8BITMIME")
    return None


def _check_smtputf8(value: str | None) -> Response | None:
    # RFC 6531 section 3.1: the parameter has no value
    return None if value is None else Response(501, "5.5.4", "SMTPUTF8 takes no value")


def _check_auth(value: str | None) -> Response | None:
    # RFC 4954 section 5: who offers AUTH takes this parameter; nobody here is trusted enough to use what it says
    if value is None or not (value == "<>" or _XTEXT.fullmatch(value)):
        return Response(501, "5.5.4", "AUTH needs a mailbox in xtext, or <>")
    return None


def _check_ascii(found: Named, smtputf8: bool) -> Response | None:
    # RFC 6531 section 3.5: addresses outside ASCII need the parameter SMTPUTF8 of MAIL
    if smtputf8 or found.address is None or found.address.ascii:
        return None
    return Response(553, "5.6.7", "An address outside ASCII needs the parameter SMTPUTF8")
