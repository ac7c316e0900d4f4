"""The server's side of the dialogue: one client's commands in, replies out, in the order that RFC 5321 allows. No IO.

`expects` tells whoever does the IO what to read next and which method to give it to. Exactly one reply belongs to each
of them (RFC 5321 section 4.2).
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable
from enum import Enum

from simulator.smtp.lines import BadData, BadLine, Data
from simulator.smtp.response import Response
from simulator.smtp.rules import read_mail, read_rcpt
from simulator.smtp.sasl import Challenge, Failure, Result, ServerSasl
from simulator.smtp.session import Envelope, Handler, Recipient, Session, Tls, Transaction
from simulator.smtp.settings import ServerSettings


class Expect(Enum):
    """What comes next."""

    COMMAND = "a command line"
    SASL = "a line of a SASL exchange"
    DATA = "a message, up to its lone dot"
    TLS = "a TLS handshake"
    NOTHING = "nothing: close the connection"


NOT_IMPLEMENTED = ("EXPN", "BDAT", "ETRN", "ATRN", "TURN", "SEND", "SOML", "SAML", "BURL")
"""Commands that exist somewhere, but not here."""

_DATA_PROBLEMS = {
    BadData.TOO_BIG: Response(552, "5.3.4", "The message is too big"),
    BadData.LINE_TOO_LONG: Response(554, "5.6.0", "A line of the message has more than 998 characters"),
    # RFC 5321 section 2.3.8 and section 4.1.1.4: a bare CR or LF is no line end here, and to pass it on would let the
    # next server see other lines, even other messages, than we do.
    BadData.BARE_CR_OR_LF: Response(554, "5.6.0", "The message has a CR or LF that is not part of CR LF"),
    BadData.NUL: Response(554, "5.6.0", "The message contains the octet NUL"),
}

Verb = Callable[[str], Awaitable[Response]]


class Conversation:
    """One client's session: rules and order of commands. `report` is told about exceptions of the handler."""

    def __init__(self, handler: Handler, settings: ServerSettings, session: Session,
                 report: Callable[[Exception], None]) -> None:
        self.handler, self.settings, self.session, self.report = handler, settings, session, report
        self.expects = Expect.COMMAND
        self._sasl: ServerSasl | None = None
        self._wrong_commands = self._failed_auths = self._transactions = 0
        self._refusing = settings.refuse is not None
        self._verbs: dict[str, Verb] = {
            "EHLO": self._ehlo, "HELO": self._helo, "MAIL": self._mail, "RCPT": self._rcpt, "DATA": self._data,
            "RSET": self._rset, "NOOP": self._noop, "QUIT": self._quit, "VRFY": self._vrfy, "HELP": self._help,
            "STARTTLS": self._starttls, "AUTH": self._auth}

    # --- what comes in -----------------------------------------------------------------------------------------------

    def greeting(self) -> Response:
        """Return the first words of the server (RFC 5321 section 3.1)."""
        if self.settings.refuse is not None:
            return Response(554, "", f"{self.settings.hostname} {self.settings.refuse}")
        return Response(220, "", f"{self.settings.hostname} {self.settings.ident}")

    def goodbye(self, enhanced: str, why: str) -> Response:
        """End the session: the reply that says so before the server closes (RFC 5321 section 3.8)."""
        return self._sent(Response(421, enhanced, f"{self.settings.hostname} {why}; closing the connection"))

    async def command(self, line: bytes | BadLine) -> Response:
        """Take a command line without its CRLF."""
        response = await self._answer(line)
        if response.code in (500, 501, 502, 504, 555):
            self._wrong_commands += 1
            if self._wrong_commands >= self.settings.wrong_commands_limit:
                return self.goodbye("4.7.0", "Too many wrong commands")
        return self._sent(response)

    def tls_established(self, tls: Tls, implicit: bool = False) -> None:
        """TLS is up: forget everything that was learnt before it (RFC 3207 section 4.2)."""
        self.session.forget()
        self.session.tls, self.session.implicit_tls = tls, implicit
        self._sasl = None
        self.expects = Expect.COMMAND

    def _sent(self, response: Response) -> Response:
        if response.closes:
            self.expects = Expect.NOTHING
        return response

    async def _answer(self, line: bytes | BadLine) -> Response:
        if isinstance(line, BadLine):
            return Response(500, "5.5.2", line.value)
        verb_octets, _, argument_octets = line.partition(b" ")
        verb = verb_octets.upper().decode("ascii", "replace")
        limit = self.settings.auth_line_octets if verb == "AUTH" else self.settings.command_line_octets
        if len(line) + 2 > limit:
            return Response(500, "5.5.2", "The line is too long")
        try:
            argument = argument_octets.decode().strip(" \t")  # RFC 5321 section 4.1.1: tolerate trailing white space
        except UnicodeDecodeError:
            return Response(500, "5.5.2", "The line is neither ASCII nor UTF-8")
        if any((octet < 32 and octet != 9) or octet == 127 for octet in line):
            return Response(500, "5.5.2", "The line contains control characters")
        if self._refusing and verb != "QUIT":
            return Response(503, "5.5.1", "There is no mail service here, so say QUIT")  # RFC 5321 section 3.1
        handle = self._verbs.get(verb)
        if handle is not None:
            return await handle(argument)
        if verb in NOT_IMPLEMENTED:
            return Response(502, "5.5.1", f"{verb} is not implemented here")
        return Response(500, "5.5.1", "Unknown command; try HELP")

    # --- greeting and odds and ends ----------------------------------------------------------------------------------

    async def _ehlo(self, argument: str) -> Response:
        problem = _hello_problem("EHLO", argument)
        if problem is not None:
            return problem
        self._hello(argument, extended=True)
        return Response(250, "", "\n".join((self.settings.hostname, *self.keywords())))

    async def _helo(self, argument: str) -> Response:
        problem = _hello_problem("HELO", argument)
        if problem is not None:
            return problem
        self._hello(argument, extended=False)
        return Response(250, "", self.settings.hostname)

    def _hello(self, name: str, extended: bool) -> None:
        # RFC 5321 section 4.1.4: like RSET
        self.session.helo_name, self.session.extended, self.session.transaction = name, extended, None

    def keywords(self) -> list[str]:
        """Return the extensions that can be used at this point of the session (RFC 5321 section 4.1.1.1)."""
        settings = self.settings
        offered = ["PIPELINING"] if settings.pipelining else []
        offered.append(f"SIZE {settings.size_limit_octets}")
        if settings.offers_8bitmime:
            offered.append("8BITMIME")
        if settings.smtputf8:
            offered.append("SMTPUTF8")
        offered.append("ENHANCEDSTATUSCODES")
        if self._starttls_possible():
            offered.append("STARTTLS")
        if settings.accounts is not None and self._auth_protected():
            offered.append("AUTH " + " ".join(settings.mechanisms))
        return [*offered, "HELP"]

    async def _noop(self, argument: str) -> Response:
        return Response(250, "2.0.0", "OK")

    async def _rset(self, argument: str) -> Response:
        if argument:
            return _no_argument("RSET")
        self.session.transaction = None
        return Response(250, "2.0.0", "Everything about the message is forgotten")

    async def _quit(self, argument: str) -> Response:
        return _no_argument("QUIT") if argument else Response(221, "2.0.0", f"{self.settings.hostname} says goodbye")

    async def _vrfy(self, argument: str) -> Response:
        if not argument:
            return Response(501, "5.5.4", "Expected VRFY and an address")
        # RFC 5321 section 3.5.3 and section 7.3: neither confirm nor deny
        return Response(252, "2.5.0", "Cannot say who has a mailbox here; send a message and see")

    async def _help(self, argument: str) -> Response:
        return Response(214, "2.0.0", "Commands: " + " ".join(self._verbs))

    # --- mail --------------------------------------------------------------------------------------------------------

    async def _mail(self, argument: str) -> Response:
        session = self.session
        if not session.helo_name:
            return Response(503, "5.5.1", "Say EHLO first")
        if self.settings.auth_required and session.user is None:
            return Response(530, "5.7.0", "Sign in first")  # RFC 6409 section 4.3, RFC 4954 section 6
        if session.transaction is not None:  # RFC 5321 section 4.1.4
            return Response(503, "5.5.1", "There is a MAIL command already; finish the message or say RSET")
        found = read_mail(argument, self.settings, session.extended)
        if isinstance(found, Response):
            return found
        if self._transactions >= self.settings.transactions_limit:
            return self.goodbye("4.7.0", "Too many messages in one session")
        answer = await self._ask(self.handler.mail(session, found.address, found.params))
        if answer is None or answer.positive:
            self._transactions += 1
            session.transaction = Transaction(found.address, found.params)
        return answer or Response(250, "2.1.0", "Sender OK")

    async def _rcpt(self, argument: str) -> Response:
        transaction = self.session.transaction
        if transaction is None:
            return Response(503, "5.5.1", "Say MAIL first")
        found = read_rcpt(argument, transaction.smtputf8)
        if isinstance(found, Response) or found.address is None:
            transaction.refused += 1
            return found if isinstance(found, Response) else Response(501, "5.1.3", "A recipient cannot be <>")
        if len(transaction.recipients) >= self.settings.recipients_limit:
            # RFC 5321 section 4.5.3.1.10: the others stay, the surplus may come back in another transaction
            return Response(452, "4.5.3", f"At most {self.settings.recipients_limit} recipients at a time")
        answer = await self._ask(self.handler.rcpt(self.session, found.address, found.params))
        if answer is None or answer.positive:
            transaction.recipients.append(Recipient(found.address, found.params))
        else:
            transaction.refused += 1
        return answer or Response(250, "2.1.5", "Recipient OK")

    async def _data(self, argument: str) -> Response:
        transaction = self.session.transaction
        if argument:
            return _no_argument("DATA")
        if transaction is None:
            return Response(503, "5.5.1", "Say MAIL and RCPT first")
        if not transaction.recipients:  # RFC 5321 section 3.3, RFC 2920 section 3.2
            return (Response(554, "5.5.1", "No valid recipients") if transaction.refused
                    else Response(503, "5.5.1", "Say RCPT first"))
        self.expects = Expect.DATA
        return Response(354, "", "End the message with a line that has only a dot")

    async def message(self, data: Data) -> Response:
        """Take the message that followed 354."""
        transaction, self.session.transaction = self.session.transaction, None
        self.expects = Expect.COMMAND
        if data.problem is not None:
            return _DATA_PROBLEMS[data.problem]
        assert transaction is not None
        envelope = Envelope(transaction.reverse_path, transaction.params, tuple(transaction.recipients), data.content)
        answer = await self._ask(self.handler.message(self.session, envelope))
        if answer is None:
            self.report(TypeError(f"{type(self.handler).__name__}.message must return a Response"))
            answer = _LOCAL_ERROR
        elif answer.positive:
            self._wrong_commands = 0
        return self._sent(answer)

    async def _ask(self, question: Awaitable[Response | None]) -> Response | None:
        try:
            return await question
        except Exception as error:  # the owner's code failed: the client may try again, the owner is told
            self.report(error)
            return _LOCAL_ERROR

    # --- TLS ---------------------------------------------------------------------------------------------------------

    def _starttls_possible(self) -> bool:
        return self.settings.tls_context is not None and self.session.tls is None

    async def _starttls(self, argument: str) -> Response:
        if argument:
            return _no_argument("STARTTLS")  # RFC 3207 section 4
        if self.session.tls is not None:  # RFC 3207 section 4.2
            return Response(503, "5.5.1", "TLS is on already")
        if not self._starttls_possible():
            return Response(502, "5.5.1", "There is no TLS here")
        if not self.session.extended:
            return Response(503, "5.5.1", "Say EHLO first")
        self.expects = Expect.TLS
        return Response(220, "2.0.0", "Begin with TLS now")

    # --- AUTH --------------------------------------------------------------------------------------------------------

    def _auth_protected(self) -> bool:
        return self.session.tls is not None or self.settings.unsafe_cleartext_auth

    async def _auth(self, argument: str) -> Response:
        session, settings = self.session, self.settings
        if settings.accounts is None:
            return Response(502, "5.5.1", "Nobody can sign in here")
        if not session.extended:
            return Response(503, "5.5.1", "Say EHLO first")
        if not self._auth_protected():
            # RFC 8314 section 4.1: refused alike, whatever mechanism, user and password were sent
            return Response(538, "5.7.11", "Signing in needs TLS: say STARTTLS first")
        if session.user is not None or session.transaction is not None:  # RFC 4954 section 4
            return Response(503, "5.5.1", "Signing in is possible once, and not within a message")
        mechanism, _, initial_text = argument.partition(" ")
        if not mechanism or " " in initial_text.strip():
            return Response(501, "5.5.4", "Expected AUTH, a mechanism and at most one initial response")
        if mechanism.upper() not in settings.mechanisms:
            return Response(504, "5.5.4", "This mechanism is not known; there are " + " ".join(settings.mechanisms))
        if self._failed_auths >= settings.auth_attempts_limit:
            return self.goodbye("4.7.0", "Too many attempts to sign in")
        self._sasl = ServerSasl(mechanism, settings.accounts, settings.nonce)
        if not initial_text:
            return await self._judge(self._sasl.step(None))
        # RFC 4954 section 4: "=" is an initial response without any octets
        return await self._sasl_step(b"" if initial_text == "=" else initial_text.encode())

    async def sasl(self, line: bytes | BadLine) -> Response:
        """Take a line of a SASL exchange, the answer to a 334."""
        self.expects = Expect.COMMAND
        if line is BadLine.TOO_LONG:
            return self._failed(Response(500, "5.5.6", "The line of the SASL exchange is too long"))
        if isinstance(line, BadLine):
            return self._failed(Response(501, "5.5.2", line.value))
        if line == b"*":  # RFC 4954 section 4: the client gives up
            return self._failed(Response(501, "5.7.0", "Signing in was cancelled"))
        return await self._sasl_step(line)

    async def _sasl_step(self, encoded: bytes) -> Response:
        assert self._sasl is not None
        try:
            response = b64decode(encoded, validate=True)
        except binascii.Error:
            return self._failed(Response(501, "5.5.2", "This is not base64"))
        return await self._judge(self._sasl.step(response))

    async def _judge(self, result: Result) -> Response:
        assert self._sasl is not None
        if isinstance(result, Challenge):
            self.expects = Expect.SASL
            return Response(334, "", b64encode(result.octets).decode("ascii"))
        if isinstance(result, Failure):
            if result.malformed:
                return self._failed(Response(501, "5.5.2", "The message of the mechanism cannot be read"))
            return self._failed(Response(535, "5.7.8", "User name or password is wrong"))
        self.session.user, self.session.mechanism = result.user, self._sasl.mechanism
        self._sasl = None
        failure = await self._ask(_nothing_after(self.handler.authenticated(self.session, result.user)))
        if failure is not None:
            self.session.user = None
            return Response(454, "4.7.0", "Signing in is not possible at the moment")  # RFC 4954 section 6
        return Response(235, "2.7.0", "You have signed in")

    def _failed(self, response: Response) -> Response:
        self._sasl = None
        self._failed_auths += 1
        return response


async def _nothing_after(question: Awaitable[None]) -> None:
    await question


_LOCAL_ERROR = Response(451, "4.3.0", "Something went wrong here; try again later")


def _hello_problem(verb: str, argument: str) -> Response | None:
    # RFC 2034 section 4: no enhanced code in any answer to EHLO or HELO; RFC 5321 section 4.5.3.1.2: 255 octets
    if not argument or " " in argument or len(argument) > 255 or not argument.isascii():
        return Response(501, "", f"Expected {verb} and a domain or an address in brackets")
    return None


def _no_argument(verb: str) -> Response:
    return Response(501, "5.5.4", f"{verb} takes no argument")
