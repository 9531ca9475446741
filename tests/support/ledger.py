"""Places where a ledger lives, so that one suite runs over all of them; and events to put into it."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from uuid import uuid4

from typing_extensions import override

from shared import aggregates, ensuring, streams, subjects
from shared.bus import Bus, connect
from shared.bus.deliveries import PubAck
from shared.bus.gets import DirectAnswer
from shared.codec import Codec, PlainCodec, encode
from shared.errors import BusUnavailable, NoResponders, TimedOut
from shared.events import AgentId, AgentStatusSet, AnyEvent, Data, EventId, Nothing
from shared.events.people import AgentStatusSetOpen
from shared.ids import scoped_id
from shared.ledger import Guard, Ledger, Write
from shared.ledger.jetstream import NatsLedger
from tests.support.memory_ledger import MemoryLedger
from tests.support.waiting import eventually

TENANT = "demo"
INSTANT = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
WINDOW_SECONDS = 3.0
"""A duplicate window that a test can outlive, and within which a busy machine appends a few times."""
POLL_SECONDS = 0.02


def new_aggregate() -> str:
    """Return an aggregate that no other test writes."""
    return aggregates.AGENT.of(uuid4().hex)


def event(aggregate: str, name: str | None = None, actor: str = "service:test") -> AnyEvent:
    """Return an event; the same aggregate and name give the same id, another actor another body."""
    return AgentStatusSet(
        specversion="1.0",
        id=EventId(scoped_id("test", aggregate, name or uuid4().hex)),
        source="tellonce/test",
        occurred=INSTANT,
        recorded=INSTANT,
        aggregate=aggregate,
        dataschema="urn:tellonce:event:1",
        datacontenttype="application/json",
        tenant=TENANT,
        actor=actor,
        data=Data(
            open=AgentStatusSetOpen(agent=AgentId("ewa"), status="available"), personal=Nothing()
        ),
    )


def write(aggregate: str, expected: int, *names: str) -> Write:
    """Return a write of one event per name."""
    return Write(aggregate, expected, [event(aggregate, name) for name in names])


class ScriptedCodec(PlainCodec):
    """Seals to given bodies, so that a test can put anything into a ledger."""

    def __init__(self, *bodies: bytes) -> None:
        self._bodies = list(bodies)

    @override
    async def seal(self, events: Sequence[AnyEvent]) -> list[bytes]:
        return [self._bodies.pop(0) if self._bodies else encode(event) for event in events]


class Place(ABC):
    """A ledger's home for one test."""

    def __init__(self) -> None:
        self._buses: list[Bus] = []

    @abstractmethod
    async def ledger(self, codec: Codec | None = None) -> Ledger:
        """Return a client, as another process would have it."""

    @abstractmethod
    async def pass_window(self) -> None:
        """Return when the stream has forgotten the message ids of everything stored before."""

    @abstractmethod
    async def restart(self) -> None:
        """Stop and start the server (on three nodes: the one that leads, which gives way first)."""

    async def close(self) -> None:
        """Close all clients."""
        await asyncio.gather(*(bus.close() for bus in self._buses))


class TwinPlace(Place):
    """The in-memory twin: all clients share one list."""

    def __init__(self) -> None:
        super().__init__()
        self._codec = _Switch()
        self._ledger = MemoryLedger(self._codec)

    @override
    async def ledger(self, codec: Codec | None = None) -> Ledger:
        self._codec.chosen = codec or PlainCodec()
        return self._ledger

    @override
    async def pass_window(self) -> None:
        self._ledger.forget_ids()

    @override
    async def restart(self) -> None:
        """A restart changes nothing in memory."""


class _Switch:
    """A codec that passes on to another."""

    chosen: Codec = PlainCodec()

    async def seal(self, events: Sequence[AnyEvent]) -> list[bytes]:
        return await self.chosen.seal(events)

    async def unseal(self, bodies: Sequence[bytes]) -> list[AnyEvent]:
        return await self.chosen.unseal(bodies)


class ServerPlace(Place):
    """The stream LEDGER on one node or on three."""

    def __init__(self, urls: Sequence[str], restart: Callable[[], Awaitable[None]]) -> None:
        super().__init__()
        self.urls = urls
        self._restart = restart

    async def bus(self) -> Bus:
        """Return a new connection."""
        self._buses.append(await connect(self.urls, "test"))
        return self._buses[-1]

    @override
    async def ledger(self, codec: Codec | None = None) -> NatsLedger:
        return NatsLedger(await self.bus(), codec or PlainCodec())

    @override
    async def pass_window(self) -> None:
        bus = await self.bus()
        aggregate = new_aggregate()
        body = encode(event(aggregate))
        headers = {"Nats-Msg-Id": uuid4().hex}

        async def forgotten() -> bool:
            ack = await bus.submit(subjects.ledger(TENANT, aggregate), body, headers)
            return not ack.duplicate

        assert await forgotten()
        await eventually(forgotten)

    @override
    async def restart(self) -> None:
        await self._restart()


async def make_ledger_stream(urls: Sequence[str], replicas: int) -> None:
    """Create LEDGER and TIMERS with a short duplicate window, and the consumers of fired timers."""
    bus = await connect(urls, "test")
    wanted = streams.WantedStreams(
        streams.stream_configs(replicas=replicas, duplicate_window_seconds=WINDOW_SECONDS),
        [c for c in streams.router_consumers() if c.stream == streams.TIMERS],
    )

    async def made() -> bool:
        try:
            await ensuring.ensure(bus, wanted)
        except BusUnavailable:
            return False
        return True

    await eventually(made)
    await bus.close()


async def hand_over(urls: Sequence[str], stream: str) -> None:
    """Have the stream's leader give way, as an operator does before a restart: no election to wait for."""
    bus = await connect(urls, "test")

    async def done() -> bool:
        try:
            await bus.api(f"STREAM.LEADER.STEPDOWN.{stream}")
        except BusUnavailable:
            return False
        return True

    await eventually(done)
    await bus.close()


class DeafBus(Bus):
    """Loses the first answers of a stream (`answers`), or the first publishes on the way there (`publishes`).

    `instead`: what comes in the place of a lost answer; nothing by default.
    """

    def __init__(
        self, bus: Bus, *, answers: int = 0, publishes: int = 0, instead: PubAck | None = None
    ) -> None:
        super().__init__(bus._client, owned=False)  # noqa: SLF001  a test double of the same connection
        self._answers = answers
        self._publishes = publishes
        self._instead = instead
        self.submitted = 0

    @override
    async def submit(
        self,
        subject: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        timeout_seconds: float = 2.0,
    ) -> PubAck:
        self.submitted += 1
        if self._publishes > 0:
            self._publishes -= 1
            raise NoResponders
        ack = await super().submit(subject, body, headers, timeout_seconds=timeout_seconds)
        if self._answers > 0:
            self._answers -= 1
            if self._instead is None:
                raise TimedOut
            return self._instead
        return ack


class LaggingBus(Bus):
    """Direct gets come from a replica that lacks the newest messages of the stream."""

    def __init__(self, bus: Bus, lacking: int) -> None:
        super().__init__(bus._client, owned=False)  # noqa: SLF001  a test double of the same connection
        self._lacking = lacking

    @override
    async def direct_gets(
        self, stream: str, asked: Sequence[tuple[int, str | None]], *, batch: int
    ) -> list[DirectAnswer]:
        last = int((await self.api(f"STREAM.INFO.{stream}"))["state"]["last_seq"])
        found = await super().direct_gets(stream, asked, batch=batch)
        return [_known_up_to(last - self._lacking, each) for each in found]


def _known_up_to(position: int, found: DirectAnswer) -> DirectAnswer:
    known = [each for each in found.messages if each.sequence <= position]
    return DirectAnswer(known, found.pending if len(known) == len(found.messages) else 0)


async def last_of(ledger: Ledger, aggregate: str) -> int:
    """Return the aggregate's last sequence, from the leader."""
    recorded = await ledger.read_leader(TENANT, aggregate)
    return recorded[-1].sequence if recorded else 0


async def guard_on(ledger: Ledger, aggregate: str) -> Guard:
    """Return a guard on the aggregate as it stands."""
    return Guard(aggregate, await last_of(ledger, aggregate))
