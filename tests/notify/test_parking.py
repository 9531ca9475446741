"""What notify cannot handle is noted by the router, and handled again when that is recorded."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from services.notify.parking import Parking
from services.notify.sending import ATTEMPTS_MAX
from shared import commands, events, ids
from shared.arrivals import ArrivedMessage, Failed
from shared.bus.deliveries import StoredMessage
from shared.errors import BusUnavailable

NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
SUBJECT = "ledger.0.demo.conv.c1"
BODY = b"the message"


class Clock:
    def now(self) -> datetime:
        return NOW


@dataclass
class MemoryBus:
    """Answers every request with `reply`; holds messages by stream and sequence."""

    reply: Any = field(default_factory=lambda: {"ok": True})
    asked: list[tuple[str, bytes]] = field(default_factory=list)
    held: dict[tuple[str, int], StoredMessage] = field(default_factory=dict)

    async def request(self, subject: str, body: bytes = b"") -> bytes:
        self.asked.append((subject, body))
        return msgspec.json.encode(self.reply)

    async def leader_get(self, stream: str, *, sequence: int | None = None) -> StoredMessage | None:
        return self.held.get((stream, sequence or 0))


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus(held={("LEDGER", 7): StoredMessage(7, SUBJECT, BODY, {}, NOW)})


def failed(subject: str = SUBJECT) -> Failed:
    return Failed("notify-ledger", ArrivedMessage(subject, BODY, 4, 7), "KeyError", 4)


@pytest.mark.parametrize(
    ("subject", "stream"), [(SUBJECT, "LEDGER"), ("fired.0.demo.notif.c1.x.y", "TIMERS")]
)
async def test_what_failed_is_noted_by_the_router(
    bus: MemoryBus, subject: str, stream: str
) -> None:
    """With the place and the hash of its message, and how it failed."""
    await Parking(bus, Clock()).park(failed(subject))
    ((asked, body),) = bus.asked
    command = msgspec.json.decode(body, type=commands.ParkWork)
    assert asked == "cmd.demo.park_work"
    assert (command.consumer, command.stream, command.sequence) == ("notify-ledger", stream, 7)
    assert (command.sha256, command.error) == (ids.body_sha256(BODY), "KeyError")


async def test_what_nobody_notes_is_not_set_aside(bus: MemoryBus) -> None:
    """A refusal of the router keeps the message: it comes again."""
    problem = {"code": "ledger.unavailable", "message": "x", "retryable": True}
    bus.reply = {"error": problem}
    with pytest.raises(BusUnavailable):
        await Parking(bus, Clock()).park(failed())


def retried(consumer: str = "notify-ledger", sha256: str | None = None) -> events.WorkRetried:
    aggregate = f"work-{consumer}"
    origin = events.Origin(
        tenant="demo", service="router", actor="service:cli", occurred=NOW, recorded=NOW
    )
    place = events.RetriedOpen(
        parked_id=f"{aggregate}:7",
        stream="LEDGER",
        sequence=7,
        sha256=sha256 or ids.body_sha256(BODY),
    )
    return events.make(events.WorkRetried, origin, "r1", aggregate, place)


async def test_a_retry_is_handled_by_whoever_reads_that_consumer(bus: MemoryBus) -> None:
    """From the place that is named; another service's, and another message, are not."""
    handled: list[ArrivedMessage] = []

    async def handle(arrived: ArrivedMessage) -> None:
        handled.append(arrived)

    parking = Parking(bus, Clock())
    parking.handlers["notify-ledger"] = handle
    await parking.take_up(retried("router-fired"))
    await parking.take_up(retried(sha256="0" * 64))
    assert handled == []
    await parking.take_up(retried())
    assert [(each.body, each.sequence) for each in handled] == [(BODY, 7)]


async def test_a_retry_keeps_no_lane_waiting_for_a_provider(bus: MemoryBus) -> None:
    """It is the last try: a message that is refused for a while has failed, and its conversation's people are told."""
    handled: list[int] = []

    async def handle(arrived: ArrivedMessage) -> None:
        handled.append(arrived.attempt)

    parking = Parking(bus, Clock())
    parking.handlers["notify-ledger"] = handle
    await parking.take_up(retried())
    assert handled[0] >= ATTEMPTS_MAX


async def test_a_retry_that_fails_again_fails(bus: MemoryBus) -> None:
    """Then the event that asked for it is parked in its turn, and nothing is lost."""

    async def breaks(_: ArrivedMessage) -> None:
        raise KeyError

    parking = Parking(bus, Clock())
    parking.handlers["notify-ledger"] = breaks
    with pytest.raises(KeyError):
        await parking.take_up(retried())
