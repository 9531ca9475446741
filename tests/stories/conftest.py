"""A stack that several stories are played on, one after another."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.embedded.ports import LOOPBACK, free_ports
from deploy.embedded.postgres import copy_cluster
from deploy.embedded.stack import EmbeddedStack, Plan
from tests.conftest import once_per_run
from tests.stories.files import shared_policy
from tests.support.servers import CONTAINERS

collect_ignore = [] if CONTAINERS in os.environ else ["test_images.py"]

INTEGRATION = "shop"
"""Whom the tenant of the stories lets onto the bus: who follows her ledger, and gives commands."""


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def running_stack(
    tmp_path_factory: pytest.TempPathFactory, postgres_template: Path
) -> AsyncIterator[EmbeddedStack]:
    """A stack that hands its mail and its messages to ports where the player may listen."""
    once_per_run(tmp_path_factory, "running-stack")
    folder, (mail, apis) = tmp_path_factory.mktemp("running-stack"), free_ports(2)
    copy_cluster(postgres_template, folder / "postgres")
    policy = folder / "shared-policy.yaml"
    policy.write_bytes(shared_policy())
    environment = {
        "TELLONCE_SMTP_URL": f"smtp://{LOOPBACK}:{mail}",
        "TELLONCE_PROVIDERS_URL": f"http://{LOOPBACK}:{apis}",
        "TELLONCE_POLICY": str(policy),
    }
    async with EmbeddedStack(Plan(folder=folder, environment=environment)) as stack:
        yield stack


def playing_on(stack: EmbeddedStack) -> dict[str, str]:
    """The environment in which a story is played on a stack."""
    return {**stack.plan.environment, "TELLONCE_DATA": str(stack.folder)}


@pytest.fixture
def on_it(running_stack: EmbeddedStack) -> dict[str, str]:
    """The environment in which a story is played on that stack."""
    return playing_on(running_stack)
