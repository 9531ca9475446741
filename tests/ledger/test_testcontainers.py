"""The same contract on the server's container image, as operators run it."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from types import ModuleType

import pytest
import pytest_asyncio
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from tests.ledger import test_append, test_reading
from tests.support.containers import skip_without_engine
from tests.support.ledger import ServerPlace, make_ledger_stream

IMAGE = "nats:2.15.1"
CLIENT_PORT = 4222
READY_SECONDS = 60
CONFIG = 'listen: "0.0.0.0:4222"\njetstream { store_dir: "/data", sync_interval: "always" }\n'
"""As in production: an acknowledged message is on the disk."""


@pytest.fixture
def container_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server in a container; skips with its reason where there is no engine."""
    skip_without_engine()
    config = tmp_path_factory.mktemp("container") / "nats.conf"
    config.write_text(CONFIG)
    container = (
        DockerContainer(IMAGE)
        .with_exposed_ports(CLIENT_PORT)
        .with_volume_mapping(config, "/etc/tellonce.conf")
        .with_command("--config /etc/tellonce.conf")
        .waiting_for(LogMessageWaitStrategy("Server is ready").with_startup_timeout(READY_SECONDS))
    )
    with container:
        host = container.get_container_host_ip()
        yield f"nats://{host}:{container.get_exposed_port(CLIENT_PORT)}"


@pytest_asyncio.fixture
async def container_place(container_url: str) -> AsyncIterator[ServerPlace]:
    """The ledger in a container; it is never restarted, which would give it another port."""

    async def restart() -> None:
        raise AssertionError("no rule that restarts the server runs here")

    await make_ledger_stream([container_url], 1)
    place = ServerPlace([container_url], restart)
    yield place
    await place.close()


def _rules(module: ModuleType) -> list[Callable[..., Awaitable[None]]]:
    """Return the module's rules that need nothing but a ledger or a place that stays up."""
    found = [
        rule
        for name, rule in inspect.getmembers(module, inspect.iscoroutinefunction)
        if name.startswith("test_") and "restart" not in name
    ]
    return [
        rule for rule in found if set(inspect.signature(rule).parameters) <= {"ledger", "place"}
    ]


@pytest.mark.testcontainers
async def test_the_contract_holds_in_a_container(container_place: ServerPlace) -> None:
    """Every rule of appending and reading that needs no restart, one after another."""
    rules = _rules(test_append) + _rules(test_reading)
    for rule in rules:
        given = inspect.signature(rule).parameters
        arguments = {"place": container_place, "ledger": await container_place.ledger()}
        async with asyncio.timeout(READY_SECONDS):
            await rule(**{name: arguments[name] for name in given})


def test_the_contract_for_containers_is_not_empty() -> None:
    """The rules are found by name: a renaming must not leave the container without a contract."""
    names = {rule.__name__ for module in (test_append, test_reading) for rule in _rules(module)}
    assert len(names) >= 15
    assert "test_two_that_guard_each_other_do_not_both_pass" in names
