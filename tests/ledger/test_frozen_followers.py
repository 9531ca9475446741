"""What is stored while a stream's followers stand still: undecided, never refused."""

from uuid import uuid4

import pytest

from shared.bus import Bus, connect
from shared.errors import BusUnavailable
from tests.support.frozen import frozen
from tests.support.servers import EmbeddedNatsCluster
from tests.support.waiting import eventually

pytestmark = pytest.mark.cluster


async def _stream(bus: Bus) -> str:
    """Make a stream on all nodes, with one message."""
    name = f"FROZEN-{uuid4().hex}"
    config = {"name": name, "subjects": [f"{name}.>"], "num_replicas": 3}

    async def made() -> bool:
        try:
            await bus.api(f"STREAM.CREATE.{name}", config)
            await bus.store(f"{name}.x", b"1", msg_id="1")
        except BusUnavailable:
            return False
        return True

    await eventually(made)
    return name


async def test_a_message_that_waits_for_its_followers_may_be_sent_again(
    three_nodes: EmbeddedNatsCluster,
) -> None:
    """The second try of one id meets the first: that is no refusal, and once they answer it is stored once."""
    anywhere = await connect(three_nodes.urls, "test")
    name = await _stream(anywhere)
    leader = await three_nodes.leader_of(name)
    bus = await connect(three_nodes.urls[leader], "test")
    followers = [three_nodes.pid(n) for n in range(len(three_nodes.urls)) if n != leader]
    with frozen(*followers), pytest.raises(BusUnavailable):
        await bus.store(f"{name}.x", b"2", msg_id="2")

    async def stored() -> bool:
        try:
            await anywhere.store(f"{name}.x", b"2", msg_id="2")
            info = await anywhere.api(f"STREAM.INFO.{name}")
        except BusUnavailable:
            return False
        return int(info["state"]["messages"]) == 2

    await eventually(stored, 60)
    await anywhere.api(f"STREAM.DELETE.{name}")
    await bus.close()
    await anywhere.close()
