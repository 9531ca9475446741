"""A provider's list of calls that is asked for: each call goes to RAW as the door's deliveries do.

So a call whose webhook was lost stands here once, and one whose webhook came is the same call: both name it alike. The
list is asked for from the last call that RAW holds of it, with an overlap in which entries still change; what RAW holds
already, as the same bytes, is not stored again.
"""

import asyncio
from datetime import datetime

from typing_extensions import override

from services.ingest.domain import list_marks
from services.ingest.domain.delivery import Secrets
from services.ingest.domain.fetching import Unfetchable, own_hosts
from services.ingest.domain.list_marks import SeenEntries
from services.ingest.handlers import raw_marks
from services.ingest.handlers.accounts import Door
from services.ingest.handlers.http_files import HttpFiles
from services.ingest.handlers.raw_store import PATH_FIELD, RawStore
from services.ingest.handlers.remote_reader import RemoteReader
from services.ingest.lists import LISTS, CallList, Entry
from shared import errors, ids, streams, subjects
from shared.bus import Bus
from shared.bus.deliveries import StoredMessage
from shared.clock import Clock

ANSWER_MAX_BYTES = 33_554_432
ANSWERS_MAX = 64
"""Of one round; the next one goes on where it ended. A provider that sends back to where it was asked from ends it."""
REFUSALS = frozenset({401, 403})
ENTRY_HEADERS = [("content-type", "application/json")]


class CallListReader(RemoteReader):
    """Asks for one account's list of calls, every `poll` seconds."""

    def __init__(self, door: Door, bus: Bus, store: RawStore, clock: Clock, web: HttpFiles) -> None:
        super().__init__(door, bus, store, clock)
        self._web = web
        self._now = clock.now
        self._subject = subjects.raw(door.tenant, door.channel.NAME, door.account)
        self._seen = SeenEntries(self._now)
        self._behind = 0

    @override
    async def _follow(self) -> None:
        listed = LISTS.get(self._door.channel.NAME)
        if listed is None:
            raise errors.ProviderWithoutList
        secrets = {name: self._secret(name) for name in listed.SECRETS}
        await self._recall(listed)
        self._opened()
        while True:
            await self._read(listed, secrets)
            self.trouble = None
            await asyncio.sleep(self._door.rules.poll or 0)

    async def _read(self, listed: CallList, secrets: Secrets) -> None:
        """Store what the list has and RAW has not. Raises: TellonceError."""
        await self._catch_up()
        self._seen.forget(listed.OVERLAP)
        since = self._seen.since(listed.OVERLAP)
        for _ in range(ANSWERS_MAX):
            page = listed.read(await self._asked(listed, secrets, since))
            if page is None:
                raise errors.ProviderNotUnderstood
            for entry in page.entries:
                await self._take(entry)
            if page.onward is None or (since is not None and page.onward <= since):
                return
            since = page.onward

    async def _asked(self, listed: CallList, secrets: Secrets, since: datetime | None) -> bytes:
        """Raises: ProviderRefused, ProviderUnavailable."""
        request = listed.ask(self._door.rules, secrets, since)
        try:
            answer = await self._web.get(request, [*listed.HOSTS, *own_hosts(self._door.rules)])
        except Unfetchable as error:
            if error.status in REFUSALS:
                raise errors.ProviderRefused(cause=error.reason) from error
            raise errors.ProviderUnavailable(cause=error.reason) from error
        return answer.body

    async def _take(self, entry: Entry) -> None:
        """Store an entry, unless RAW has it. Raises: DoorUnavailable."""
        known = (entry.mark, ids.body_sha256(entry.body))
        self._seen.show(entry.mark)
        while known not in self._seen:
            try:
                url = entry.mark.url
                self._behind = await self._keep("GET", url, ENTRY_HEADERS, entry.body, self._behind)
                self._seen.note(*known)
            except errors.DeliveryOvertaken:
                await self._catch_up()

    # -- what RAW holds of the list ------------------------------------------------------------------------

    async def _recall(self, listed: CallList) -> None:
        """Look back in RAW as far as the list is asked for again."""
        self._seen = SeenEntries(self._now)
        newest = await self._newest()
        self._behind = 0 if newest is None else newest.sequence
        for first, end in raw_marks.stretches(self._behind + 1):
            await self._note_between(first, end)
            if self._seen.reaches(listed.OVERLAP):
                return

    async def _catch_up(self) -> None:
        """Note what others have stored meanwhile."""
        newest = await self._newest()
        if newest is not None and newest.sequence > self._behind:
            await self._note_between(self._behind + 1, newest.sequence)
            self._note(newest)
            self._behind = newest.sequence

    async def _newest(self) -> StoredMessage | None:
        return await self._bus.leader_get(streams.RAW, last_by_subject=self._subject)

    async def _note_between(self, first: int, end: int) -> None:
        async for each in raw_marks.between(self._bus, self._subject, first, end):
            self._note(each)

    def _note(self, message: StoredMessage) -> None:
        mark = list_marks.mark(message.headers.get(PATH_FIELD, ""))
        if mark is not None:
            self._seen.note(mark, ids.body_sha256(message.body))
