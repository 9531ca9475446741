"""`tellonce channels replay --since TIME`: parse RAW again with today's adapters, show what the ledger lacks, apply it.

One JSON object per delivery that makes something new, then one with the sums. What is applied is published as ingest
publishes it, under the ids that the deliveries give: it is decided once, however often it is applied. What the ledger
holds already stays as it is. What visitors looked at never comes there, and is not replayed.
Exit codes: 0 nothing is lacking, or it was applied; 1 something is lacking; 2 not reached, or no such account.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator, Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec

from deploy.cli.ask import bus_address
from deploy.cli.configured import named_policy, policy_of, read_policies, read_secrets
from deploy.cli.positions import position_at
from services.ingest.domain.outcome import Quarantined
from services.ingest.handlers import parsing
from services.ingest.handlers.accounts import Accounts, Door
from services.ingest.handlers.body_store import BodyStore
from services.ingest.handlers.fate_reader import FateReader
from shared import errors, streams, visits
from shared.bus import Bus, connect
from shared.codec import PlainCodec
from shared.contact_log import ContactLog
from shared.events import ContactEvent
from shared.lanes import partitions_of
from shared.ledger import identity
from shared.policies import Policies
from shared.visit_reader import VisitReader

EXIT_LACKING = 1
EXIT_NOT_REACHED = 2
EXIT_UNKNOWN = 2


class Lacking(msgspec.Struct, frozen=True, kw_only=True):
    """What a delivery makes today that the ledger does not hold. `events`: type and id; `known`: how many it holds."""

    position: int
    account: str
    events: list[tuple[str, str]]
    known: int


class Sums(msgspec.Struct, kw_only=True):
    """How many deliveries were parsed, how many events are new, by type, and what could not be read."""

    parsed: int = 0
    unread: int = 0
    new: dict[str, int] = {}
    applied: bool = False


@dataclass(slots=True)
class _Replay:
    """One run over the accounts of a tenant."""

    bus: Bus
    bodies: BodyStore
    contacts: ContactLog
    reader: FateReader
    since: datetime
    apply: bool
    sums: Sums = field(default_factory=Sums)

    async def account(self, door: Door) -> AsyncIterator[Lacking]:
        """Give what the deliveries of an account make that is new; it is published first, where it is to be applied."""
        last = await identity.end(self.bus, streams.RAW)
        first = await position_at(self.bus, streams.RAW, self.since, last)
        async for page in self.reader.pages(door, first, last):
            readings = await parsing.read_all(page, self.bodies)
            made = [e.id for r in readings for e in r.events if not visits.passes(e)]
            new = set(made) - (await self.reader.held(door.tenant, made)).keys()
            if self.apply:
                reports = [each for r in readings for each in r.reports if each[1].id in new]
                await self.contacts.publish(
                    [(door.channel.NAME, key, event) for key, event in reports]
                )
            for each in self._lacking(readings, new):
                yield each

    def _lacking(self, readings: list[parsing.Reading], new: Collection[str]) -> Iterator[Lacking]:
        for reading in readings:
            self.sums.parsed += 1
            self.sums.unread += isinstance(reading.outcome, Quarantined)
            found: list[ContactEvent] = [each for each in reading.events if each.id in new]
            for each in found:
                self.sums.new[each.type] = self.sums.new.get(each.type, 0) + 1
            if found:
                yield Lacking(
                    position=reading.raw.sequence,
                    account=f"{reading.raw.channel}/{reading.raw.account}",
                    events=[(each.type, each.id) for each in found],
                    known=len(reading.events) - len(found),
                )


def replay(chosen: argparse.Namespace) -> int:
    """Print what is new, and apply it with `--apply`. Raises: SetupError."""
    try:
        sums = asyncio.run(_run(chosen))
    except errors.AccountUnknown as error:
        print(json.dumps({"error": error.problem()}))
        return EXIT_UNKNOWN
    except (errors.BusUnavailable, errors.ViewUnavailable, errors.JetStreamRefused) as error:
        print(f"not reached ({error.code})", file=sys.stderr)
        return EXIT_NOT_REACHED
    _print(sums)
    return EXIT_LACKING if sums.new and not sums.applied else 0


async def _run(chosen: argparse.Namespace) -> Sums:
    path, found = read_policies(named_policy(chosen))
    policy = policy_of(found, chosen.tenant)
    policies, secrets = Policies(*found), read_secrets(path)
    every = list(Accounts(policies, secrets).of_tenant(policy.tenant))
    doors = [each for each in every if chosen.account in {None, each.name}]
    if chosen.account and not doors:
        print(f"there are: {', '.join(sorted(each.name for each in every))}", file=sys.stderr)
        raise errors.AccountUnknown(account=chosen.account)
    bus = await connect(bus_address(chosen, "ingest"), "replay")
    try:
        bodies = BodyStore(bus)
        seen = VisitReader(bus, PlainCodec(), visits.keys_of(policies, secrets))
        reader = FateReader(bus, bodies, seen, await identity.end(bus, streams.LEDGER))
        since = chosen.since if chosen.since.tzinfo else chosen.since.replace(tzinfo=UTC)
        contacts = ContactLog(bus, PlainCodec(), partitions_of(policies))
        run = _Replay(bus, bodies, contacts, reader, since, chosen.apply)
        for door in doors:
            async for each in run.account(door):
                _print(each)
        run.sums.applied = chosen.apply
        return run.sums
    finally:
        await bus.close()


def _print(each: Lacking | Sums) -> None:
    print(msgspec.json.encode(each).decode())
