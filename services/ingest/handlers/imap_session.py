"""A connection to a mailbox. All of it blocks, and belongs into a thread of its own; each step is bounded in time.

The folder is opened for reading only, and mails are fetched by BODY.PEEK: nothing is changed there, not even what is
marked as read (RFC 9051, sections 6.3.3 and 6.4.5, read 2026-11-29).
"""

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from imapclient import IMAPClient  # type: ignore[import-untyped]
from imapclient.exceptions import IMAPClientError, LoginError  # type: ignore[import-untyped]

from shared import errors
from shared.mailbox_address import MailboxAddress

TIMEOUT_SECONDS = 15.0
IDLE_SLICE_SECONDS = 0.5
"""How long a session waits before it looks whether it is to end."""


@dataclass(frozen=True, slots=True)
class FetchedMail:
    """`body`: as the server holds it, from its beginning; `arrived`: when it came there, `None`: not told."""

    uid: int
    body: bytes
    arrived: datetime | None


@dataclass(frozen=True, slots=True)
class Login:
    """Who logs in, by a password or by an access token."""

    user: str
    secret: str = field(repr=False)
    by_token: bool = False


class ImapSession:
    """A folder that is open. `validity`: under which its UIDs mean something."""

    def __init__(self, address: MailboxAddress, login: Login, max_bytes: int) -> None:
        """Connect, log in and open. Raises: ProviderUnavailable, ProviderRefused."""
        self._max_bytes = max_bytes
        self._ended = False
        with _translated():
            self._client = _connected(address)
            try:
                self._log_in(login)
                opened = self._client.select_folder(address.folder, readonly=True)
                self.validity = int(opened[b"UIDVALIDITY"])
                self._idles = self._client.has_capability("IDLE")
            except BaseException:
                self.close()
                raise

    def _log_in(self, login: Login) -> None:
        """Log in; by a token as the large providers have it (XOAUTH2), else by the standard (OAUTHBEARER, RFC 7628)."""
        if not login.by_token:
            self._client.login(login.user, login.secret)
        elif self._client.has_capability("AUTH=OAUTHBEARER") and not self._client.has_capability(
            "AUTH=XOAUTH2"
        ):
            self._client.oauthbearer_login(login.user, login.secret)
        else:
            self._client.oauth2_login(login.user, login.secret)

    def uids(self, after: int, address: MailboxAddress) -> list[int]:
        """Return the UIDs of the mails behind one, in order. Raises: ProviderUnavailable."""
        criteria: list[Any] = ["UID", f"{after + 1}:*"]
        if address.since is not None and not after:
            criteria += ["SINCE", address.since]
        with _translated():
            # `n:*` always names the last mail, also where its UID is below n.
            return sorted(uid for uid in self._client.search(criteria) if uid > after)

    def fetch(self, uid: int) -> FetchedMail | None:
        """Return a mail, of a larger one its beginning; `None` where it is gone. Raises: ProviderUnavailable."""
        with _translated():
            found = self._client.fetch([uid], [f"BODY.PEEK[]<0.{self._max_bytes}>", "INTERNALDATE"])
        answer = found.get(uid)
        if answer is None:
            return None
        body = answer.get(b"BODY[]<0>") or answer.get(b"BODY[]")
        if body is None:
            return None
        arrived = answer.get(b"INTERNALDATE")
        return FetchedMail(
            uid, bytes(body), arrived.astimezone(UTC) if arrived is not None else None
        )

    def wait(self, seconds: float) -> None:
        """Wait until the server has news, the session is to end, or the time is over. Raises: ProviderUnavailable."""
        with _translated():
            if self._idles:
                self._client.idle()
            waited = 0.0
            news: list[Any] = []
            while waited < seconds and not news and not self._ended:
                if self._idles:
                    news = self._client.idle_check(timeout=IDLE_SLICE_SECONDS)
                else:
                    time.sleep(IDLE_SLICE_SECONDS)
                waited += IDLE_SLICE_SECONDS
            if self._idles:
                self._client.idle_done()
            else:
                self._client.noop()

    def end(self) -> None:
        """Let whatever waits for the server return at once; from any thread."""
        self._ended = True
        with contextlib.suppress(OSError, AttributeError):
            self._client.socket().shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go. The server needs no good-bye: nothing was changed there."""
        with contextlib.suppress(IMAPClientError, OSError, AttributeError):
            self._client.shutdown()


def _connected(address: MailboxAddress) -> IMAPClient:
    context = ssl.create_default_context()
    client = IMAPClient(
        address.host,
        port=address.port,
        ssl=address.encrypted,
        ssl_context=context if address.encrypted else None,
        timeout=TIMEOUT_SECONDS,
    )
    client.normalise_times = False
    if not address.encrypted and not address.here:
        try:
            client.starttls(context)
        except BaseException:
            client.shutdown()
            raise
    return client


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Raises: ProviderUnavailable, ProviderRefused for what the client raises: a server may answer anything."""
    try:
        yield
    except LoginError as error:
        raise errors.ProviderRefused from error
    except (IMAPClientError, OSError, ssl.SSLError, ValueError, KeyError, AttributeError) as error:
        raise errors.ProviderUnavailable(cause=type(error).__name__) from error
