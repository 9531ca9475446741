"""`tellonce backup FOLDER`: copy the truth while everything goes on. `tellonce restore FOLDER`: put it back."""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from deploy import bootstrap, ledger
from deploy.backup import restoring, taking
from deploy.backup.errors import BackupNotTaken, RestoreFailed
from deploy.backup.manifest import Manifest
from deploy.cli.servers import on_servers
from shared.bus import Bus
from shared.policy import Policy
from shared.settings import Settings


def backup(chosen: argparse.Namespace) -> int:
    """Take a backup. Raises: SetupError."""
    began, folder = time.monotonic(), Path(chosen.folder).absolute()

    async def act(bus: Bus, _: Settings, __: list[Policy]) -> Manifest:
        return await taking.take(bus, folder, _say(began))

    taken = on_servers(chosen, act, BackupNotTaken)
    print(f"Ledger {taken.ledger} up to position {taken.position} is in {folder}.")
    return 0


def restore(chosen: argparse.Namespace) -> int:
    """Put a backup back. Raises: SetupError."""
    began, folder = time.monotonic(), Path(chosen.folder).absolute()

    async def act(bus: Bus, loaded: Settings, tenants: list[Policy]) -> ledger.Findings:
        everything = bootstrap.wanted(loaded, tenants)
        name, reason = tenants[0].tenant, chosen.reason
        return await restoring.restore(bus, loaded, name, everything, folder, reason, _say(began))

    found = on_servers(chosen, act, RestoreFailed)
    print(f"Ledger {found.identity} stands up to position {found.position} and is adopted.")
    print("Start the stack; history builds its tables anew.", file=sys.stderr)
    return 0


def _say(began: float) -> Callable[[str], None]:
    return lambda line: print(f"{time.monotonic() - began:7.1f} s  {line}", file=sys.stderr)
