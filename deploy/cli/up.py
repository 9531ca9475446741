"""`tellonce up` runs the stack in the foreground; `tellonce down` stops it from elsewhere."""

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import time

from deploy.cli.configured import check_secrets, read_policies, read_secrets
from deploy.embedded import errors, postgres, state, wire
from deploy.embedded.stack import EmbeddedStack, Plan
from deploy.embedded.status import examine

DOWN_SECONDS = 30.0
DOWN_POLL_SECONDS = 0.05


def up(chosen: argparse.Namespace) -> int:
    """Start everything, print every address, stay until SIGINT or SIGTERM, stop everything.

    Raises: SetupError.
    """
    environment = {}
    path, policies = read_policies(chosen.tenant_policy)
    # An account without its secrets is closed; without these no router starts.
    keys = [name for each in policies for name in (each.lookup_secret, *each.reply_secrets)]
    check_secrets(keys, read_secrets(path))
    _check_addresses()
    if chosen.tenant_policy:
        environment["TELLONCE_POLICY"] = str(path)
    plan = Plan(folder=state.data_folder(chosen.data), environment=environment, progress=_say)
    asyncio.run(run_until_signal(plan))
    return 0


def _check_addresses() -> None:
    """Raises: AddressInvalid for a server given by an address that is none."""
    nats_url, dsn = os.environ.get("TELLONCE_NATS_URL"), os.environ.get("TELLONCE_POSTGRES_DSN")
    if nats_url:
        wire.parse_url(nats_url)
    if dsn:
        postgres.host_and_port(dsn)


def down(chosen: argparse.Namespace) -> int:
    """Ask the stack of the data folder to stop and wait until it has.

    Raises: StackUnhealthy if it still runs after DOWN_SECONDS.
    """
    folder = state.data_folder(chosen.data)
    pid = state.holder(folder)
    if pid is None:
        print(f"No stack runs on {folder}.")
        return 0
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + DOWN_SECONDS
    while state.holder(folder) is not None:
        if time.monotonic() > deadline:
            raise errors.StackUnhealthy("the stack does not stop", pid=pid)
        time.sleep(DOWN_POLL_SECONDS)
    print(f"Stopped the stack on {folder}.")
    return 0


async def run_until_signal(plan: Plan) -> None:
    """Run the stack until SIGINT or SIGTERM; a signal while it starts stops it too. Raises: SetupError."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    stack = EmbeddedStack(plan)
    starting = asyncio.create_task(stack.start())
    waiting = asyncio.create_task(stop.wait())
    await asyncio.wait({starting, waiting}, return_when=asyncio.FIRST_COMPLETED)
    if starting.done():
        starting.result()
    else:
        starting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await starting
    try:
        if not waiting.done():
            _show(stack, await examine(stack.folder))
            await waiting
        _say("stopping ...")
    finally:
        await stack.stop()


def _show(stack: EmbeddedStack, found: state.Status) -> None:
    print(f"Tellonce is {found.state}. Data and logs: {stack.folder}")
    for name, troubles in found.troubles.items():
        print(f"  TROUBLE   {name} {', '.join(troubles)}")
    for name, address in stack.addresses.items():
        print(f"  {name:<9} {address}")
    for name, address in stack.monitors.items():
        print(f"  monitor   {name} {address}")
    print("Ctrl-C stops it.", flush=True)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
