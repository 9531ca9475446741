"""Timers fire once, on time, whatever was stopped in between."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from shared import subjects
from shared.arming import NatsTimers
from shared.bus import Bus
from shared.bus.deliveries import Delivery
from shared.codec import decode
from shared.events import ContactOffered
from shared.instants import EARLIEST, LATEST
from shared.streams import TIMERS
from shared.timers import OFFER_EXPIRY, Timer, asked_by, read_timer
from tests.support.ledger import TENANT, WINDOW_SECONDS, ServerPlace, new_aggregate
from tests.support.memory_timers import MemoryTimers
from tests.support.servers import EmbeddedNats
from tests.support.waiting import WITHIN_SECONDS, eventually

KIND = OFFER_EXPIRY.name
CONSUMER = "router-fired"
BATCH = 8


def a_timer(aggregate: str, asked: str, due: datetime, kind: str = KIND) -> Timer:
    return Timer(tenant=TENANT, aggregate=aggregate, kind=kind, id=asked, due=due)


async def _fired(bus: Bus, aggregate: str, count: int = 1) -> list[Delivery]:
    """Wait for the aggregate's fired timers, acknowledging everything that comes."""
    found: list[Delivery] = []
    async with asyncio.timeout(WITHIN_SECONDS):
        async for batch in bus.pull(TIMERS, CONSUMER, batch=BATCH):
            for delivery in batch:
                await delivery.ack()
            found += [d for d in batch if read_timer(d.body).aggregate == aggregate]
            if len(found) >= count:
                return found
    raise AssertionError("unreachable: the time-out ends the loop")


async def test_a_timer_fires_at_its_time_with_what_was_armed(server_place: ServerPlace) -> None:
    """Not before it is due, and the message names tenant, aggregate, kind, id and time."""
    bus = await server_place.bus()
    aggregate = new_aggregate()
    due = datetime.now(UTC) + timedelta(seconds=0.4)
    await NatsTimers(bus).arm(a_timer(aggregate, "e1", due))
    (delivery,) = await _fired(bus, aggregate)
    assert read_timer(delivery.body) == a_timer(aggregate, "e1", due)
    assert delivery.stored >= due
    assert delivery.subject == subjects.fired(TENANT, aggregate, KIND, "e1")


async def test_a_time_that_has_passed_fires_at_once(server_place: ServerPlace) -> None:
    """A timer armed late still asks its question."""
    bus = await server_place.bus()
    aggregate = new_aggregate()
    past = datetime.now(UTC) - timedelta(days=2)
    await NatsTimers(bus).arm(a_timer(aggregate, "e1", past))
    (delivery,) = await _fired(bus, aggregate)
    assert read_timer(delivery.body).due == past


async def test_arming_the_same_timer_again_fires_once(server_place: ServerPlace) -> None:
    """Repeated arming, also past the duplicate window, leaves one question."""
    bus = await server_place.bus()
    timers = NatsTimers(bus)
    aggregate = new_aggregate()
    due = datetime.now(UTC) + timedelta(seconds=2 * WINDOW_SECONDS)
    await timers.arm(a_timer(aggregate, "e1", due))
    await timers.arm(a_timer(aggregate, "e1", due))
    await server_place.pass_window()
    await timers.arm(a_timer(aggregate, "e1", due))
    await timers.arm(a_timer(aggregate, "e2", due + timedelta(seconds=0.1)))
    fired = await _fired(bus, aggregate, 2)
    assert [read_timer(delivery.body).id for delivery in fired] == ["e1", "e2"]


async def test_arming_again_at_once_stores_nothing(server_place: ServerPlace) -> None:
    """A repeated arming, of a retried command, is known by its id; another time is another timer."""
    bus = await server_place.bus()
    aggregate = new_aggregate()
    due = datetime.now(UTC) + timedelta(hours=1)

    async def stored() -> int:
        return int((await bus.api(f"STREAM.INFO.{TIMERS}"))["state"]["last_seq"])

    await NatsTimers(bus).arm(a_timer(aggregate, "e1", due))
    first = await stored()
    await NatsTimers(bus).arm(a_timer(aggregate, "e1", due))
    assert await stored() == first
    await NatsTimers(bus).arm(a_timer(aggregate, "e1", due + timedelta(hours=1)))
    assert await stored() == first + 1


async def test_another_deadline_replaces_nothing(server_place: ServerPlace) -> None:
    """Timers of one aggregate with different ids fire each."""
    bus = await server_place.bus()
    aggregate = new_aggregate()
    now = datetime.now(UTC)
    for number in range(3):
        await NatsTimers(bus).arm(a_timer(aggregate, f"e{number}", now))
    fired = await _fired(bus, aggregate, 3)
    assert {read_timer(delivery.body).id for delivery in fired} == {"e0", "e1", "e2"}


async def test_a_timer_survives_a_killed_server(
    one_place: ServerPlace, one_node: EmbeddedNats
) -> None:
    """Signal 9 while it runs down: it fires after the restart."""
    bus = await one_place.bus()
    aggregate = new_aggregate()
    due = datetime.now(UTC) + timedelta(seconds=0.3)
    await NatsTimers(bus).arm(a_timer(aggregate, "e1", due))
    await one_node.kill()

    async def due_while_down() -> bool:
        return datetime.now(UTC) > due

    await eventually(due_while_down)
    await one_node.start()
    (delivery,) = await _fired(bus, aggregate)
    await one_place.close()
    assert read_timer(delivery.body).id == "e1"


@pytest.mark.cluster
async def test_a_timer_survives_a_lost_leader(three_place: ServerPlace) -> None:
    """The leader restarts while it runs down: it fires."""
    bus = await three_place.bus()
    aggregate = new_aggregate()
    await NatsTimers(bus).arm(a_timer(aggregate, "e1", datetime.now(UTC) + timedelta(seconds=0.5)))
    await three_place.restart()
    (delivery,) = await _fired(bus, aggregate)
    await three_place.close()
    assert read_timer(delivery.body).id == "e1"


async def test_a_time_without_a_zone_is_refused(server_place: ServerPlace) -> None:
    """A naive time means nothing to a server."""
    naive = datetime(2026, 11, 2)  # noqa: DTZ001  the mistake under test
    for timers in (MemoryTimers(), NatsTimers(await server_place.bus())):
        with pytest.raises(ValueError, match="needs a zone"):
            await timers.arm(a_timer(new_aggregate(), "e1", naive))


@pytest.mark.parametrize(
    ("expires", "due"),
    [
        ("9999-12-31T23:59:59-14:00", LATEST),
        ("2300-01-01T00:00:00Z", LATEST),
        ("0001-01-01T00:00:00+14:00", EARLIEST),
        ("2026-11-02T10:00:00+01:00", datetime(2026, 11, 2, 9, tzinfo=UTC)),
    ],
)
def test_a_timer_is_due_within_what_the_server_can_count(expires: str, due: datetime) -> None:
    """The server counts in nanoseconds: beyond 2262 it would ask at once."""
    golden = Path(__file__).parents[1] / "golden" / "events" / "contact.offered.json"
    offered = decode(golden.read_bytes())
    assert isinstance(offered, ContactOffered)
    opened = replace(offered.data.open, expires=datetime.fromisoformat(expires))
    (timer,) = asked_by(replace(offered, data=replace(offered.data, open=opened)))
    assert timer.due == due


async def test_a_kind_is_one_subject_token(server_place: ServerPlace) -> None:
    """A kind or id with a dot or a wildcard is refused before anything is sent."""
    now = datetime.now(UTC)
    for timers in (MemoryTimers(), NatsTimers(await server_place.bus())):
        for kind, event_id in (("a.b", "e1"), ("*", "e1"), (KIND, ">")):
            with pytest.raises(ValueError, match="not a subject token"):
                await timers.arm(a_timer(new_aggregate(), event_id, now, kind))


async def test_the_twin_fires_what_is_due_once() -> None:
    """Earliest first, nothing before its time, nothing twice, arming again changes nothing."""
    timers = MemoryTimers()
    now = datetime(2026, 11, 2, tzinfo=UTC)
    for number in (2, 1, 1, 9):
        await timers.arm(a_timer("conv-a", f"e{number}", now + timedelta(seconds=number)))
    assert [timer.id for timer in timers.due(now + timedelta(seconds=2))] == ["e1", "e2"]
    assert timers.due(now + timedelta(seconds=2)) == []
    assert [timer.id for timer in timers.armed] == ["e9"]
