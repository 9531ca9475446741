"""`tellonce missed --day DAY`: what became of every contact that nobody took that day, proved from the ledger.

Whoever was lost was reached, answered in writing, closed for a stated reason, is owed a call by somebody, or left no
number; anything else is unaccounted for. So is a call that ended while nobody had it and that nothing was noted of. A
matter that went on later, or in another one, is followed to where it stands now.
Exit codes: 0 everybody is accounted for; 1 somebody is not; 2 not reached, or the ledger cannot be read.
"""

import argparse
import asyncio
import sys
from collections.abc import Collection, Iterable
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec

from deploy.cli import ask
from deploy.cli.configured import named_policy, read_policy
from deploy.cli.positions import position_at
from deploy.missed import account_of, unnoted
from services.history.domain.losses import counts
from shared import aggregates, codec, errors, streams, subjects
from shared.bus import Bus, connect, gets
from shared.bus_address import BusAddress
from shared.calendars import Interval
from shared.ledger import LedgerReader, Recorded, identity
from shared.ledger.jetstream import NatsLedger
from shared.queries import MissedCounts, MissedLine

EXIT_UNACCOUNTED = 1
SKEW = timedelta(hours=1)
"""So far the clock of who decides may be from that of the server, at most."""
READ_BATCH = 256
AGGREGATES_AT_ONCE = 64
ENDS = frozenset(
    {
        "call.ended",
        "call.missed",
        "call.abandoned",
        "call.voicemail_left",
        "contact.missed",
        "contact.abandoned",
    }
)
"""Types of the events by which a contact may be lost."""


class _Peeked(msgspec.Struct):
    type: str
    aggregate: str = msgspec.field(name="subject")


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """The account of a day. `since`, `until`: when it begins and ends in `zone`; `position`: up to where was read."""

    tenant: str
    day: date
    zone: str
    since: datetime
    until: datetime
    position: int
    counts: MissedCounts
    contacts: list[MissedLine]


def show(chosen: argparse.Namespace) -> int:
    """Print the account of a day. Raises: SetupError."""
    _, policy = read_policy(named_policy(chosen), chosen.tenant)
    zone = chosen.zone or policy.hours(None).zone
    day = chosen.day or datetime.now(ZoneInfo(zone)).date()
    try:
        proof = asyncio.run(_run(ask.bus_address(chosen), policy.tenant, day, zone))
    except errors.TellonceError as error:
        print(f"not reached ({error.code})", file=sys.stderr)
        return ask.EXIT_NOT_REACHED
    if chosen.json:
        print(msgspec.json.encode(proof).decode())
    else:
        print("\n".join(lines_of(proof)))
    return EXIT_UNACCOUNTED if proof.counts.unaccounted else 0


async def _run(address: BusAddress, tenant: str, day: date, zone: str) -> Proof:
    bus = await connect(address, "missed")
    try:
        return await prove(bus, tenant, day, zone)
    finally:
        await bus.close()


async def prove(bus: Bus, tenant: str, day: date, zone: str) -> Proof:
    """Return the account of a day in a zone. Raises: TellonceError when the ledger cannot be read."""
    since, until = day_in(day, zone)
    last = await identity.end(bus, streams.LEDGER)
    concerned = await _concerned(bus, tenant, since, until, last)
    recorded = await _matters(bus, tenant, concerned)
    lost = account_of(each.event for each in recorded).contacts(since, until)
    lost += [each for each in unnoted(recorded) if since <= each.lost < until]
    return Proof(
        tenant=tenant,
        day=day,
        zone=zone,
        since=since,
        until=until,
        position=last,
        counts=counts(lost),
        contacts=sorted(lost, key=lambda each: (each.lost, each.contact_id)),
    )


def day_in(day: date, zone: str) -> Interval:
    """Return when a day begins and ends in a zone; some days have 23 or 25 hours."""
    there = ZoneInfo(zone)
    return (
        datetime.combine(day, time.min, there),
        datetime.combine(day + timedelta(days=1), time.min, there),
    )


async def _concerned(
    bus: Bus, tenant: str, since: datetime, until: datetime, last: int
) -> list[str]:
    """Return the aggregates of the conversations in which a call ended, or a contact was lost, at about that time."""
    first = await position_at(bus, streams.LEDGER, since - SKEW, last)
    end = await position_at(bus, streams.LEDGER, until + SKEW, last) - 1
    found: dict[str, None] = {}
    everything = subjects.ledger_of(tenant)
    pages = gets.between(bus, streams.LEDGER, everything, first, end, batch=READ_BATCH)
    async for page in pages:
        for message in page:
            peeked = _peek(message.body)
            if peeked is not None and peeked.type in ENDS:
                found[peeked.aggregate] = None
    return list(found)


def _peek(body: bytes) -> _Peeked | None:
    try:
        return msgspec.json.decode(body, type=_Peeked)
    except codec.UNREADABLE:
        return None


async def _matters(bus: Bus, tenant: str, concerned: Collection[str]) -> list[Recorded]:
    """Return all events of these conversations, and of those in which they go on, in ledger order."""
    ledger: LedgerReader = NatsLedger(bus, codec.PlainCodec())
    found: list[Recorded] = []
    read: set[str] = set()
    wanted = list(concerned)
    while wanted:
        some, wanted = wanted[:AGGREGATES_AT_ONCE], wanted[AGGREGATES_AT_ONCE:]
        read.update(some)
        histories = await ledger.read_all(tenant, dict.fromkeys(some, 0))
        for each in (each for history in histories for each in history):
            found.append(each)
            wanted += [into for into in _goes_on(each) if into not in read | {*wanted}]
    return sorted(found, key=lambda each: each.sequence)


def _goes_on(recorded: Recorded) -> Iterable[str]:
    into = getattr(recorded.event.open, "into", None)
    return () if into is None else (aggregates.CONVERSATION.of(into),)


def lines_of(proof: Proof) -> Iterable[str]:
    """Yield the account as a table, then whoever waits, and whoever is not accounted for."""
    counts = proof.counts
    yield f"{proof.tenant}, {proof.day} in {proof.zone}, the ledger up to {proof.position}"
    yield f"{'lost':<12} {counts.lost:>6}"
    for fate in ("reached", "answered", "closed", "open", "unreachable", "unaccounted"):
        beside = f"  {counts.reached_in_time} of them in time" if fate == "reached" else ""
        yield f"  {fate:<10} {getattr(counts, fate):>6}{beside}"
    zone = ZoneInfo(proof.zone)
    for each in proof.contacts:
        at = f"{each.lost.astimezone(zone):%H:%M:%S}  {each.reason:<15} {each.conversation}"
        if each.fate == "open" and each.due is not None:
            holder = f"agent {each.owner}" if each.owner else f"queue {each.queue}"
            due = f"{each.due.astimezone(zone):%Y-%m-%d %H:%M:%S}"
            yield f"open         {at}  {holder}, due {due}, tried {each.attempts} times"
        elif each.fate == "unaccounted":
            yield f"UNACCOUNTED  {at}  contact {each.contact_id}: {each.why}"
