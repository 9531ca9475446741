"""The player knows when the services have nothing left to do."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.story.checks import quiescence
from shared import ensuring, streams
from shared.bus import Bus, connect
from shared.streams import CONTACTS, WantedStreams
from tests.support.servers import EmbeddedNats

PARTITION = streams.router_contacts(3)


@pytest_asyncio.fixture
async def bus(tmp_path: Path) -> AsyncIterator[Bus]:
    """A server of its own with all streams and the router's consumers."""
    async with EmbeddedNats(tmp_path) as server:
        bus = await connect(server.url, "test")
        wanted = WantedStreams(streams.stream_configs(), streams.router_consumers())
        await ensuring.ensure(bus, wanted)
        yield bus
        await bus.close()


async def test_work_that_is_not_finished_is_named(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits, and what was taken and is not acknowledged; both may come again."""
    monkeypatch.setattr(quiescence, "REST_SECONDS", 0.1)
    assert await quiescence.until_at_rest(bus) == []
    await bus.store("contact.3.demo.chat", b"{}", msg_id="m1")
    assert await quiescence.until_at_rest(bus) == [PARTITION]
    taken = bus.pull(CONTACTS, PARTITION, batch=1)
    (delivery,) = await anext(taken)
    assert await quiescence.until_at_rest(bus) == [PARTITION]
    await delivery.ack()
    monkeypatch.undo()
    assert await quiescence.until_at_rest(bus) == []


async def test_a_reader_that_is_dead_is_not_waited_for(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A follower's own consumer outlives it for a while; nobody will read there any more."""
    monkeypatch.setattr(quiescence, "REST_SECONDS", 0.1)
    await bus.api(
        "CONSUMER.CREATE.RAW",
        {"stream_name": "RAW", "config": {"deliver_policy": "all", "ack_policy": "none"}},
    )
    await bus.store("raw.demo.form.contact", b"{}", msg_id="m1")
    assert await quiescence.until_at_rest(bus) == []
