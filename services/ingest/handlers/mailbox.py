"""A mailbox that is read: each mail goes to RAW as the door's deliveries do. Nothing is moved, marked or deleted there.

How far it was read stands in RAW itself: with each mail the folder, its UIDVALIDITY and the mail's UID. A mail is
stored only where the last delivery of its account is still the one that the mark was read beside. So two processes that
read one mailbox store each mail once between them, and no lock, nor a second store, is needed. Where the server has
begun its UIDs anew, or RAW no longer holds a mark, all is read again: the events of a mail have the ids that they had.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from typing_extensions import override

from services.ingest.handlers import raw_marks
from services.ingest.handlers.accounts import Door
from services.ingest.handlers.imap_session import FetchedMail, ImapSession, Login
from services.ingest.handlers.raw_store import RawStore
from services.ingest.handlers.remote_reader import RemoteReader
from shared import errors, mailbox_address, subjects
from shared.access_tokens import AccessTokens
from shared.bus import Bus
from shared.clock import Clock
from shared.mailbox_address import Mark

CHANNEL = "email"
POLL_SECONDS = 60.0

T = TypeVar("T")


class Mailbox(RemoteReader):
    """Reads one account's folder for ever."""

    def __init__(
        self,
        door: Door,
        bus: Bus,
        store: RawStore,
        clock: Clock,
        mail_max_bytes: int,
        gateway: str = "",
    ) -> None:
        super().__init__(door, bus, store, clock)
        self._max_bytes = mail_max_bytes
        self._gateway = gateway
        self._tokens: AccessTokens | None = None
        self._address = mailbox_address.parse(door.rules.imap or "")
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"mailbox-{door.account}")
        self._session: ImapSession | None = None

    @override
    async def _follow(self) -> None:
        """Read what is new, then wait for more. Raises: TellonceError."""
        login = await self._login()
        try:
            opened = await self._in_thread(lambda: self._open(login))
        except errors.ProviderRefused:
            if self._tokens is not None:
                self._tokens.forget()
            raise
        self._opened()
        while True:
            behind, known = await self._last()
            after = known.uid if known and self._is_of(known, opened) else 0
            for uid in await self._in_thread(lambda after=after: opened.uids(after, self._address)):  # type: ignore[misc]
                mail = await self._in_thread(lambda uid=uid: opened.fetch(uid))  # type: ignore[misc]
                if mail is not None:
                    behind = await self._keep_mail(opened, mail, behind)
            self.trouble = None
            await self._in_thread(lambda: opened.wait(POLL_SECONDS))

    async def _login(self) -> Login:
        """Return what the mailbox is opened with. Raises: as `_secret` and `AccessTokens.token`."""
        user, provider = self._secret("user"), self._door.rules.oauth
        if provider is None:
            return Login(user, self._secret("password"))
        if self._tokens is None:
            needed = {name: self._secret(name) for name in ("client_id", "refresh_token")}
            secrets = {**self._door.secrets, **needed}
            self._tokens = AccessTokens(provider, secrets, self._gateway)
        return Login(user, await self._tokens.token(), by_token=True)

    def _open(self, login: Login) -> ImapSession:
        self._session = ImapSession(self._address, login, self._max_bytes)
        return self._session

    def _is_of(self, mark: Mark, session: ImapSession) -> bool:
        return (mark.folder, mark.validity) == (self._address.folder, session.validity)

    async def _keep_mail(self, session: ImapSession, mail: FetchedMail, behind: int) -> int:
        """Store a mail; return its position. Raises: DoorUnavailable, DeliveryOvertaken."""
        headers = [("content-type", "message/rfc822")]
        if mail.arrived is not None:
            headers.append(("imap-internaldate", mail.arrived.isoformat()))
        mark = Mark(self._address.folder, session.validity, mail.uid)
        return await self._keep("GET", mark.url, headers, mail.body, behind)

    async def _last(self) -> tuple[int, Mark | None]:
        """Return where the account's last delivery stands (0: nowhere) and the mark of the last from the mailbox."""
        subject = subjects.raw(self._door.tenant, CHANNEL, self._door.account)
        sequence, found = await raw_marks.last(self._bus, subject, mailbox_address.mark)
        return sequence, None if found is None else found.mark

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    @override
    def _let_go(self) -> None:
        """End the session, and whatever waits in it. Its thread closes it: one that is still being opened as well."""
        if self._session is not None:
            self._session.end()
        self._thread.submit(self._close)

    @override
    def _end(self) -> None:
        self._thread.shutdown(wait=False)

    def _close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()
