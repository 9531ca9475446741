"""`tellonce ledger check`: is it the ledger that its data was made from? `adopt`: accept it as it stands."""

import argparse
import sys

import msgspec

from deploy import bootstrap, ledger
from deploy.cli.servers import on_servers
from deploy.embedded.errors import SetupError
from shared import errors
from shared.bus import Bus
from shared.policy import Policy
from shared.settings import Settings


class LedgerRefused(SetupError):
    code = "setup.ledger_refused"
    sentence = "the ledger could not be looked at"
    mend = "read the code, and the log files in the data folder"


def check(chosen: argparse.Namespace) -> int:
    """Show what stands and who contradicts it; 0 if nobody does, else 1. Raises: SetupError."""

    async def act(bus: Bus, loaded: Settings, _: list[Policy]) -> ledger.Findings:
        return await ledger.examine(bus, loaded)

    found = on_servers(chosen, act, LedgerRefused)
    _show(found, as_json=chosen.json)
    return 1 if found.against else 0


def adopt(chosen: argparse.Namespace) -> int:
    """Accept the ledger, show what contradicted it. Raises: SetupError."""

    async def act(bus: Bus, loaded: Settings, tenants: list[Policy]) -> ledger.Findings:
        everything = bootstrap.wanted(loaded, tenants)
        return await ledger.adopt(bus, loaded, tenants[0].tenant, everything, chosen.reason)

    found = on_servers(chosen, act, LedgerRefused)
    _show(found, as_json=chosen.json)
    told = "Adopted. Start the stack; history builds its tables anew."
    if not found.against:
        told = "Nobody contradicts this ledger: there is nothing to adopt, and nothing was changed."
    print(told, file=sys.stderr)
    return 0


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
