"""A stack that several stories are played on, one after another."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.embedded.ports import LOOPBACK, free_ports
from deploy.embedded.postgres import copy_cluster
from deploy.embedded.stack import EmbeddedStack, Plan
from tests.conftest import once_per_run


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def running_stack(
    tmp_path_factory: pytest.TempPathFactory, postgres_template: Path
) -> AsyncIterator[EmbeddedStack]:
    """A stack that hands its mail to a port where the player may listen."""
    once_per_run(tmp_path_factory, "running-stack")
    async with EmbeddedStack(
        plan_in(tmp_path_factory.mktemp("running-stack"), postgres_template)
    ) as stack:
        yield stack


def plan_in(folder: Path, postgres_template: Path) -> Plan:
    """A stack in an empty folder that hands its mail to a free port."""
    copy_cluster(postgres_template, folder / "postgres")
    (port,) = free_ports(1)
    return Plan(folder=folder, environment={"TELLONCE_SMTP_URL": f"smtp://{LOOPBACK}:{port}"})


def playing_on(stack: EmbeddedStack) -> dict[str, str]:
    """The environment in which a story is played on a stack."""
    return {**stack.plan.environment, "TELLONCE_DATA": str(stack.folder)}


@pytest.fixture
def on_it(running_stack: EmbeddedStack) -> dict[str, str]:
    """The environment in which a story is played on that stack."""
    return playing_on(running_stack)
