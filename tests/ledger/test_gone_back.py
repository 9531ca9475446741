"""A stream that lost something, or was replaced by an older copy: who reads or writes it stops and says so."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from services.ingest.domain.delivery import WebRequest
from services.ingest.handlers.body_store import BodyStore
from services.ingest.handlers.raw_store import RawStore
from shared import streams
from shared.bus import connect
from shared.bus.deliveries import StoredMessage
from shared.errors import DoorUnavailable, LedgerUnavailable, StreamDrift
from shared.ledger.follow import follow
from shared.ledger.jetstream import NatsLedger
from shared.watching import Watch
from tests.support.ledger import (
    TENANT,
    WINDOW_SECONDS,
    ServerPlace,
    make_ledger_stream,
    new_aggregate,
    write,
)
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
    ledger = restored.ledger
    following, until = _following(ledger, 0)
    await until(10)
    following.cancel()
    await restored.put_back()
    await restored.bus.until_connected(WITHIN_SECONDS)
    assert await restored.grow(7) == 12
    for after in (4, 10):
        drift = await _ended(_following(ledger, after)[0])
        assert drift.details["replaced"] == 10


async def test_a_client_that_forgets_follows_what_was_adopted(restored: Restored) -> None:
    """An operator has accepted the older backup and what has grown on it."""
    ledger = restored.ledger
    following, until = _following(ledger, 0)
    await until(10)
    following.cancel()
    await restored.put_back()
    await restored.bus.until_connected(WITHIN_SECONDS)
    await restored.grow(7)
    ledger.forget()
    following, until = _following(ledger, 0)
    await until(12)
    following.cancel()


async def test_a_restart_is_not_taken_for_a_backup(restored: Restored) -> None:
    """The same events stand where they stood: following goes on."""
    following, until = _following(restored.ledger, 0)
    await until(10)
    await restored.server.restart()
    await until(await restored.grow(1))
    following.cancel()


async def test_what_an_older_backup_takes_is_not_answered(restored: Restored) -> None:
    """It is lost again when the right ledger is put back, so whoever asked must ask again."""
    ledger = restored.ledger
    await restored.put_back()
    await restored.bus.until_connected(WITHIN_SECONDS)
    with pytest.raises(LedgerUnavailable):
        await ledger.append(TENANT, [write(new_aggregate(), 0, "a")])


async def test_a_delivery_that_an_older_backup_takes_is_not_acknowledged(
    restored: Restored,
) -> None:
    """The provider keeps it, and sends it again; ingest ends. A restart alone is no reason."""
    store = RawStore(restored.bus, BodyStore(restored.bus), header_max_bytes=1_024)

    async def arrives() -> int:
        request = WebRequest("POST", "/", [], b"{}", datetime.now(UTC))
        return (await store.append(TENANT, "form", "contact", request)).sequence

    assert [await arrives(), await arrives()] == [1, 2]
    await restored.server.restart()
    assert await arrives() == 3
    await restored.put_back()
    await restored.bus.until_connected(WITHIN_SECONDS)
    for _ in range(5):  # also beyond where RAW ended
        with pytest.raises(DoorUnavailable) as refusal:
            await arrives()
        assert refusal.value.details["cause"] == StreamDrift.code
    with pytest.raises(StreamDrift):
        await asyncio.wait_for(store.acknowledged.watch(), WITHIN_SECONDS)


async def test_a_stream_that_ends_before_where_it_ended_is_noticed(restored: Restored) -> None:
    """An older copy has the name and the age of the stream in whose place it was put."""
    configs = streams.stream_configs(duplicate_window_seconds=WINDOW_SECONDS)
    watch = Watch(restored.bus, streams.WantedStreams(streams=configs))
    await watch.begin()
    await restored.grow(1)
    await watch.look()
    await restored.put_back()
    await restored.bus.until_connected(WITHIN_SECONDS)
    with pytest.raises(StreamDrift) as drift:
        await watch.look()
    assert drift.value.details["stream"] == streams.LEDGER
