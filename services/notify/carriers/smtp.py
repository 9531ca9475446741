"""Hands mail to our mail server: no other file imports the SMTP driver.

A mail transaction (RFC 5321, section 3.3) is cut in two, because only its last step can leave us in doubt: a server
that loses us before the final dot drops the mail, after it the mail is the server's (sections 4.1.1.4 and 6.1).
Addresses: `smtp://host:port` (plain, for a relay of our own), `smtps://[user:password@]host:port` (TLS). An account may
have a server of its own, which is opened by a password or by access tokens (`smtp_login`).
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from urllib.parse import unquote, urlsplit

import aiosmtplib
from aiosmtplib.errors import (
    SMTPAuthenticationError,
    SMTPDataError,
    SMTPException,
    SMTPResponseException,
)
from aiosmtplib.typing import SMTPStatus

from services.notify.carriers import NotTaken, Transaction, Unanswered
from services.notify.carriers.smtp_login import (
    CHALLENGE,
    HEARD,
    TAKEN,
    TRIES,
    TokenLogin,
    TokenLogins,
)
from services.notify.channels.email import Mail, OwnServer
from services.notify.domain.messages import Unsendable
from shared.errors import SettingInvalid

NAME = "smtp"
COMMAND_TIMEOUT_SECONDS = 10.0
COMMIT_TIMEOUT_SECONDS = 60.0
PIECE_BYTES = 65_536
"""The content is written in pieces; each has to leave this process within COMMAND_TIMEOUT_SECONDS."""
WRITTEN_POLL_SECONDS = 0.005
QUIT_TIMEOUT_SECONDS = 1.0
PORTS = {"smtp": 25, "smtps": 465}
_ADDRESS = re.compile(r"[!#-;=?-~]+@[!#-;=?-~]+\Z")
"""An address as MAIL and RCPT take it here: visible ASCII, no angle brackets or quotation marks."""


class SmtpServer:
    """The carrier of mails: a server at a URL, which answers with reply codes. Raises: SettingInvalid.

    `gateway`: before the providers of access tokens, see `addresses.through`.
    """

    def __init__(self, url: str, gateway: str = "") -> None:
        self._logins = TokenLogins(gateway)
        parts = urlsplit(url)
        if parts.scheme not in PORTS or not parts.hostname:
            raise SettingInvalid("TELLONCE_SMTP_URL is not smtp://host:port or smtps://host:port")
        self._host = parts.hostname
        self._port = parts.port or PORTS[parts.scheme]
        self._tls = parts.scheme == "smtps"
        self._user = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password) if parts.password else None

    @contextlib.asynccontextmanager
    async def transaction(self, request: Mail) -> AsyncIterator[Transaction]:
        """See `Carrier.transaction`: all of the mail but its final dot."""
        if not all(map(_ADDRESS.match, (request.sender, request.recipient))):
            raise Unsendable("address_invalid")
        own_name = request.sender.rpartition("@")[2]
        if request.own_server is None:
            transaction = _SmtpTransaction(self._client(own_name))
        else:
            login = self._logins.of(request.own_server)
            transaction = _SmtpTransaction(_submitting(request.own_server, own_name), login)
        try:
            await transaction.begin(request)
            yield transaction
        finally:
            await transaction.leave()

    def _client(self, own_name: str) -> aiosmtplib.SMTP:
        return aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            use_tls=self._tls,
            start_tls=False,
            username=self._user,
            password=self._password,
            local_hostname=own_name,
            timeout=COMMAND_TIMEOUT_SECONDS,
        )


def _submitting(by: OwnServer, own_name: str) -> aiosmtplib.SMTP:
    """Return a client of an account's own server, which hears no secret before the connection is encrypted."""
    return aiosmtplib.SMTP(
        hostname=by.address.host,
        port=by.address.port,
        use_tls=by.address.encrypted,
        start_tls=not (by.address.encrypted or by.address.here),
        username=None if by.oauth else by.user,
        password=None if by.oauth else by.secrets["password"],
        local_hostname=own_name,
        timeout=COMMAND_TIMEOUT_SECONDS,
    )


class _SmtpTransaction:
    def __init__(self, client: aiosmtplib.SMTP, login: TokenLogin | None = None) -> None:
        self._client = client
        self._login = login
        self._amid_content = False

    async def begin(self, mail: Mail) -> None:
        """Connect and send all but the dot. Raises: NotTaken, Unsendable."""
        try:
            await self._client.connect()
            if self._login is not None:
                await self._log_in(self._login)
        except SMTPAuthenticationError as error:
            raise NotTaken(error.code) from error
        except (SMTPException, OSError, TimeoutError) as error:
            raise NotTaken() from error
        try:
            await self._client.ehlo()
            await self._client.mail(mail.sender)
            await self._client.rcpt(mail.recipient)
            await self._begin_content(mail.content)
        except SMTPResponseException as error:
            # Any other code is no answer of this protocol (RFC 5321, section 4.2): the next try may get one.
            raise NotTaken(error.code if 400 <= error.code < 600 else None) from error
        except (SMTPException, OSError, TimeoutError) as error:
            raise NotTaken() from error

    async def _log_in(self, login: TokenLogin) -> None:
        """Log in by an access token. Raises: NotTaken, Unsendable, SMTPException."""
        await self._client.ehlo()
        for last in (False,) * (TRIES - 1) + (True,):
            mechanism, said = await login.words(self._client.server_auth_methods)
            answer = await self._client.execute_command(b"AUTH", mechanism, said)
            if answer.code == CHALLENGE:
                answer = await self._client.execute_command(HEARD[mechanism])
            if answer.code == TAKEN:
                return
            login.forget()
            if last:
                raise SMTPAuthenticationError(answer.code, answer.message)

    async def _begin_content(self, content: bytes) -> None:
        """Send the lines now and the dot later, which `aiosmtplib.SMTP.data` cannot.

        What the system's own buffers hold may still be lost; what this process could not hand to them is not sent.
        """
        answer = await self._client.execute_command(b"DATA")
        protocol = self._client.protocol
        if answer.code != SMTPStatus.start_input or protocol is None:
            raise SMTPDataError(answer.code, answer.message)
        self._amid_content = True
        lines = _content_lines(content)
        for start in range(0, len(lines), PIECE_BYTES):
            protocol.write(lines[start : start + PIECE_BYTES])
            await _until_written(protocol.transport)

    async def commit(self) -> int:
        """See `Transaction.commit`: the dot, and the code of its reply."""
        if not self._client.is_connected:
            raise NotTaken()
        try:
            answer = await self._client.execute_command(b".", timeout=COMMIT_TIMEOUT_SECONDS)
        except (SMTPException, OSError, TimeoutError) as error:
            raise Unanswered() from error
        self._amid_content = False
        return answer.code

    async def again(self, pause_seconds: float) -> bool:  # noqa: ARG002  the shape all carriers share
        """See `Transaction.again`: the server has dropped the mail."""
        return False

    async def leave(self) -> None:
        """Say good-bye, shortly: no outcome depends on it. Amid the content only the closed connection says it."""
        with contextlib.suppress(SMTPException, OSError, TimeoutError):
            if self._client.is_connected and not self._amid_content:
                await self._client.quit(timeout=QUIT_TIMEOUT_SECONDS)
        self._client.close()


async def _until_written(transport: asyncio.BaseTransport | None) -> None:
    """Wait until the transport holds nothing any more. Raises: TimeoutError, ConnectionError when it was closed."""
    if not isinstance(transport, asyncio.WriteTransport):
        raise ConnectionResetError
    async with asyncio.timeout(COMMAND_TIMEOUT_SECONDS):
        while transport.get_write_buffer_size():  # noqa: ASYNC110  the transport wakes nobody but its protocol
            await asyncio.sleep(WRITTEN_POLL_SECONDS)
    if transport.is_closing():
        raise ConnectionResetError


def _content_lines(content: bytes) -> bytes:
    """Return the lines as they travel: each ends with CRLF, a leading dot is doubled (RFC 5321, section 4.5.2)."""
    return b"".join(b"." * line.startswith(b".") + line + b"\r\n" for line in content.splitlines())
