"""A telephone exchange that is listened to: its events go to RAW as they come, many in one delivery.

An exchange tells nothing twice. So each time that it is listened to anew it is asked which calls there are, and that is
compared with the calls that are not over by what RAW holds: docs/adr/0049.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TypeVar

from typing_extensions import override

from services.ingest.domain import pbx_memory
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
AGAIN_SECONDS = 5.0
"""When it is asked again after no answer came."""
SHORTEST_SECONDS = 0.01
OVERTAKEN_MAX = 10


STORING = (errors.DoorUnavailable, errors.BusUnavailable, errors.JetStreamRefused)

T = TypeVar("T")


def reads(door: Door) -> bool:
    """Tell whether an account's channel reads what an exchange tells."""
    return pbx_memory.GAP in door.channel.KINDS


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
        """Ask which calls there are, and store what comes; what has come before it breaks is stored too."""
        due = time.monotonic()
        self._stored = RENEW_DELIVERIES
        while True:
            if self._stored >= RENEW_DELIVERIES or (self._stored and time.monotonic() >= due):
                asked = await self._ask_for_calls(session)
                due = time.monotonic() + (RENEW_SECONDS if asked else AGAIN_SECONDS)
            told = await session.more(max(SHORTEST_SECONDS, due - time.monotonic()))
            if told:
                body = _body(self._memory.more(session.codec, told))
                await self._patiently(
                    lambda body=body: self._keep(  # type: ignore[misc]
                        "GET", pbx_memory.MORE_MARK, _headers(session), body
                    )
                )
                self._stored += 1
                self._memory.note(told)

    async def _patiently(self, step: Callable[[], Awaitable[T]]) -> T:
        """Return what a step gives, tried until RAW takes it. Raises: BusUnavailable when the bus was closed."""
        tries, before = 0, self.trouble
        while True:
            try:
                result = await step()
            except STORING as error:
                if self._bus.closed:
                    raise
                tries = min(tries + 1, remote_reader.REMEMBERED_TRIES)
                self._tell(error)
                await remote_reader.RETRY.pause(tries)
            else:
                if tries:
                    self.trouble = before
                return result

    async def _ask_for_calls(self, session: ExchangeSession) -> bool:
        """Store which calls there are, which are gone, and since when nobody listened; whether it could be asked.

        Raises: BusUnavailable when the bus was closed, ProviderNotUnderstood.
        """
        await self._patiently(self._catch_up)
        known = self._memory.open_calls()
        try:
            present = await session.present()
        except errors.ProviderUnavailable as error:
            self._tell(error)
            self._stored = 1
            return False
        await asyncio.sleep(SETTLE_SECONDS)
        self._memory.note(await self._patiently(lambda: self._keep_whole(session, known, present)))
        self._heard, self._stored = session.heard, 0
        self.trouble = None
        if present is None:
            self._tell(errors.ProviderRefused(cause="calls"))
        return True

    async def _keep_whole(
        self, session: ExchangeSession, known: Sequence[str], present: Sequence[RawRecord] | None
    ) -> list[RawRecord]:
        """Store the answer behind everything else; whoever is overtaken too often stores it all the same."""
        for left in reversed(range(OVERTAKEN_MAX)):
            behind = await self._catch_up()
            gap = self._heard is not None and self._heard < session.opened
            told = self._memory.whole(
                session.codec,
                known,
                present,
                session.waiting,
                seen=session.opened if gap else session.heard,
                since=self._heard if gap else None,
            )
            with contextlib.suppress(errors.DeliveryOvertaken):
                await self._keep(
                    "GET",
                    pbx_memory.WHOLE_MARK,
                    _headers(session),
                    _body(told),
                    behind if left else None,
                )
                return told
        raise errors.DoorUnavailable(cause="overtaken")

    async def _catch_up(self) -> int:
        """Learn what RAW holds and we have not read, also from other readers; return where its last delivery stands.

        Raises: BusUnavailable, JetStreamRefused.
        """
        if self._read_to is None:
            last, base = await raw_marks.last(self._bus, self._subject, _whole_mark)
            self._read_to = base.sequence - 1 if base else last
        else:
            newest = await self._bus.leader_get(streams.RAW, last_by_subject=self._subject)
            last = 0 if newest is None else newest.sequence
        first = self._read_to + 1
        async for each in raw_marks.between(self._bus, self._subject, first, last + 1):
            await self._remember(each)
            self._read_to = each.sequence
        return last

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
            self._memory.note(pbx_memory.records_of(whole.body))
        if pbx_memory.is_read(raw.path):
            self._heard = max(self._heard or raw.received, raw.received)


def _whole_mark(path: str) -> str | None:
    return path if path == pbx_memory.WHOLE_MARK else None


def _headers(session: ExchangeSession) -> Headers:
    return [("content-type", session.codec.media_type)]


def _body(told: Sequence[RawRecord]) -> bytes:
    return b"".join(each.raw for each in told)
