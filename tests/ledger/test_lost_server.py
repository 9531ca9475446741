"""What was asked of a server that is then killed: nobody waits for its answer once another one is there."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from shared.bus import Bus, connect
from shared.errors import BusUnavailable
from tests.support.frozen import frozen
from tests.support.servers import EmbeddedNats

PATIENCE_SECONDS = 60.0
SOON_SECONDS = 20.0
"""A restart on a busy machine; a third of what was given to the answer."""

Ask = Callable[[Bus], Awaitable[object]]
ASKED: dict[str, Ask] = {
    "api": lambda bus: bus.api("STREAM.INFO.KEPT", timeout_seconds=PATIENCE_SECONDS),
    "submit": lambda bus: bus.submit("kept.x", b"", {}, timeout_seconds=PATIENCE_SECONDS),
    "store_many": lambda bus: bus.store_many(
        [("kept.x", b"", "1")], timeout_seconds=PATIENCE_SECONDS
    ),
}


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedNats]:
    """A server of the test's own, to be killed."""
    async with EmbeddedNats(tmp_path / "nats") as started:
        yield started


@pytest.mark.parametrize("asked", ASKED)
async def test_an_answer_is_not_awaited_from_a_server_that_was_killed(
    server: EmbeddedNats, asked: str
) -> None:
    """As soon as the connection is made again the outcome is unknown, long before the time given is over."""
    bus = await connect(server.url, "tests")
    await bus.api("STREAM.CREATE.KEPT", {"name": "KEPT", "subjects": ["kept.>"]})
    with frozen(server.pid):
        asking = asyncio.ensure_future(ASKED[asked](bus))
        await bus.publish("asked.before.this", b"")
        await server.kill()
    await server.start()
    async with asyncio.timeout(SOON_SECONDS):
        with pytest.raises(BusUnavailable):
            await asking
    await bus.close()
