"""A telephone exchange that is listened to: its events go to RAW as they come, many in one delivery.

An exchange tells nothing twice. So each time that it is listened to anew it is asked which calls there are, and that is
compared with the calls that are not over by what RAW holds: docs/adr/0049.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime

from typing_extensions import override

from services.ingest.domain import pbx_calls, pbx_memory
from services.ingest.domain.delivery import Headers
from services.ingest.domain.pbx_memory import Memory, RawRecord
from services.ingest.handlers import ami_session, ari_session, raw_marks, raw_store, remote_reader
from services.ingest.handlers.accounts import Door
from services.ingest.handlers.body_store import BodyStore
from services.ingest.handlers.exchange_session import ExchangeSession
from services.ingest.handlers.raw_store import RawStore
from services.ingest.handlers.remote_reader import RemoteReader
from shared import errors, exchange_address, streams, subjects
from shared.bus import Bus
from shared.bus.deliveries import StoredMessage
from shared.clock import Clock

SETTLE_SECONDS = 1.0
"""How long a call's end may come behind the answer that no longer names it; also another reader's."""
RENEW_SECONDS = 900.0
RENEW_DELIVERIES = 1_000
"""When the exchange is asked again which calls there are: whoever begins reads RAW from there on."""
OVERTAKEN_MAX = 10
LAGGING_MAX = 50
LAGGING_SECONDS = 0.1
"""A replica of RAW may be behind its leader."""


class Exchange(RemoteReader):
    """Listens to one account's exchange for ever."""

    def __init__(
        self, door: Door, bus: Bus, store: RawStore, bodies: BodyStore, clock: Clock
    ) -> None:
        super().__init__(door, bus, store, clock)
        self._bodies = bodies
        self._subject = subjects.raw(door.tenant, door.channel.NAME, door.account)
        self._memory = Memory(door.channel.KINDS)
        self._read_to: int | None = None
        self._heard: datetime | None = None
        self._stored = 0

    @override
    async def _follow(self) -> None:
        """Listen until the connection breaks. Raises: TellonceError."""
        session = await self._connected()
        try:
            self._opened()
            await self._ask_for_calls(session)
            await self._listen(session)
        finally:
            self._heard = session.heard
            await session.close()

    async def _connected(self) -> ExchangeSession:
        rules = self._door.rules
        user, password = self._secret("user"), self._secret("password")
        if rules.ami is not None:
            return await ami_session.opened(
                exchange_address.ami(rules.ami), user, password, self._clock
            )
        address = exchange_address.ari(rules.ari or "")
        return await ari_session.opened(address, user, password, self._clock)

    async def _listen(self, session: ExchangeSession) -> None:
        due = time.monotonic() + RENEW_SECONDS
        while True:
            pieces = await session.more(max(0.01, due - time.monotonic()))
            if pieces:
                await self._keep_more(session, pieces)
            if time.monotonic() >= due or self._stored >= RENEW_DELIVERIES:
                due = time.monotonic() + RENEW_SECONDS
                if self._stored:
                    await self._ask_for_calls(session)

    async def _keep_more(self, session: ExchangeSession, pieces: Sequence[RawRecord]) -> None:
        """Store events, behind what was told before of their calls, trying until they are."""
        told = self._memory.beside(pieces)
        before = [*told, pbx_memory.before(session.codec)] if told else []
        body = b"".join(each.raw for each in (*before, *pieces))
        tries = 0
        while True:
            try:
                await self._keep("GET", pbx_memory.MORE_MARK, _headers(session), body)
                break
            except errors.DoorUnavailable as error:
                if self._bus.closed:
                    raise
                tries = min(tries + 1, remote_reader.REMEMBERED_TRIES)
                self._tell(error)
                await remote_reader.RETRY.pause(tries)
        if tries:
            self.trouble = None
        self._stored += 1
        self._memory.note(pieces)

    async def _ask_for_calls(self, session: ExchangeSession) -> None:
        """Store which calls there are, which are gone, and since when nobody listened.

        Raises: ProviderUnavailable, ProviderNotUnderstood, DoorUnavailable, BusUnavailable, JetStreamRefused.
        """
        await self._catch_up()
        known = self._memory.open_calls()
        present = await session.present()
        await asyncio.sleep(SETTLE_SECONDS)
        body: list[RawRecord] = []
        for left in reversed(range(OVERTAKEN_MAX)):
            behind = await self._catch_up()
            body = self._whole(session, present, known)
            try:
                await self._keep(
                    "GET",
                    pbx_memory.WHOLE_MARK,
                    _headers(session),
                    b"".join(each.raw for each in body),
                    behind if left else None,
                )
                break
            except errors.DeliveryOvertaken:
                continue
        self._heard, self._stored = session.heard, 0
        self._memory.note(body)
        self.trouble = None
        if present is None:
            self._tell(errors.ProviderRefused(cause="calls"))

    def _whole(
        self,
        session: ExchangeSession,
        present: Sequence[RawRecord] | None,
        known: Sequence[str],
    ) -> list[RawRecord]:
        """Return what is told when the exchange was asked: what was known, the gap, what is gone, what is there."""
        codec = session.codec
        since = self._heard
        gap = since is not None and since < session.opened
        told = [pbx_memory.gap(codec, since, session.opened)] if since and gap else []
        if present is not None:
            ended = [each for each in session.waiting if each.record.name in pbx_memory.ENDS]
            here = {pbx_calls.leg_of(each.record).id for each in (*present, *ended)}
            still = set(self._memory.open_calls()) - here
            seen = session.opened if gap else session.heard
            told += [pbx_memory.gone(codec, call, seen) for call in known if call in still]
        return [
            *self._memory.everything(),
            pbx_memory.before(codec),
            *told,
            *(present or ()),
        ]

    async def _catch_up(self) -> int:
        """Learn what RAW holds and we have not read, also from other readers; return where its last delivery stands.

        Raises: BusUnavailable, JetStreamRefused, DoorUnavailable.
        """
        if self._read_to is None:
            last, base = await raw_marks.last(self._bus, self._subject, _whole_mark)
            self._read_to = base.sequence - 1 if base else last
        else:
            newest = await self._bus.leader_get(streams.RAW, last_by_subject=self._subject)
            last = 0 if newest is None else newest.sequence
        for _ in range(LAGGING_MAX):
            first = self._read_to + 1
            async for each in raw_marks.between(self._bus, self._subject, first, last + 1):
                await self._remember(each)
                self._read_to = each.sequence
            if self._read_to >= last:
                return last
            await asyncio.sleep(LAGGING_SECONDS)
        raise errors.DoorUnavailable(cause="replica_lags")

    async def _remember(self, message: StoredMessage) -> None:
        raw = raw_store.raw_delivery(
            self._door.tenant,
            self._door.name,
            self._door.rules,
            sequence=message.sequence,
            body=message.body,
            fields=message.headers,
            stored=message.stored,
        )
        async with self._bodies.whole(raw) as whole:
            self._memory.note(pbx_memory.pieces_of(whole.body))
        if pbx_memory.is_read(raw.path):
            self._heard = max(self._heard or raw.received, raw.received)


def _whole_mark(path: str) -> str | None:
    return path if path == pbx_memory.WHOLE_MARK else None


def _headers(session: ExchangeSession) -> Headers:
    return [("content-type", session.codec.media_type)]
