"""`tellonce channels list`: each account of the policy: is its door open, what became of its deliveries, is it silent.

An account is silent when nothing came for much longer than between two deliveries of it so far.
Exit codes: 0 shown, 1 refused, 2 not reached.
"""

import argparse
import asyncio
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from deploy.cli import ask
from deploy.cli.configured import named_policy, read_policy, read_secrets
from services.ingest.handlers.accounts import Accounts, Door
from shared import aggregates, codec, errors, events, streams, subjects
from shared.bus import Bus, connect
from shared.bus_address import BusAddress
from shared.ledger import LedgerReader
from shared.ledger.jetstream import NatsLedger
from shared.policies import Policies
from shared.queries.deliveries import Counts

SILENT_TIMES = 10.0
SILENT_SECONDS_MIN = 3_600.0
"""Shorter silence says nothing, however busy an account was."""
SHOWN = Counts.__struct_fields__
"""All of the balance, so that what is shown adds up."""


class AccountLine(msgspec.Struct, frozen=True, kw_only=True):
    """One account. `lacking`: secrets without which its door is shut; `last`: when its last delivery was stored.

    `usual_seconds`: between two deliveries, on average since the first that RAW holds; `silent`: it has been quiet for
    SILENT_TIMES as long, and for an hour at least; `fetched`: ingest reads there itself, whatever its door;
    `interrupted`: since when and until when nobody listened, the last time; `None`: never.
    """

    account: str
    medium: str
    lacking: list[str]
    counts: dict[str, int]
    last: datetime | None
    usual_seconds: float | None
    silent: bool
    fetched: bool = False
    interrupted: tuple[datetime, datetime] | None = None


def listed(chosen: argparse.Namespace) -> int:
    """Print a line per account. Raises: SetupError."""
    path, policy = read_policy(named_policy(chosen), chosen.tenant)
    answer = ask.exchange(chosen, subjects.query(policy.tenant, "balance"), {})
    if answer is None or "error" in answer:
        return ask.shown(answer)
    doors = list(Accounts(Policies(policy), read_secrets(path)).of_tenant(policy.tenant))
    try:
        lines = asyncio.run(_lines(ask.bus_address(chosen), doors, answer["accounts"]))
    except errors.BusUnavailable:
        print("not reached", file=sys.stderr)
        return ask.EXIT_NOT_REACHED
    for each in lines:
        print(msgspec.json.encode(each).decode() if chosen.json else shown(each))
    return 0


async def _lines(
    address: BusAddress, doors: list[Door], counted: Mapping[str, Mapping[str, Any]]
) -> list[AccountLine]:
    bus = await connect(address, "channels")
    try:
        now = datetime.now(UTC)
        return [await line_of(bus, door, counted.get(door.name, {}), now) for door in doors]
    finally:
        await bus.close()


async def line_of(bus: Bus, door: Door, counted: Mapping[str, Any], now: datetime) -> AccountLine:
    """Return how an account stands. `counted`: what the balance says of it."""
    subject = subjects.raw(door.tenant, door.channel.NAME, door.account)
    last = await bus.leader_get(streams.RAW, last_by_subject=subject)
    first = await bus.leader_get(streams.RAW, sequence=1, next_by_subject=subject) if last else None
    counts = {name: int(counted.get(name, 0)) for name in SHOWN}
    usual_seconds, silent = None, False
    if first is not None and last is not None and first.sequence != last.sequence:
        apart = (last.stored - first.stored).total_seconds()
        usual_seconds = apart / max(1, counts["received"] - 1)
        quiet = (now - last.stored).total_seconds()
        silent = quiet > max(SILENT_SECONDS_MIN, SILENT_TIMES * usual_seconds)
    return AccountLine(
        account=door.name,
        medium=door.channel.MEDIUM,
        lacking=[name for name in door.channel.SECRETS if name not in door.secrets],
        counts=counts,
        last=last.stored if last else None,
        usual_seconds=usual_seconds,
        silent=silent,
        fetched=bool(door.rules.imap or door.rules.ami or door.rules.ari),
        interrupted=await _interrupted(bus, door),
    )


async def _interrupted(bus: Bus, door: Door) -> tuple[datetime, datetime] | None:
    ledger: LedgerReader = NatsLedger(bus, codec.PlainCodec())
    journal = await ledger.read(door.tenant, aggregates.account(door.channel.NAME, door.account))
    for each in reversed(journal):
        if isinstance(each.event, events.ChannelInterrupted):
            return each.event.open.since, each.event.open.until
    return None


def shown(line: AccountLine) -> str:
    """Return the line of an account."""
    shut = line.lacking and not line.fetched
    state = "SHUT" if shut else "SILENT" if line.silent else "open"
    counts = "  ".join(f"{name} {count}" for name, count in line.counts.items())
    last = line.last.isoformat(timespec="seconds") if line.last else "nothing yet"
    no_door = "no door, " if line.fetched else ""
    why = f"  {no_door}lacks {', '.join(line.lacking)}" if line.lacking else ""
    since, until = line.interrupted or (None, None)
    gap = f"  nobody listened {since:%Y-%m-%dT%H:%M:%S} to {until:%H:%M:%S}" if until else ""
    return f"{state:<7} {line.account:<28} {counts}  last {last}{why}{gap}"
