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

import structlog

from services.ingest.domain.delivery import WebRequest
from services.ingest.handlers import logged
from services.ingest.handlers.accounts import Door
from services.ingest.handlers.imap_session import FetchedMail, ImapSession
from services.ingest.handlers.raw_store import PATH_FIELD, RawStore
from shared import errors, mailbox_address, streams, subjects
from shared.backoff import Backoff
from shared.bus import Bus
from shared.clock import Clock
from shared.mailbox_address import Mark
from shared.readiness import Trouble

CHANNEL = "email"
POLL_SECONDS = 60.0
RETRY = Backoff(first_seconds=1.0, longest_seconds=60.0)
LOOKED_BACK = 256
"""Deliveries of the account that are looked at first for the last one of the mailbox; then ever more."""
LOOK_BATCH = 256
REMEMBERED_TRIES = 16

T = TypeVar("T")

log = structlog.get_logger("ingest")


class Mailbox:
    """Reads one account's folder for ever. `trouble`: what keeps it from that."""

    def __init__(
        self, door: Door, bus: Bus, store: RawStore, clock: Clock, mail_max_bytes: int
    ) -> None:
        self._door = door
        self._bus = bus
        self._store = store
        self._clock = clock
        self._max_bytes = mail_max_bytes
        self._address = mailbox_address.parse(door.rules.imap or "")
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"mailbox-{door.account}")
        self._session: ImapSession | None = None
        self.trouble: Trouble | None = None

    async def run(self) -> None:
        """Read, and begin anew after whatever keeps it from reading. Raises: BusUnavailable when the bus was closed."""
        tries = 0
        try:
            while True:
                try:
                    await self._follow()
                except errors.DeliveryOvertaken:
                    tries = 0
                    continue
                except errors.TellonceError as error:
                    if self._bus.closed:
                        raise
                    tries = 1 if self.trouble is None else min(tries + 1, REMEMBERED_TRIES)
                    self._tell(error)
                finally:
                    self._let_go()
                await RETRY.pause(tries)
        finally:
            self._thread.shutdown(wait=False)

    def _tell(self, error: errors.TellonceError) -> None:
        if self.trouble is None or self.trouble.code != error.code:
            cause = error.details.get("cause")
            log.error(logged.MAILBOX_UNREAD, account=self._door.name, code=error.code, cause=cause)
        self.trouble = Trouble(code=error.code, about=self._door.name)

    async def _follow(self) -> None:
        """Read what is new, then wait for more. Raises: TellonceError."""
        user, password = (self._door.secrets.get(name) for name in ("user", "password"))
        if user is None or password is None:
            raise errors.MailboxWithoutSecrets
        opened = await self._in_thread(lambda: self._open(user, password))
        log.info(logged.MAILBOX_OPENED, account=self._door.name)
        while True:
            behind, known = await self._last()
            after = known.uid if known and self._is_of(known, opened) else 0
            for uid in await self._in_thread(lambda after=after: opened.uids(after, self._address)):  # type: ignore[misc]
                mail = await self._in_thread(lambda uid=uid: opened.fetch(uid))  # type: ignore[misc]
                if mail is not None:
                    behind = await self._keep(opened, mail, behind)
            self.trouble = None
            await self._in_thread(lambda: opened.wait(POLL_SECONDS))

    def _open(self, user: str, password: str) -> ImapSession:
        self._session = ImapSession(self._address, user, password, self._max_bytes)
        return self._session

    def _is_of(self, mark: Mark, session: ImapSession) -> bool:
        return (mark.folder, mark.validity) == (self._address.folder, session.validity)

    async def _keep(self, session: ImapSession, mail: FetchedMail, behind: int) -> int:
        """Store a mail; return its position. Raises: DoorUnavailable, DeliveryOvertaken."""
        headers = [("content-type", "message/rfc822")]
        if mail.arrived is not None:
            headers.append(("imap-internaldate", mail.arrived.isoformat()))
        mark = Mark(self._address.folder, session.validity, mail.uid)
        request = WebRequest("GET", mark.url, headers, mail.body, self._clock.now())
        door = self._door
        ack = await self._store.append(door.tenant, CHANNEL, door.account, request, behind=behind)
        log.info(
            logged.DELIVERY_STORED,
            tenant=door.tenant,
            channel=CHANNEL,
            account=door.account,
            sequence=ack.sequence,
            body_bytes=len(mail.body),
        )
        return ack.sequence

    async def _last(self) -> tuple[int, Mark | None]:
        """Return where the account's last delivery stands (0: nowhere) and the mark of the last from the mailbox."""
        subject = subjects.raw(self._door.tenant, CHANNEL, self._door.account)
        last = await self._bus.leader_get(streams.RAW, last_by_subject=subject)
        if last is None:
            return 0, None
        found = mailbox_address.mark(last.headers.get(PATH_FIELD, ""))
        end, span = last.sequence, LOOKED_BACK
        while found is None and end > 1:
            first = max(1, end - span)
            found = await self._mark_between(subject, first, end)
            end, span = first, span * 2
        return last.sequence, found

    async def _mark_between(self, subject: str, first: int, end: int) -> Mark | None:
        """Return the last mark of a stretch of RAW, its end left out; other accounts' deliveries lie between."""
        found: Mark | None = None
        while first < end:
            answer = await self._bus.direct_get(
                streams.RAW, sequence=first, subject=subject, batch=LOOK_BATCH
            )
            within = [each for each in answer.messages if each.sequence < end]
            for each in within:
                found = mailbox_address.mark(each.headers.get(PATH_FIELD, "")) or found
            if not within or len(within) < len(answer.messages):
                return found
            first = within[-1].sequence + 1
        return found

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _let_go(self) -> None:
        """End the session, and whatever waits in it. Its thread closes it: one that is still being opened as well."""
        if self._session is not None:
            self._session.end()
        self._thread.submit(self._close)

    def _close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()
