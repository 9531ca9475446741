"""The ledger's identity, for the bootstrap job and `tellonce ledger`: who contradicts it, founding it, adopting it."""

import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import uuid4

import msgspec

from services.history import witness
from shared import aggregates, ensuring, errors, events, ids, streams
from shared.bus import Bus
from shared.codec import PlainCodec
from shared.events import EventId
from shared.ledger import Write, identity
from shared.ledger.jetstream import NatsLedger
from shared.settings import Settings

SERVICE = aggregates.LEDGER.writer


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What stands. `against`: who contradicts the ledger, and why; `silent`: who could not be asked.

    `vouched`: whether the projection, which nobody moves onto a copy, remembers this ledger.
    """

    identity: EventId | None
    position: int
    against: Mapping[str, str]
    silent: list[str]
    vouched: bool


async def examine(bus: Bus, chosen: Settings) -> Findings:
    """Ask every witness: the mark beside the data, the projection, RAW.

    A projection that is away is silent: no view keeps the ledger from its work. Neither does one that does not know yet
    that the ledger was adopted.
    Raises: MarkUnreadable, NotAnEvent; as `Bus.leader_get`.
    """
    found, position = await identity.founded(bus), await identity.end(bus, streams.LEDGER)
    marks = {"mark": identity.read_mark(chosen.ledger_mark)}
    silent: list[str] = []
    try:
        adopted = await identity.adopted(bus)
        marks["projection"] = await witness.mark(
            chosen.postgres_dsn, adopted.id if adopted else None
        )
    except errors.ViewUnavailable:
        silent.append("projection")
    reasons = {name: await identity.contradiction(bus, found, mark) for name, mark in marks.items()}
    if position == 0 and await identity.end(bus, streams.RAW):
        reasons["raw"] = identity.EMPTY
    against = {name: reason for name, reason in reasons.items() if reason is not None}
    vouched = marks.get("projection") is not None and "projection" not in against
    return Findings(
        identity=found, position=position, against=against, silent=silent, vouched=vouched
    )


async def check(bus: Bus, chosen: Settings) -> None:
    """Raises: LedgerContradicted when a witness remembers another ledger, or one where there is none; as `examine`."""
    _refuse(await examine(bus, chosen))


def _refuse(findings: Findings) -> None:
    for name, reason in findings.against.items():
        raise errors.LedgerContradicted(witness=name, reason=reason, position=findings.position)


async def found(bus: Bus, chosen: Settings, tenant: str) -> None:
    """Give a checked ledger its identity if it has none, and remember the ledger beside the data.

    `tenant`: with whom it is to stand, if it has none.
    A mark of an earlier run of the server is moved on only where the projection vouches for the ledger: an older copy
    that is newer than the mark agrees with it.
    Raises: LedgerContradicted, MarkUnreadable, NotAnEvent; BusUnavailable, also when the server was started again
    meanwhile; as `Ledger.append`.
    """
    generation = bus.generation
    await _identify(bus, tenant)
    findings = await examine(bus, chosen)
    _refuse(findings)
    before = identity.read_mark(chosen.ledger_mark)
    now = await identity.mark_of(bus, findings.identity)
    if bus.generation != generation:
        raise errors.BusUnavailable
    if before is None or findings.vouched or _same_run(before, now):
        identity.write_mark(chosen.ledger_mark, now)


def _same_run(before: identity.Mark, now: identity.Mark) -> bool:
    """Whether no copy can have come between: the server ran on, or was stopped where the ledger still ends."""
    return before.server == now.server or before.position == now.position


async def adopt(
    bus: Bus,
    chosen: Settings,
    tenant: str,
    everything: streams.WantedStreams,
    reason: str,
    also: Mapping[str, str] = {},
) -> Findings:
    """Accept the ledger as it stands, on the record, and return what contradicted it; where nothing does, do nothing.

    `also`: who else contradicts it, and why, that cannot be asked.
    What is missing of `everything` is made. History builds its tables anew from this ledger; what CONTACTS still holds
    is given to the router again, which decides what this ledger does not hold.
    Raises: StreamDrift; as `examine`, `Ledger.append`.
    """
    examined = await examine(bus, chosen)
    findings = msgspec.structs.replace(examined, against={**examined.against, **also})
    if not findings.against:
        return findings
    await ensuring.ensure(bus, everything)
    against = [f"{name}:{why}" for name, why in sorted(findings.against.items())]
    await _identify(bus, tenant)
    tenant = (await anext(identity.named(bus))).tenant
    opened = events.LedgerAdoptedOpen(position=findings.position, against=against)
    said = events.LedgerAdoptedPersonal(reason=reason)
    await _append(bus, tenant, events.LedgerAdopted, opened, said)
    now = await identity.mark_of(bus, await identity.founded(bus))
    identity.write_mark(chosen.ledger_mark, now)
    for consumer in streams.router_consumers():
        if consumer.stream == streams.CONTACTS:
            await bus.api(f"CONSUMER.DELETE.{streams.CONTACTS}.{consumer.name}")
    await ensuring.ensure(bus, everything)
    return findings


async def _identify(bus: Bus, tenant: str) -> None:
    if await identity.founded(bus) is None:
        opened = events.LedgerFoundedOpen(after=await identity.end(bus, streams.LEDGER))
        with contextlib.suppress(errors.LedgerConflict):  # another bootstrap job has just done it
            await _append(bus, tenant, events.LedgerFounded, opened)


async def _append(
    bus: Bus,
    tenant: str,
    kind: type[events.LedgerEvent],
    opened: events.Part,
    personal: events.Part | None = None,
) -> None:
    ledger = NatsLedger(bus, PlainCodec())
    before = await ledger.read_leader(tenant, aggregates.LEDGER_IDENTITY)
    named = any(isinstance(each.event, events.LedgerEvent) for each in before)
    if named and kind is events.LedgerFounded:
        return
    now = datetime.now(UTC)
    origin = events.Origin(
        tenant=tenant, service=SERVICE, actor=f"service:{SERVICE}", occurred=now, recorded=now
    )
    event = events.make(
        kind,
        origin,
        ids.scoped_id("ledger", uuid4().hex),
        aggregates.LEDGER_IDENTITY,
        opened,
        personal,
    )
    expected = before[-1].sequence if before else 0
    await ledger.append(tenant, [Write(aggregates.LEDGER_IDENTITY, expected, [event])])
