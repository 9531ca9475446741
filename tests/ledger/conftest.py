"""One node and three nodes of the suite's own, so that a test may stop them."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from shared.ledger import Ledger
from shared.streams import LEDGER
from tests.support.ledger import Place, ServerPlace, TwinPlace, hand_over, make_ledger_stream
from tests.support.servers import EmbeddedNats, EmbeddedNatsCluster


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def one_node(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedNats]:
    """One server with the streams."""
    async with EmbeddedNats(tmp_path_factory.mktemp("ledger-one")) as server:
        await make_ledger_stream([server.url], 1)
        yield server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def three_nodes(nats_cluster: EmbeddedNatsCluster) -> EmbeddedNatsCluster:
    """The session's three servers with the streams on all of them."""
    await make_ledger_stream(nats_cluster.urls, 3)
    return nats_cluster


@pytest.fixture
def one_place(one_node: EmbeddedNats) -> ServerPlace:
    """The ledger on one node."""
    return ServerPlace([one_node.url], one_node.restart)


@pytest.fixture
def three_place(three_nodes: EmbeddedNatsCluster) -> ServerPlace:
    """The ledger on three nodes."""

    async def restart_leader() -> None:
        leader = await three_nodes.leader_of(LEDGER)
        await hand_over(three_nodes.urls, LEDGER)
        await three_nodes.restart(leader)

    return ServerPlace(three_nodes.urls, restart_leader)


@pytest.fixture(
    params=["twin", "one_place", pytest.param("three_place", marks=pytest.mark.cluster)]
)
def home(request: pytest.FixtureRequest) -> Place:
    """Every implementation in turn."""
    if request.param == "twin":
        return TwinPlace()
    place: Place = request.getfixturevalue(request.param)
    return place


@pytest.fixture(params=["one_place", pytest.param("three_place", marks=pytest.mark.cluster)])
def server_home(request: pytest.FixtureRequest) -> ServerPlace:
    """Every real server in turn."""
    place: ServerPlace = request.getfixturevalue(request.param)
    return place


@pytest_asyncio.fixture
async def place(home: Place) -> AsyncIterator[Place]:
    """Every implementation in turn; its clients are closed after the test."""
    yield home
    await home.close()


@pytest_asyncio.fixture
async def server_place(server_home: ServerPlace) -> AsyncIterator[ServerPlace]:
    """Every real server in turn; its clients are closed after the test."""
    yield server_home
    await server_home.close()


@pytest_asyncio.fixture
async def ledger(place: Place) -> Ledger:
    """A client of the place."""
    return await place.ledger()
