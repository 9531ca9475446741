"""Fixtures that every suite may use: real servers on free loopback ports.

Each is made once per session, and only when a test asks for it.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import hypothesis
import pytest
import pytest_asyncio

from deploy.embedded.postgres import create_cluster
from tests.support.servers import EmbeddedNats, EmbeddedNatsCluster, EmbeddedPostgres

# How long one example takes says how busy the machine is, and nothing of the rule.
hypothesis.settings.register_profile("tellonce", deadline=None)
hypothesis.settings.load_profile("tellonce")

ONE_AFTER_ANOTHER = {"cluster": "three servers at once", "story": "a whole stack at once"}
"""Markers whose tests share one worker: side by side they would only take each other's time."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep tests that need many processes in one worker each kind."""
    for item in items:
        for name in ONE_AFTER_ANOTHER:
            if item.get_closest_marker(name):
                item.add_marker(pytest.mark.xdist_group(name))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def nats_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedNats]:
    """One JetStream server for the whole session; use your own streams and subjects on it."""
    async with EmbeddedNats(tmp_path_factory.mktemp("nats")) as server:
        yield server


@pytest.fixture
def nats_url(nats_server: EmbeddedNats) -> str:
    """The address of the session's JetStream server."""
    return nats_server.url


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def nats_cluster(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[EmbeddedNatsCluster]:
    """Three JetStream servers for the whole session; a test that kills one starts it again."""
    async with EmbeddedNatsCluster(tmp_path_factory.mktemp("cluster"), size=3) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def postgres_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder made by initdb once; servers of tests start from copies of it."""
    folder = tmp_path_factory.mktemp("postgres-template") / "data"
    create_cluster(folder)
    return folder


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres_server(
    tmp_path_factory: pytest.TempPathFactory, postgres_template: Path
) -> AsyncIterator[EmbeddedPostgres]:
    """One Postgres for the whole session; use your own schema in it."""
    folder = tmp_path_factory.mktemp("postgres") / "data"
    async with EmbeddedPostgres(folder, template=postgres_template) as server:
        yield server


@pytest.fixture
def postgres_dsn(postgres_server: EmbeddedPostgres) -> str:
    """The address of the session's Postgres."""
    return postgres_server.dsn
