"""The query `balance`: every delivery of a range of RAW, parsed again and looked up in history (I12)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Annotated, Any

import msgspec
import structlog
from msgspec import Meta

from services.ingest.domain import tally
from services.ingest.domain.delivery import RawDelivery
from services.ingest.domain.outcome import Quarantined
from services.ingest.domain.tally import Counts
from services.ingest.handlers import logged
from services.ingest.handlers.accounts import Accounts, Door
from services.ingest.handlers.parsing import read_all
from services.ingest.handlers.raw_store import raw_delivery
from shared import errors, streams, subjects
from shared.bus import Bus
from shared.bus.deliveries import StoredMessage
from shared.codec import UNREADABLE
from shared.commands import Problem
from shared.events import RawRef

PAGE_DELIVERIES = 64
"""Deliveries held in memory at once, each at most 256 KiB."""

POSITIONS_MAX = 100_000
"""Positions of RAW that one answer covers; its `to` says how far it goes, and the next one begins behind it."""

KNOWN_IDS_MAX = 200
KNOWN_TIMEOUT_SECONDS = 10.0

Position = Annotated[int, Meta(ge=0)]

log = structlog.get_logger("ingest")


class BalanceQuery(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    rename={"first": "from", "last": "to"},
):
    """Which deliveries: of one channel, one account (or all), between two positions of RAW, both included.

    `min_seq`: ledger position that history must have reached; without it, the ledger's end at this moment.
    """

    channel: str | None = None
    account: str | None = None
    first: Position | None = None
    last: Position | None = None
    min_seq: Position | None = None


class Balance(Counts, kw_only=True, rename={"last": "to"}):
    """The answer. `position`: the ledger position it is true for; `last` (`to`): the last RAW position counted.

    `accounts`: the same counts by `<channel>/<account>`.
    """

    position: int
    last: int
    accounts: dict[str, Counts]


class _Known(msgspec.Struct):
    sequence: int
    raw: str | None = None


class _KnownAnswer(msgspec.Struct):
    """History's answer to `known`, or its refusal."""

    position: int = 0
    known: dict[str, _Known] = {}
    error: Problem | None = None


_query = msgspec.json.Decoder(BalanceQuery)
_known_answer = msgspec.json.Decoder(_KnownAnswer)


class BalanceHandler:
    """Answers `query.<tenant>.balance`."""

    def __init__(self, bus: Bus, accounts: Accounts) -> None:
        self._bus = bus
        self._accounts = accounts

    async def answer(self, tenant: str, body: bytes) -> Balance:
        """Return the reply to one request.

        Raises: CommandUnreadable, TenantUnknown, ViewUnavailable, BusUnavailable.
        """
        balance = await self.balance(tenant, _asked(body))
        log.info(
            logged.BALANCE_ANSWERED,
            tenant=tenant,
            received=balance.received,
            missing=balance.missing,
        )
        return balance

    async def balance(self, tenant: str, query: BalanceQuery) -> Balance:
        """Raises: TenantUnknown, ViewUnavailable when history is away, BusUnavailable."""
        _, ledger_end = await self._ends(streams.LEDGER)
        min_seq = ledger_end if query.min_seq is None else query.min_seq
        raw_start, raw_end = await self._ends(streams.RAW)
        first = max(query.first or 0, raw_start)
        wanted = raw_end if query.last is None else query.last
        last = min(wanted, raw_end, first + POSITIONS_MAX - 1)
        total = Balance(position=min_seq, last=last, accounts={})
        for door in self._accounts.of_tenant(tenant):
            if query.channel not in {None, door.channel.NAME}:
                continue
            if query.account not in {None, door.account}:
                continue
            counts = await self._account(door, first, total, min_seq)
            total.accounts[door.name] = counts
            total.add(counts)
        return total

    async def _account(self, door: Door, first: int, total: Balance, min_seq: int) -> Counts:
        """Count one account; `total` learns the position that history answered from."""
        counts = Counts()
        async for page in self._pages(door, first, total.last):
            readings = await read_all(page)
            ids = [event.id for reading in readings for event in reading.events]
            first_seen = await self._known(door.tenant, ids, min_seq, total)
            for reading in readings:
                quarantined = isinstance(reading.outcome, Quarantined)
                wanted = [event.id for event in reading.events]
                counts.count(
                    tally.fate(reading.raw.sequence, wanted, first_seen, quarantined=quarantined)
                )
        return counts

    async def _pages(self, door: Door, first: int, last: int) -> AsyncIterator[list[RawDelivery]]:
        """Give the account's deliveries between two positions of RAW, in order, a page at a time.

        Any replica gives a page; one that lags behind is corrected by asking the leader at its end.
        """
        subject = subjects.raw(door.tenant, door.channel.NAME, door.account)
        while first <= last:
            found = await self._bus.direct_get(
                streams.RAW, sequence=first, subject=subject, batch=PAGE_DELIVERIES
            )
            messages: Sequence[StoredMessage] = found.messages
            if not messages:
                message = await self._bus.leader_get(
                    streams.RAW, sequence=first, next_by_subject=subject
                )
                messages = [message] if message is not None else []
            page = [_raw(door, each) for each in messages if each.sequence <= last]
            if not page:
                return
            yield page
            first = page[-1].sequence + 1

    async def _known(
        self, tenant: str, ids: Sequence[str], min_seq: int, total: Balance
    ) -> Mapping[str, int]:
        """Return, for each id that the ledger holds, the position in RAW that it came from.

        Raises: ViewUnavailable, BusUnavailable.
        """
        first_seen: dict[str, int] = {}
        for start in range(0, len(ids), KNOWN_IDS_MAX):
            asked = {"ids": ids[start : start + KNOWN_IDS_MAX], "min_seq": min_seq}
            answer = await self._ask_known(tenant, asked)
            total.position = max(total.position, answer.position)
            for event_id, known in answer.known.items():
                first_seen[event_id] = RawRef.parse(known.raw).sequence if known.raw else 0
        return first_seen

    async def _ask_known(self, tenant: str, asked: Mapping[str, Any]) -> _KnownAnswer:
        try:
            reply = await self._bus.request(
                subjects.query(tenant, "known"),
                msgspec.json.encode(asked),
                timeout_seconds=KNOWN_TIMEOUT_SECONDS,
            )
        except errors.BusUnavailable as error:
            raise errors.ViewUnavailable(cause=error.code) from error
        answer = _known_answer.decode(reply)
        if answer.error is not None:
            raise errors.ViewUnavailable(cause=answer.error.code)
        return answer

    async def _ends(self, stream: str) -> tuple[int, int]:
        """Return the first and the last sequence of a stream."""
        state = (await self._bus.api(f"STREAM.INFO.{stream}"))["state"]
        return int(state["first_seq"]), int(state["last_seq"])


def _asked(body: bytes) -> BalanceQuery:
    """Raises: CommandUnreadable."""
    try:
        return _query.decode(body or b"{}")
    except UNREADABLE as error:
        raise errors.CommandUnreadable(f"the query is not readable: {error}") from None


def _raw(door: Door, message: StoredMessage) -> RawDelivery:
    return raw_delivery(
        door.tenant,
        door.name,
        door.rules,
        sequence=message.sequence,
        body=message.body,
        fields=message.headers,
        stored=message.stored,
    )
