"""Fixtures that every suite may use: real servers on free loopback ports.

Each is made once per session, and only when a test asks for it.
"""

import gc
import os
from collections.abc import AsyncIterator
from pathlib import Path

import hypothesis
import pytest
import pytest_asyncio

from deploy.embedded.postgres import create_cluster
from tests.support import memory_folder
from tests.support.servers import EmbeddedNats, EmbeddedNatsCluster, EmbeddedPostgres

memory_folder.use()

AS_DEPLOYED = Path(__file__).parent / "support" / "as_deployed"
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(AS_DEPLOYED), *filter(None, [os.environ.get("PYTHONPATH")])]
)

# What a developer has set for a stack of her own (docs/how-to/try-a-channel.md) is nothing to the tests.
for name in [each for each in os.environ if each.startswith("TELLONCE_")]:
    if name != "TELLONCE_CORPUS":
        del os.environ[name]

SERVICE_FILE = "test_service.py"
"""A service's own process, started and killed again and again."""

# How long one example takes says how busy the machine is, and nothing of the rule.
hypothesis.settings.register_profile("tellonce", deadline=None)
hypothesis.settings.load_profile("tellonce")

# What is imported and collected stays until the end: to look through it for garbage, again and again as it grows, is a
# fifth of the run.
gc.disable()
OBJECTS_BEFORE_A_LOOK = 20_000


def pytest_collection_finish() -> None:
    """Look for garbage from now on, and only among what the tests make."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(OBJECTS_BEFORE_A_LOOK)
    gc.enable()


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the long tests begin, and the tests of one worker share what is made once per session or file."""
    items.sort(key=_place_of)
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_worker_of(item)))


def _place_of(item: pytest.Item) -> int:
    """Where a test comes in the run: stories, then what one worker alone has long to do, then the rest."""
    if item.get_closest_marker("story"):
        return 0
    return 1 if item.get_closest_marker("cluster") or item.path.name == SERVICE_FILE else 2


def _worker_of(item: pytest.Item) -> str:
    """The name under which tests go to one worker, one after another: their common servers, else their file."""
    if item.get_closest_marker("cluster"):
        return "cluster"
    if "running_stack" in item.fixturenames:  # type: ignore[attr-defined]  # every function has them
        return "running_stack"
    return item.nodeid if item.get_closest_marker("story") else str(item.path)


def once_per_run(factory: pytest.TempPathFactory, name: str) -> None:
    """Fail when another worker of this run has made it too: the groups above are not heeded then."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return
    try:  # a worker's folder lies in the run's
        (factory.getbasetemp().parent / f"{name}.made").touch(exist_ok=False)
    except FileExistsError:
        pytest.fail(
            f"two workers make a {name}: run the tests as `make test` does, by --dist loadgroup"
        )


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
    once_per_run(tmp_path_factory, "cluster")
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
    async with EmbeddedPostgres(folder, template=postgres_template, syncs=False) as server:
        yield server


@pytest.fixture
def postgres_dsn(postgres_server: EmbeddedPostgres) -> str:
    """The address of the session's Postgres."""
    return postgres_server.dsn
