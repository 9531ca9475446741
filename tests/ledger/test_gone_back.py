"""A follower whose stream lost something, or was replaced by an older copy of itself: it stops and says so."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from shared.bus import connect
from shared.bus.deliveries import StoredMessage
from shared.errors import StreamDrift
from shared.ledger.follow import follow
from shared.ledger.jetstream import NatsLedger
from tests.support.ledger import ServerPlace, make_ledger_stream, new_aggregate
from tests.support.restored import Restored
from tests.support.servers import EmbeddedNats
from tests.support.waiting import WITHIN_SECONDS, eventually


async def test_a_gap_inside_a_batch_is_drift(server_place: ServerPlace) -> None:
    """What comes of a batch is held, and what it lacks is missed all the same; nothing of it is yielded."""
    bus = await server_place.bus()
    name = f"HOLED-{new_aggregate()}"
    stream = {"name": name, "subjects": [f"{name}.>"], "allow_atomic": True}
    await bus.api(f"STREAM.CREATE.{name}", stream)
    await bus.store(f"{name}.x", b"{}")
    headers = {"Nats-Batch-Id": "b"}
    for number in ("1", "2", "3"):
        await bus.publish(f"{name}.x", b"{}", headers={**headers, "Nats-Batch-Sequence": number})
    last = {**headers, "Nats-Batch-Sequence": "4", "Nats-Batch-Commit": "1"}
    assert (await bus.submit(f"{name}.x", b"{}", last)).count == 4
    await bus.api(f"STREAM.MSG.DELETE.{name}", {"seq": 4})
    found: list[StoredMessage] = []

    async def run() -> None:
        async for batch in follow(bus, name, 0):
            found.extend(batch)

    with pytest.raises(StreamDrift) as drift:
        await asyncio.wait_for(run(), WITHIN_SECONDS)
    assert drift.value.details["missing"] == 4
    assert [message.sequence for message in found] == [1]
    await bus.api(f"STREAM.DELETE.{name}")


@pytest_asyncio.fixture
async def restored(tmp_path: Path) -> AsyncIterator[Restored]:
    """A ledger of five events, backed up, that has five more since."""
    folder = tmp_path / "nats"
    async with EmbeddedNats(folder) as server:
        await make_ledger_stream([server.url], 1)
        bus = await connect(server.url, "test")
        it = Restored(server, folder, bus)
        await it.grow(5)
        await it.back_up()
        await it.grow(5)
        yield it
        await bus.close()


async def _ended(following: asyncio.Task[None]) -> StreamDrift:
    with pytest.raises(StreamDrift) as drift:
        await asyncio.wait_for(following, WITHIN_SECONDS)
    return drift.value


def _following(
    ledger: NatsLedger, after: int
) -> tuple[asyncio.Task[None], Callable[..., Awaitable[None]]]:
    reached = after

    async def run() -> None:
        nonlocal reached
        async for batch in ledger.follow(after):
            reached = batch[-1].sequence

    async def until(sequence: int) -> None:
        async def there() -> bool:
            return reached >= sequence

        await eventually(there)

    return asyncio.create_task(run()), until


async def test_an_older_backup_stops_a_running_follower(restored: Restored) -> None:
    """Its positions will be used again for other events: they must not be taken for those that were followed."""
    following, until = _following(restored.ledger, 0)
    await until(10)
    await restored.put_back()
    await restored.bus.until_connected(WITHIN_SECONDS)
    await restored.grow(7)
    await _ended(following)


async def test_an_older_backup_that_has_grown_again_is_told_by_its_events(
    restored: Restored,
) -> None:
    """As long as before, but another event stands at the last position that this client has followed."""
    following, until = _following(restored.ledger, 0)
    await until(10)
    following.cancel()
    await restored.put_back()
    await restored.bus.until_connected(WITHIN_SECONDS)
    assert await restored.grow(7) == 12
    for after in (4, 10):
        drift = await _ended(_following(restored.ledger, after)[0])
        assert drift.details["replaced"] == 10


async def test_a_restart_is_not_taken_for_a_backup(restored: Restored) -> None:
    """The same events stand where they stood: following goes on."""
    following, until = _following(restored.ledger, 0)
    await until(10)
    await restored.server.restart()
    await until(await restored.grow(1))
    following.cancel()
