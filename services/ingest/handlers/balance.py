"""The query `balance`: every delivery of a range of RAW, parsed again and looked up in history (I12)."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

import structlog

from services.ingest.domain import delivery, outcome
from services.ingest.domain.fates import Fate, counted, fate_of
from services.ingest.handlers import logged, parsing, raw_store
from services.ingest.handlers.accounts import Accounts, Door
from shared import errors, events, queries, query_client, requests, streams, subjects
from shared.bus import Bus
from shared.bus.deliveries import StoredMessage

PAGE_DELIVERIES = 64
"""Deliveries held in memory at once, each at most 256 KiB."""

POSITIONS_MAX = 100_000
"""Positions of RAW that one answer covers; its `to` says how far it goes, and the next one begins behind it."""

KNOWN_IDS_MAX = 200
KNOWN_TIMEOUT_SECONDS = 10.0

log = structlog.get_logger("ingest")


@dataclass(slots=True)
class _Span:
    """The positions of RAW that are counted, both included.

    `min_seq`: what history must have reached; `position`: what it answered from, once it was asked.
    """

    first: int
    last: int
    min_seq: int
    position: int


class BalanceHandler:
    """Answers `query.<tenant>.balance`."""

    def __init__(self, bus: Bus, accounts: Accounts) -> None:
        self._bus = bus
        self._accounts = accounts

    async def answer(self, tenant: str, body: bytes) -> queries.Balance:
        """Return the reply to one request.

        Raises: CommandUnreadable, TenantUnknown, PositionBeyondEnd, ViewUnavailable, BusUnavailable.
        """
        balance = await self.balance(tenant, requests.read_question(queries.AskBalance, body))
        log.info(
            logged.BALANCE_ANSWERED,
            tenant=tenant,
            received=balance.received,
            missing=balance.missing,
        )
        return balance

    async def balance(self, tenant: str, asked: queries.AskBalance) -> queries.Balance:
        """Raises: TenantUnknown, PositionBeyondEnd, ViewUnavailable when history is away, BusUnavailable."""
        doors = [
            door
            for door in self._accounts.of_tenant(tenant)
            if asked.channel in {None, door.channel.NAME} and asked.account in {None, door.account}
        ]
        span = await self._span(asked)
        by_account: dict[str, Counter[Fate]] = {
            door.name: await self._account(door, span) for door in doors
        }
        total: Counter[Fate] = Counter()
        for fates in by_account.values():
            total.update(fates)
        return queries.Balance(
            **counted(total),
            position=span.position,
            last=span.last,
            accounts={name: queries.Counts(**counted(fates)) for name, fates in by_account.items()},
        )

    async def _span(self, asked: queries.AskBalance) -> _Span:
        _, ledger_end = await self._ends(streams.LEDGER)
        raw_start, raw_end = await self._ends(streams.RAW)
        first = max(asked.first or 0, raw_start)
        wanted = raw_end if asked.last is None else asked.last
        last = min(wanted, raw_end, first + POSITIONS_MAX - 1)
        min_seq = ledger_end if asked.min_seq is None else asked.min_seq
        if min_seq > ledger_end:
            raise errors.PositionBeyondEnd(position=ledger_end, wanted=min_seq)
        return _Span(first, last, min_seq, position=min_seq)

    async def _account(self, door: Door, span: _Span) -> Counter[Fate]:
        """Count one account; `span` learns the position that history answered from."""
        fates: Counter[Fate] = Counter()
        async for page in self._pages(door, span.first, span.last):
            readings = await parsing.read_all(page)
            ids = [event.id for reading in readings for event in reading.events]
            first_seen = await self._known(door.tenant, ids, span)
            for reading in readings:
                quarantined = isinstance(reading.outcome, outcome.Quarantined)
                made = [event.id for event in reading.events]
                sequence = reading.raw.sequence
                fates[fate_of(sequence, made, first_seen, quarantined=quarantined)] += 1
        return fates

    async def _pages(
        self, door: Door, first: int, last: int
    ) -> AsyncIterator[list[delivery.RawDelivery]]:
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

    async def _known(self, tenant: str, ids: Sequence[str], span: _Span) -> Mapping[str, int]:
        """Return, by event id, the position in RAW that each event in the ledger came from. Raises: ViewUnavailable."""
        first_seen: dict[str, int] = {}
        for start in range(0, len(ids), KNOWN_IDS_MAX):
            question = queries.AskKnown(
                ids=list(ids[start : start + KNOWN_IDS_MAX]), min_seq=span.min_seq
            )
            answer = await query_client.ask(
                self._bus, tenant, question, timeout_seconds=KNOWN_TIMEOUT_SECONDS
            )
            span.position = max(span.position, answer.position)
            for event_id, known in answer.known.items():
                first_seen[event_id] = events.RawRef.parse(known.raw).sequence if known.raw else 0
        return first_seen

    async def _ends(self, stream: str) -> tuple[int, int]:
        """Return the first and the last sequence of a stream."""
        state = (await self._bus.api(f"STREAM.INFO.{stream}"))["state"]
        return int(state["first_seq"]), int(state["last_seq"])


def _raw(door: Door, message: StoredMessage) -> delivery.RawDelivery:
    return raw_store.raw_delivery(
        door.tenant,
        door.name,
        door.rules,
        sequence=message.sequence,
        body=message.body,
        fields=message.headers,
        stored=message.stored,
    )
