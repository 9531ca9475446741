"""The contract on a server that is not ours: in a container, as operators run it."""

import asyncio
import inspect
import itertools
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from tests.ledger import test_again, test_append, test_competition, test_reading, test_timers
from tests.support.containers import skip_without_engine
from tests.support.ledger import ServerPlace, make_ledger_stream, new_aggregate, write
from tests.support.servers import EmbeddedNats

IMAGE = "nats:2.15.1"
CLIENT_PORT = 4222
READY_SECONDS = 60
RULE_SECONDS = 60
CONFIG = 'listen: "0.0.0.0:4222"\njetstream { store_dir: "/data", sync_interval: "always" }\n'
"""As in production: an acknowledged message is on the disk."""

CONTRACT = (test_append, test_again, test_reading, test_competition, test_timers)
PLACES = {"place", "server_place", "one_place"}
NOT_OURS_TO_STOP = {
    "test_a_killed_leader_loses_and_splits_nothing",
    "test_a_killed_server_loses_and_splits_nothing",
    "test_a_timer_survives_a_killed_server",
    "test_a_timer_survives_a_lost_leader",
    "test_after_a_restart",
    "test_following_survives_a_restart_without_a_gap",
}
"""Rules that kill or restart the server."""
NEED_NO_SERVER = {"test_the_checker_sees_each_violation", "test_the_twin_fires_what_is_due_once"}

Rule = Callable[..., Awaitable[None]]
Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """A rule with one choice of its parameters. `shape`: of the writes it is given, if it asks for them."""

    rule: Rule
    values: Values
    shape: str | None

    async def run(self, url: str) -> None:
        """Run the rule against the server there, in clients of its own."""
        place = ServerPlace([url], _stays_up)
        try:
            ledger = await place.ledger()
            given: dict[str, Any] = {
                "ledger": ledger,
                **dict.fromkeys(PLACES, place),
                **self.values,
            }
            if self.shape is not None:
                given["writes"] = [
                    write(new_aggregate(), 0, *names) for names in test_again.SHAPES[self.shape]
                ]
            async with asyncio.timeout(RULE_SECONDS):
                await self.rule(**{name: given[name] for name in _asked(self.rule)})
        finally:
            await place.close()

    def __str__(self) -> str:
        return f"{self.rule.__name__} {self.shape or ''} {dict(self.values)}"


async def _stays_up() -> None:
    raise AssertionError("no rule that restarts the server runs here")


def _asked(rule: Rule) -> set[str]:
    return set(inspect.signature(rule).parameters)


def _rules(module: ModuleType) -> list[Rule]:
    return [
        rule
        for name, rule in inspect.getmembers(module, inspect.iscoroutinefunction)
        if name.startswith("test_")
    ]


def _cases(rule: Rule) -> Iterator[Case]:
    """Yield a rule with every choice of its parameters, as pytest would."""
    marks = [each for each in getattr(rule, "pytestmark", []) if each.name == "parametrize"]
    shapes: list[str | None] = [*test_again.SHAPES] if "writes" in _asked(rule) else [None]
    for chosen in itertools.product(*map(_choices, marks)):
        values = {name: value for each in chosen for name, value in each.items()}
        yield from (Case(rule, values, shape) for shape in shapes)


def _choices(mark: pytest.Mark) -> list[Values]:
    names, choices = mark.args
    every = names.replace(",", " ").split() if isinstance(names, str) else list(names)
    return [
        dict(zip(every, choice if len(every) > 1 else [choice], strict=True)) for choice in choices
    ]


def contract() -> list[Case]:
    """Return every rule of the contract that runs on one server which is not ours to stop."""
    left_out = NOT_OURS_TO_STOP | NEED_NO_SERVER
    return [
        case
        for module in CONTRACT
        for rule in _rules(module)
        if rule.__name__ not in left_out
        for case in _cases(rule)
    ]


async def keep_the_contract(url: str, cases: Sequence[Case]) -> None:
    """Run the cases one after another. Raises: ExceptionGroup with every rule that is broken, named."""
    await make_ledger_stream([url], 1)
    broken: list[Exception] = []
    for case in cases:
        try:
            await case.run(url)
        except Exception as error:  # noqa: BLE001  whatever it is, the other rules run too
            error.add_note(str(case))
            broken.append(error)
    if broken:
        raise ExceptionGroup(f"{len(broken)} of {len(cases)} rules are broken", broken)


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


@pytest.mark.testcontainers
async def test_the_contract_holds_in_a_container(container_url: str) -> None:
    """Every rule that leaves the server running, one after another."""
    await keep_the_contract(container_url, contract())


async def test_what_the_container_runs_holds_here(tmp_path: Path) -> None:
    """Where no engine is, the same steps run on an embedded server, so that they cannot rot."""
    async with EmbeddedNats(tmp_path / "nats") as server:
        await keep_the_contract(server.url, contract())


async def test_a_broken_rule_is_told_by_name(tmp_path: Path) -> None:
    """The container's run can fail."""

    async def never_kept(ledger: object) -> None:
        assert ledger is None

    async with EmbeddedNats(tmp_path / "nats") as server:
        with pytest.raises(ExceptionGroup) as found:
            await keep_the_contract(server.url, [*_cases(never_kept)])
    (broken,) = found.value.exceptions
    assert "never_kept" in broken.__notes__[0]


def test_the_contract_for_containers_leaves_nothing_else_out() -> None:
    """What is left out is named above; every other rule is found, with all its parameters."""
    every = {rule.__name__ for module in CONTRACT for rule in _rules(module)}
    run = [case.rule.__name__ for case in contract()]
    assert every - set(run) == NOT_OURS_TO_STOP | NEED_NO_SERVER
    assert run.count("test_a_lost_answer_is_found_out") == 2 * len(test_again.SHAPES)
