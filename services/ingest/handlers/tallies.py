"""Keeps the tally of every account beside RAW, as its deliveries are normalised (docs/adr/0033).

A tally is one message of BALANCE, replaced at the sequence it was read at: of two who count at once, one begins again.
"""

import asyncio
import contextlib
from collections import defaultdict
from dataclasses import dataclass

import msgspec
import structlog

from services.ingest.domain.tally import Tally, lose, take
from services.ingest.handlers import logged
from services.ingest.handlers.accounts import Door
from services.ingest.handlers.body_store import BodyStore
from services.ingest.handlers.fate_reader import FateReader, Made, raw_of
from shared import backoff, codec, errors, metrics, queries, streams, subjects
from shared.bus import Bus
from shared.visit_reader import VisitReader

UNSETTLED_MAX = 256
"""Deliveries that the ledger lacks, or that are parked, and that are looked at again; beyond these counting waits."""
GATHER_SECONDS = 1.0
"""So long deliveries gather before they are counted: meanwhile most of them are decided."""
RETRY = backoff.Backoff(first_seconds=1.0, longest_seconds=30.0)
WRONG_LAST_SEQUENCE = 10071

log = structlog.get_logger("ingest")
_decoder = msgspec.json.Decoder(Tally)


class Tallies:
    """Counts, from where the tally of an account stands."""

    def __init__(self, bus: Bus, bodies: BodyStore, visited: VisitReader) -> None:
        self._bus = bus
        self._bodies = bodies
        self._visited = visited
        self._remembered: dict[int, Made] = {}
        self._counting: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def keep(self, door: Door, news: asyncio.Event) -> None:
        """Count an account's deliveries at first and whenever there is news of them; runs until cancelled.

        While the ledger lacks some of them they are looked at again: they are decided without news of the account.
        When it ends nobody counts the account here any more, and what was counted last is shown no longer.

        BALANCE is nobody's condition: while it is away nothing waits for it but the tally.
        """
        try:
            await self._keep(door, news)
        finally:
            metrics.BALANCE.end(door.tenant, door.name)

    async def _keep(self, door: Door, news: asyncio.Event) -> None:
        tries = 0
        news.set()
        while True:
            await news.wait()
            await asyncio.sleep(GATHER_SECONDS)
            news.clear()
            try:
                end = await stream_state(self._bus, streams.RAW)
                reader = self.reader((await stream_state(self._bus, streams.LEDGER)).last)
                tally, _ = await self.count(door, reader, end)
                tries = tries + 1 if tally.undecided else 0
                if tally.undecided:
                    news.set()
                    await RETRY.pause(tries)
            except (
                errors.BusUnavailable,
                errors.ViewUnavailable,
                errors.JetStreamRefused,
            ) as error:
                news.set()
                tries += 1
                log.info(logged.TALLY_DELAYED, account=door.place, code=error.code)
                await RETRY.pause(tries)

    def reader(self, min_seq: int, *, anew: bool = False) -> FateReader:
        """Return a reader that parses no large body twice, unless all is to be read `anew`.

        `min_seq`: what history must have reached.
        """
        remembered = None if anew else self._remembered
        return FateReader(self._bus, self._bodies, self._visited, min_seq, remembered)

    async def count(
        self, door: Door, reader: FateReader, raw: "StreamState", deadline: float | None = None
    ) -> tuple[Tally, bool]:
        """Bring an account's tally up to the end of RAW; return it, and whether it came there.

        It stops before at `deadline` (of the loop's clock), and when too much is unsettled.
        Raises: ViewUnavailable, BusUnavailable, JetStreamRefused.
        """
        async with self._counting[f"{door.tenant}/{door.name}"]:
            while True:
                with contextlib.suppress(errors.LedgerConflict):
                    tally, whole = await self._count(door, reader, raw, deadline)
                    counts = tally.counts()
                    for fate in queries.Counts.__struct_fields__:
                        metrics.BALANCE.set(counts.get(fate, 0), door.tenant, door.name, fate)
                    return tally, whole

    async def _count(
        self, door: Door, reader: FateReader, raw: "StreamState", deadline: float | None
    ) -> tuple[Tally, bool]:
        """See `count`. Raises: LedgerConflict when another process has counted meanwhile."""
        standing = await self._kept(door, raw)
        standing = await self._replace(door, standing, await self._again(door, reader, standing))
        pages = reader.pages(door, standing.tally.position + 1, raw.last)
        async with contextlib.aclosing(pages):
            async for page in pages:
                tally = standing.tally
                late = deadline is not None and asyncio.get_running_loop().time() >= deadline
                if late or len(tally.unsettled) + len(page) > UNSETTLED_MAX:
                    return tally, False
                counted = take(tally, await reader.fates(door, page))
                standing = await self._replace(door, standing, counted)
        return standing.tally, True

    async def _again(self, door: Door, reader: FateReader, standing: "_Standing") -> Tally:
        """Look again at what was unsettled."""
        tally = standing.tally
        messages = {
            sequence: await self._bus.leader_get(streams.RAW, sequence=sequence)
            for sequence in tally.unsettled
        }
        there = [raw_of(door, message) for message in messages.values() if message is not None]
        gone = [sequence for sequence, message in messages.items() if message is None]
        return take(lose(tally, gone), await reader.fates(door, there)) if messages else tally

    async def _kept(self, door: Door, raw: "StreamState") -> "_Standing":
        """Return the tally that is kept; an empty one in the place of what is none, or was counted over another RAW."""
        subject = subjects.balance(door.tenant, door.channel.NAME, door.account)
        message = await self._bus.leader_get(streams.BALANCE, last_by_subject=subject)
        if message is None:
            return _Standing(Tally(raw=raw.made), 0)
        with contextlib.suppress(*codec.UNREADABLE):
            tally = _decoder.decode(message.body)
            if tally.raw == raw.made and tally.position <= raw.last:
                return _Standing(tally, message.sequence)
        return _Standing(Tally(raw=raw.made), message.sequence)

    async def _replace(self, door: Door, standing: "_Standing", tally: Tally) -> "_Standing":
        """Put a tally in the place of the one that stands. Raises: LedgerConflict when another one stands there."""
        if tally == standing.tally:
            return standing
        subject = subjects.balance(door.tenant, door.channel.NAME, door.account)
        expected = {"Nats-Expected-Last-Subject-Sequence": str(standing.sequence)}
        ack = await self._bus.submit(subject, msgspec.json.encode(tally), expected)
        if ack.error is None:
            return _Standing(tally, ack.seq)
        if ack.error.err_code == WRONG_LAST_SEQUENCE:
            raise errors.LedgerConflict(expected=standing.sequence)
        raise errors.JetStreamRefused(ack.error.description, err_code=ack.error.err_code)


@dataclass(frozen=True, slots=True)
class _Standing:
    """A tally and where it stands in BALANCE."""

    tally: Tally
    sequence: int


class StreamState(msgspec.Struct, frozen=True):
    """The first and the last sequence of a stream, and when it was made."""

    first: int
    last: int
    made: str


async def stream_state(bus: Bus, stream: str) -> StreamState:
    """Raises: BusUnavailable, JetStreamRefused."""
    info = await bus.api(f"STREAM.INFO.{stream}")
    state = info["state"]
    return StreamState(int(state["first_seq"]), int(state["last_seq"]), str(info["created"]))
