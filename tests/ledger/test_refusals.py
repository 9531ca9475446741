"""Where refusals are kept: the same for the twin and a real server."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
import pytest_asyncio

from shared import streams, subjects
from shared.bus import Bus, connect
from shared.commands import REMEMBERED, SKEW
from shared.refusals import KeptRefusal, NatsRefusals, Refusals
from tests.support.ledger import TENANT
from tests.support.memory_refusals import MemoryRefusals
from tests.support.servers import EmbeddedNats


def refusal(code: str = "offer.expired") -> KeptRefusal:
    return KeptRefusal(sha256="a" * 64, code=code, message="too late", details={"offer_id": "o1"})


def a_place() -> str:
    """Return where nothing is kept yet."""
    return subjects.refused(TENANT, uuid4().hex)


@pytest_asyncio.fixture
async def bus(one_node: EmbeddedNats) -> AsyncIterator[Bus]:
    bus = await connect(one_node.url, "test")
    yield bus
    await bus.close()


@pytest_asyncio.fixture(params=["twin", "server"])
async def refusals(request: pytest.FixtureRequest, bus: Bus) -> Refusals:
    return MemoryRefusals() if request.param == "twin" else NatsRefusals(bus)


async def test_what_is_kept_is_found_where_it_was_kept(refusals: Refusals) -> None:
    """As it was given, and nowhere else."""
    place = a_place()
    await refusals.keep(place, refusal())
    assert await refusals.find(place) == refusal()
    assert await refusals.find(a_place()) is None


async def test_of_two_refusals_the_first_stays(refusals: Refusals) -> None:
    """Two processes decided the same command at once: both tell what is kept."""
    place = a_place()
    await refusals.keep(place, refusal())
    await refusals.keep(place, refusal("conversation.resolved"))
    assert await refusals.find(place) == refusal()


async def test_refusals_are_kept_as_long_as_a_command_is_taken(bus: Bus) -> None:
    """Time and size have their bounds, and of a command one refusal is kept."""
    config = (await bus.api(f"STREAM.INFO.{streams.REFUSALS}"))["config"]
    assert config["max_age"] == (REMEMBERED + SKEW).total_seconds() * streams.SECOND_NS
    assert (config["max_msgs_per_subject"], config["discard"]) == (1, "old")
    assert 0 < config["max_bytes"] <= streams.REFUSALS_MAX_BYTES
