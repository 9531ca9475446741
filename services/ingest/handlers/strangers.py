"""Which chats may begin although nobody vouches for the visitor: so many a minute of an address and of an account.

A conversation in the ledger stands for ever, so who opens one is asked for more than who goes on with one. A session
that was let in goes on, also after a restart: it is found again in RAW. The counts are this process's own.
"""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Iterable

from services.ingest.channels import chat
from services.ingest.handlers.accounts import Door
from services.ingest.handlers.pace import Pace
from shared import errors, streams, subjects
from shared.bus import Bus
from shared.settings import Settings

SESSIONS_MAX = 20_000
ADDRESSES_MAX = 20_000
"""Beyond them the one longest unused is forgotten; the account's own rate still holds."""
RECALLED_POSITIONS = 20_000
RECALL_SECONDS = 1.0
RECALL_BATCH = 256

Key = tuple[str, str, str]
"""Tenant, account, and a session or an address; an empty address is the account's own."""


class Strangers:
    """Keeps the sessions that were let in and how many more may come."""

    def __init__(self, settings: Settings) -> None:
        self._per_minute = settings.chat_messages_per_minute
        self._sessions: OrderedDict[Key, Pace] = OrderedDict()
        self._addresses: OrderedDict[Key, Pace] = OrderedDict()

    def let_in(self, door: Door, peer: str, session: str, *, vouched: bool) -> Pace:
        """Return the pace of a session, which all of its sockets share. `vouched`: the shop signed who she is.

        Raises: StrangersTooMany, and nothing is counted then.
        """
        key = (door.tenant, door.account, session)
        if key not in self._sessions and not vouched:
            self._count(door, peer)
        pace = self._remember(key)
        if pace.is_overdrawn():
            raise errors.StrangersTooMany("this chat writes faster than it may; try again later")
        return pace

    def knows(self, door: Door, session: str) -> bool:
        """Tell whether a session was let in."""
        return (door.tenant, door.account, session) in self._sessions

    async def recall(self, bus: Bus, doors: Iterable[Door]) -> None:
        """Find the sessions in the last RECALLED_POSITIONS of RAW, as far as that takes RECALL_SECONDS."""
        with contextlib.suppress(TimeoutError, errors.TellonceError):
            async with asyncio.timeout(RECALL_SECONDS):
                end = int((await bus.api(f"STREAM.INFO.{streams.RAW}"))["state"]["last_seq"])
                for door in doors:
                    if door.channel.NAME == chat.NAME:
                        await self._recall_account(bus, door, max(1, end - RECALLED_POSITIONS))

    async def _recall_account(self, bus: Bus, door: Door, first: int) -> None:
        subject = subjects.raw(door.tenant, chat.NAME, door.account)
        while True:
            found = await bus.direct_get(
                streams.RAW, sequence=first, subject=subject, batch=RECALL_BATCH
            )
            if not found.messages:
                return
            for message in found.messages:
                session = chat.session_of(message.body)
                if session is not None:
                    self._remember((door.tenant, door.account, session))
            first = found.messages[-1].sequence + 1

    def _count(self, door: Door, peer: str) -> None:
        """Count a new session. Raises: StrangersTooMany."""
        limits = door.rules.strangers
        asked = [
            _kept(self._addresses, (door.tenant, door.account, ""), limits.account_per_minute),
            _kept(self._addresses, (door.tenant, door.account, peer), limits.address_per_minute),
        ]
        if not all(pace.has_room() for pace in asked):
            raise errors.StrangersTooMany
        for pace in asked:
            pace.take()
        while len(self._addresses) > ADDRESSES_MAX:
            self._addresses.popitem(last=False)

    def _remember(self, key: Key) -> Pace:
        pace = _kept(self._sessions, key, self._per_minute)
        while len(self._sessions) > SESSIONS_MAX:
            self._sessions.popitem(last=False)
        return pace


def _kept(paces: OrderedDict[Key, Pace], key: Key, per_minute: int) -> Pace:
    """Return the pace of a key, a new one for a new key, and note that it was used."""
    pace = paces.setdefault(key, Pace(per_minute))
    paces.move_to_end(key)
    return pace
