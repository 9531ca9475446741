"""Where verbs find the servers that they work at: those of a running stack, of the environment, or of a data folder."""

import argparse
import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypeVar

from deploy import rights
from deploy.cli.configured import policy_path
from deploy.embedded import state
from deploy.embedded.errors import SetupError
from deploy.embedded.stack import EmbeddedStack, Plan
from shared import errors, policies, settings
from shared.bus import Bus, connect
from shared.policy import Policy
from shared.settings import Settings

T = TypeVar("T")
NATS_URL = "TELLONCE_NATS_URL"


def on_servers(
    chosen: argparse.Namespace,
    act: Callable[[Bus, Settings, list[Policy]], Awaitable[T]],
    refused: type[SetupError],
) -> T:
    """Do it on the servers of the running stack, else of the environment, else of the data folder, started for this.

    Raises: SetupError; `refused` for what the servers or the ledger refuse.
    """
    environment = {}
    if chosen.tenant_policy:
        environment["TELLONCE_POLICY"] = str(policy_path(chosen.tenant_policy))
    folder = state.data_folder(chosen.data)

    async def run() -> T:
        async with _servers(folder, environment) as addresses:
            loaded = settings.load({**os.environ, **environment, **addresses})
            bus = await connect(loaded.bus_address(), "operator")
            try:
                return await act(bus, loaded, policies.load_all(loaded.policy))
            finally:
                await bus.close()

    try:
        return asyncio.run(run())
    except SetupError:
        raise
    except errors.TellonceError as error:
        raise refused(f"{error.code}: {error}") from error


@contextlib.asynccontextmanager
async def _servers(folder: Path, environment: Mapping[str, str]) -> AsyncIterator[dict[str, str]]:
    """Give the servers as variables, for whoever may change streams; none where the environment has them."""
    async with contextlib.AsyncExitStack() as held:
        found = state.read_status(folder)
        if found.state == "stopped" and os.environ.get(NATS_URL):
            yield {}
            return
        if found.state == "stopped":
            plan = Plan(folder=folder, environment=environment, bootstrap=(), services={})
            found = (await held.enter_async_context(EmbeddedStack(plan))).status()
        bus = state.bus_address(folder, found, rights.BOOTSTRAP)
        yield {
            NATS_URL: bus.url,
            "TELLONCE_NATS_SEED_FILE": bus.seed_file,
            "TELLONCE_POSTGRES_DSN": found.addresses["postgres"],
            "TELLONCE_LEDGER_MARK": str(folder / state.LEDGER_MARK),
        }
