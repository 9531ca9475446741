"""The query `balance`: what became of every delivery, as it was counted, or proved by parsing RAW again (I12)."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Mapping

import structlog

from services.ingest.domain.fates import Fate, counted
from services.ingest.handlers import logged
from services.ingest.handlers.accounts import Accounts, Door
from services.ingest.handlers.fate_reader import FateReader
from services.ingest.handlers.tallies import StreamState, Tallies, stream_state
from shared import errors, queries, requests, streams, subjects
from shared.bus import Bus

POSITIONS_MAX = 2_000
"""Positions of RAW that one proof covers; its `to` says how far it goes, and the next one begins behind it."""
PROVING_SECONDS = 20.0
"""So long one proof parses; large bodies make it end before its positions do."""
COUNTING_SECONDS = 2.0
"""So long a question waits for what is not counted yet."""

log = structlog.get_logger("ingest")


class BalanceHandler:
    """Answers `query.<tenant>.balance`."""

    def __init__(self, bus: Bus, accounts: Accounts, tallies: Tallies) -> None:
        self._bus = bus
        self._accounts = accounts
        self._tallies = tallies

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
            for door in await self._doors(tenant)
            if asked.channel in {None, door.channel.NAME} and asked.account in {None, door.account}
        ]
        ledger, raw = (
            await stream_state(self._bus, streams.LEDGER),
            await stream_state(self._bus, streams.RAW),
        )
        if asked.min_seq is not None and asked.min_seq > ledger.last:
            raise errors.PositionBeyondEnd(position=ledger.last, wanted=asked.min_seq)
        min_seq = ledger.last if asked.min_seq is None else asked.min_seq
        first, last = raw.first, raw.last
        if asked.first is None and asked.last is None:
            reader = self._tallies.reader(min_seq)
            accounts = await self._as_counted(doors, reader, raw)
        else:
            first = max(asked.first or 0, raw.first)
            wanted = raw.last if asked.last is None else asked.last
            last = min(wanted, raw.last, first + POSITIONS_MAX - 1)
            reader = self._tallies.reader(min_seq, anew=True)
            accounts = await self._parsed_again(doors, reader, first, last)
        return queries.Balance(
            **_sum(accounts),
            position=reader.position,
            first=first,
            last=min([last, *(each.last for each in accounts.values())]),
            end=raw.last,
            accounts=accounts,
        )

    async def _doors(self, tenant: str) -> list[Door]:
        """Return the doors of a tenant by name, those of accounts that have left the policy too."""
        doors = {door.name: door for door in self._accounts.of_tenant(tenant)}
        for name in await self._received_by(tenant):
            if name not in doors and (door := self._accounts.departed(tenant, name)) is not None:
                doors[name] = door
        return [doors[name] for name in sorted(doors)]

    async def _received_by(self, tenant: str) -> set[str]:
        """Return the accounts of which a delivery is in RAW, or was counted."""
        found: set[str] = set()
        for stream, wanted in (
            (streams.RAW, subjects.raw_of(tenant)),
            (streams.BALANCE, subjects.balance_of(tenant)),
        ):
            info = await self._bus.api(f"STREAM.INFO.{stream}", {"subjects_filter": wanted})
            for subject in info["state"].get("subjects") or {}:
                channel, account = subject.split(".")[-2:]
                found.add(f"{channel}/{account}")
        return found

    async def _as_counted(
        self, doors: list[Door], reader: FateReader, raw: StreamState
    ) -> dict[str, queries.AccountBalance]:
        deadline = asyncio.get_running_loop().time() + COUNTING_SECONDS
        found = {}
        for door in doors:
            tally, whole = await self._tallies.count(door, reader, raw, deadline)
            to = max(tally.position, raw.last) if whole else tally.position
            found[door.name] = queries.AccountBalance(**tally.counts(), last=to)
        return found

    async def _parsed_again(
        self, doors: list[Door], reader: FateReader, first: int, last: int
    ) -> dict[str, queries.AccountBalance]:
        """Count as far as all of them can be parsed in PROVING_SECONDS."""
        deadline = asyncio.get_running_loop().time() + PROVING_SECONDS
        found: dict[str, list[tuple[int, Fate]]] = {}
        for door in doors:
            fates = found[door.name] = []
            pages = reader.pages(door, first, last)
            async with contextlib.aclosing(pages):
                async for page in pages:
                    fates += await reader.fates(door, page)
                    if asyncio.get_running_loop().time() >= deadline:
                        last = min(last, page[-1].sequence)
                        break
        return {
            name: queries.AccountBalance(
                **counted(Counter(fate for sequence, fate in fates if sequence <= last)), last=last
            )
            for name, fates in found.items()
        }


def _sum(accounts: Mapping[str, queries.AccountBalance]) -> dict[str, int]:
    names = queries.Counts.__struct_fields__
    return {name: sum(getattr(each, name) for each in accounts.values()) for name in names}
