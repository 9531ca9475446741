"""`tellonce ledger check`: is it the ledger that its data was made from? `adopt`: accept it as it stands."""

import argparse
import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

import msgspec

from deploy import bootstrap, ledger
from deploy.cli.configured import policy_file
from deploy.embedded import state
from deploy.embedded.errors import SetupError
from deploy.embedded.stack import EmbeddedStack, Plan
from shared import errors, policy, settings
from shared.bus import Bus, connect
from shared.policy import Policy
from shared.settings import Settings

Act = Callable[[Bus, Settings, Policy], Awaitable[ledger.Findings]]


class LedgerRefused(SetupError):
    code = "setup.ledger_refused"
    sentence = "the ledger could not be looked at"
    mend = "read the code, and the log files in the data folder"


def check(chosen: argparse.Namespace) -> int:
    """Show what stands and who contradicts it; 0 if nobody does, else 1. Raises: SetupError."""

    async def act(bus: Bus, loaded: Settings, tenant: Policy) -> ledger.Findings:
        return await ledger.examine(bus, loaded, tenant.tenant)

    found = _on_servers(chosen, act)
    _show(found, as_json=chosen.json)
    return 1 if found.against else 0


def adopt(chosen: argparse.Namespace) -> int:
    """Accept the ledger, show what contradicted it. Raises: SetupError."""

    async def act(bus: Bus, loaded: Settings, tenant: Policy) -> ledger.Findings:
        everything = bootstrap.wanted(loaded, tenant)
        return await ledger.adopt(bus, loaded, tenant.tenant, everything, chosen.reason)

    found = _on_servers(chosen, act)
    _show(found, as_json=chosen.json)
    told = "Adopted. Start the stack; history builds its tables anew."
    if not found.against:
        told = "Nobody contradicts this ledger: there is nothing to adopt, and nothing was changed."
    print(told, file=sys.stderr)
    return 0


def _on_servers(chosen: argparse.Namespace, act: Act) -> ledger.Findings:
    """Do it on the servers of the running stack, or on those of the data folder, started for this."""
    environment = {}
    if chosen.tenant_policy:
        environment["TELLONCE_POLICY"] = str(policy_file(chosen.tenant_policy))
    folder = state.data_folder(chosen.data)

    async def run() -> ledger.Findings:
        async with _servers(folder, environment) as addresses:
            loaded = settings.load({**os.environ, **environment, **addresses})
            bus = await connect(loaded.nats_url, "ledger")
            try:
                return await act(bus, loaded, policy.load(loaded.policy))
            finally:
                await bus.close()

    try:
        return asyncio.run(run())
    except SetupError:
        raise
    except errors.TellonceError as error:
        raise LedgerRefused(f"{error.code}: {error}") from error


@contextlib.asynccontextmanager
async def _servers(folder: Path, environment: Mapping[str, str]) -> AsyncIterator[dict[str, str]]:
    """Give the addresses of the servers as variables."""
    async with contextlib.AsyncExitStack() as held:
        found = state.read_status(folder)
        if found.state == "stopped":
            plan = Plan(folder=folder, environment=environment, bootstrap=(), services={})
            found = (await held.enter_async_context(EmbeddedStack(plan))).status()
        yield {
            "TELLONCE_NATS_URL": found.addresses["nats"],
            "TELLONCE_POSTGRES_DSN": found.addresses["postgres"],
            "TELLONCE_LEDGER_MARK": str(folder / state.LEDGER_MARK),
        }


def _show(found: ledger.Findings, *, as_json: bool) -> None:
    if as_json:
        print(msgspec.json.encode(found).decode())
        return
    print(f"ledger    {found.identity or 'has no identity yet'}")
    print(f"position  {found.position}")
    for witness, reason in found.against.items():
        print(f"WRONG     {witness} remembers another ledger: this one is {reason}")
    for witness in found.silent:
        print(f"silent    {witness} could not be asked")
    if found.against:
        print(f"          {errors.LedgerContradicted.sentence}")
