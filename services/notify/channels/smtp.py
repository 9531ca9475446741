"""The mail server that takes our mail: the one file that imports the SMTP driver.

The dialogue is cut in two, because only its second half can leave us in doubt:
connect, EHLO, MAIL and RCPT promise nothing; DATA hands the mail over (RFC 5321, section 4.1.1.4).
Addresses: `smtp://host:port` (plain, for a relay of our own), `smtps://[user:password@]host:port` (TLS).
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Protocol
from urllib.parse import unquote, urlsplit

import aiosmtplib
from aiosmtplib.errors import SMTPDataError, SMTPException, SMTPResponseException

from services.notify.channels.email import Mail
from shared.errors import SettingInvalid

COMMAND_TIMEOUT_SECONDS = 10.0
DATA_TIMEOUT_SECONDS = 60.0
QUIT_TIMEOUT_SECONDS = 1.0
PORTS = {"smtp": 25, "smtps": 465}


class MailRefused(Exception):
    """The server did not take the mail, and we know it.

    `reason`: `smtp_<code>` or `unreachable`; `temporary`: a later try may succeed.
    """

    def __init__(self, reason: str, *, temporary: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.temporary = temporary


class MailUncertain(Exception):
    """The connection ended while the mail was handed over: nobody knows whether the server has it."""


class Envelope(Protocol):
    """A recipient that the server is ready to take a mail for."""

    async def hand_over(self, content: bytes) -> None:
        """Give the mail to the server; it has it when this returns. Raises: MailRefused, MailUncertain."""
        ...


class MailServer(Protocol):
    """Takes mail."""

    def envelope(self, mail: Mail) -> contextlib.AbstractAsyncContextManager[Envelope]:
        """Open the dialogue up to RCPT; nothing of the mail has left. Raises on entering: MailRefused."""
        ...


class SmtpServer:
    """A mail server at a URL. Raises: SettingInvalid."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in PORTS or not parts.hostname:
            raise SettingInvalid("TELLONCE_SMTP_URL is not smtp://host:port or smtps://host:port")
        self._host = parts.hostname
        self._port = parts.port or PORTS[parts.scheme]
        self._tls = parts.scheme == "smtps"
        self._user = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password) if parts.password else None

    @contextlib.asynccontextmanager
    async def envelope(self, mail: Mail) -> AsyncIterator[Envelope]:
        """See `MailServer.envelope`."""
        client = self._client(mail.sender.rpartition("@")[2])
        try:
            await _open(client, mail)
            yield _SmtpEnvelope(client)
        finally:
            await _leave(client)

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


class _SmtpEnvelope:
    def __init__(self, client: aiosmtplib.SMTP) -> None:
        self._client = client

    async def hand_over(self, content: bytes) -> None:
        """See `Envelope.hand_over`."""
        try:
            await self._client.data(content, timeout=DATA_TIMEOUT_SECONDS)
        except SMTPDataError as error:
            raise _refused(error) from error
        except (SMTPException, OSError, TimeoutError) as error:
            raise MailUncertain() from error


async def _open(client: aiosmtplib.SMTP, mail: Mail) -> None:
    try:
        await client.connect()
    except (SMTPException, OSError, TimeoutError) as error:
        raise MailRefused("unreachable", temporary=True) from error
    try:
        await client.ehlo()
        await client.mail(mail.sender)
        await client.rcpt(mail.recipient)
    except SMTPResponseException as error:
        raise _refused(error) from error
    except (SMTPException, OSError, TimeoutError) as error:
        raise MailRefused("unreachable", temporary=True) from error


def _refused(error: SMTPResponseException) -> MailRefused:
    return MailRefused(f"smtp_{error.code}", temporary=400 <= error.code < 500)


async def _leave(client: aiosmtplib.SMTP) -> None:
    """Say good-bye, shortly: the outcome does not depend on it."""
    with contextlib.suppress(SMTPException, OSError, TimeoutError):
        if client.is_connected:
            await client.quit(timeout=QUIT_TIMEOUT_SECONDS)
    client.close()
