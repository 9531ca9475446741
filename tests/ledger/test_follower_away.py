"""A follower whose consumer stands on a node that is away."""

import asyncio
from uuid import uuid4

import pytest

from shared.bus import Bus, connect
from shared.errors import BusUnavailable
from shared.ledger.follow import follow
from tests.support.servers import EmbeddedNatsCluster
from tests.support.waiting import eventually

pytestmark = pytest.mark.cluster

WITHIN_SECONDS = 60


async def _stored(bus: Bus, stream: str, body: bytes) -> None:
    async def done() -> bool:
        try:
            await bus.api(
                f"STREAM.CREATE.{stream}",
                {"name": stream, "subjects": [f"{stream}.>"], "num_replicas": 3},
            )
            await bus.store(f"{stream}.x", body, msg_id=body.decode())
        except BusUnavailable:
            return False
        return True

    await eventually(done, WITHIN_SECONDS)


async def _node_of_consumer(bus: Bus, stream: str) -> int:
    names = await bus.api(f"CONSUMER.NAMES.{stream}")
    (name,) = names["consumers"]
    info = await bus.api(f"CONSUMER.INFO.{stream}.{name}")
    return int(info["cluster"]["leader"].removeprefix("n"))


async def test_a_follower_does_not_wait_for_the_node_of_its_consumer(
    three_nodes: EmbeddedNatsCluster,
) -> None:
    """Its own server is there, and the stream has two of three: it goes on from where it stood by another consumer."""
    bus, stream = await connect(three_nodes.urls[0], "test"), f"AWAY-{uuid4().hex}"
    await _stored(bus, stream, b"1")
    while True:
        following = follow(bus, stream, 0)
        assert [each.body for each in await anext(following)] == [b"1"]
        node = await _node_of_consumer(bus, stream)
        if node != 0:
            break
        await following.aclose()
    await three_nodes.kill(node)
    try:
        await _stored(bus, stream, b"2")
        async with asyncio.timeout(WITHIN_SECONDS):
            assert [each.body for each in await anext(following)] == [b"2"]
    finally:
        await following.aclose()
        await three_nodes.restart(node)
        await bus.close()
