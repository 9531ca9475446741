"""Entries of the ledger that are no events of ours: passed over once an operator has rejected them, and not before."""

import pytest

from shared import aggregates, events, ids
from shared.codec import encode
from shared.errors import EventTypeUnknown, NotAnEvent
from shared.ledger import Ledger, Recorded, Write
from tests.support.ledger import (
    INSTANT,
    TENANT,
    Place,
    ScriptedCodec,
    event,
    new_aggregate,
    write,
)
from tests.support.waiting import eventually

UNREADABLE = (EventTypeUnknown, NotAnEvent)


def newer(aggregate: str) -> bytes:
    return encode(event(aggregate)).replace(b'"agent.status_set"', b'"agent.teleported"')


async def planted(place: Place, aggregate: str, body: bytes) -> int:
    """Somebody writes a body to an aggregate, after one event of ours; return where it stands."""
    ledger = await place.ledger()
    first = await ledger.append(TENANT, [write(aggregate, 0, "a")])
    planter = await place.ledger(ScriptedCodec(body))
    second = await planter.append(TENANT, [write(aggregate, first.position, "b")])
    await place.ledger()
    return second.position


async def rejects(ledger: Ledger, sequence: int, sha256: str) -> None:
    """An operator rejects what stands at a sequence."""
    aggregate = aggregates.ENTRY.of(str(sequence))
    origin = events.Origin(
        tenant=TENANT, service="router", actor="service:cli", occurred=INSTANT, recorded=INSTANT
    )
    about = events.EntryRejectedOpen(sequence=sequence, sha256=sha256, reason="a test")
    rejected = events.make(
        events.EntryRejected, origin, ids.scoped_id(aggregate, sha256), aggregate, about
    )
    before = await ledger.read_leader(TENANT, aggregate)
    expected = before[-1].sequence if before else 0
    await ledger.append(TENANT, [Write(aggregate, expected, [rejected])])


async def until_read(ledger: Ledger, aggregate: str, sequence: int) -> list[Recorded]:
    """Return an aggregate's events as any replica gives them, once it holds `sequence`: it may lag by a moment."""
    found: list[Recorded] = []

    async def holds_it() -> bool:
        found[:] = await ledger.read(TENANT, aggregate)
        return bool(found) and found[-1].sequence >= sequence

    await eventually(holds_it)
    return found


async def until_followed(ledger: Ledger, sequence: int) -> list[Recorded]:
    """Return what a follower from just before a sequence is given first, until that is among it."""
    found: list[Recorded] = []
    async for batch in ledger.follow(sequence - 1):
        found += batch
        if found[-1].sequence >= sequence:
            return found
    raise AssertionError("a follower never ends")


@pytest.mark.parametrize("kind", ["newer", "garbage"])
async def test_a_rejected_entry_is_passed_over_by_every_read(place: Place, kind: str) -> None:
    """In its place stands the rejection, on the entry's aggregate, with the entry's bytes; others read as before."""
    aggregate = new_aggregate()
    body = newer(aggregate) if kind == "newer" else b"\xff garbage"
    sequence = await planted(place, aggregate, body)
    ledger = await place.ledger()
    with pytest.raises(UNREADABLE) as refusal:
        await ledger.read_leader(TENANT, aggregate)
    sha256 = ids.body_sha256(body)
    assert refusal.value.place == {"sequence": sequence, "sha256": sha256}
    await rejects(ledger, sequence, sha256)
    entry = await ledger.get(sequence)
    assert entry is not None
    for found in (
        await ledger.read_leader(TENANT, aggregate),
        await until_read(ledger, aggregate, sequence),
    ):
        assert [each.event.type for each in found] == ["agent.status_set", "entry.rejected"]
        assert found[-1] == entry
    assert (await until_followed(ledger, sequence))[0] == entry
    assert (entry.aggregate, entry.event.aggregate, entry.body) == (aggregate, aggregate, body)
    appended = await ledger.append(TENANT, [write(aggregate, sequence, "c")])
    assert appended.position > sequence


@pytest.mark.parametrize("kind", [each for each in aggregates.KINDS.values() if each.journal])
async def test_a_journal_is_read_over_what_is_no_event_of_ours(
    place: Place, kind: aggregates.Kind
) -> None:
    """Nobody waits for an operator there: an entry's rejection could wait for itself. Followers see it still."""
    aggregate = kind.of(ids.scoped_id(new_aggregate()))
    sequence = await planted(place, aggregate, b"garbage")
    ledger = await place.ledger()
    for found in (
        await ledger.read_leader(TENANT, aggregate),
        await until_read(ledger, aggregate, sequence),
    ):
        assert [each.sequence for each in found][1:] == [sequence]
        passed = found[-1].event
        assert isinstance(passed, events.EntryRejected)
        assert passed.open.sha256 == ids.body_sha256(b"garbage")
    with pytest.raises(NotAnEvent):
        await ledger.get(sequence)
    appended = await ledger.append(TENANT, [write(aggregate, sequence, "c")])
    assert appended.position > sequence


async def test_another_entry_than_the_rejected_one_stays_what_it_is(place: Place) -> None:
    """The hash must be that of what stands there: a slip in the number rejects nothing."""
    aggregate = new_aggregate()
    sequence = await planted(place, aggregate, b"garbage")
    ledger = await place.ledger()
    await rejects(ledger, sequence, "0" * 64)
    await rejects(ledger, sequence + 1, ids.body_sha256(b"garbage"))
    with pytest.raises(NotAnEvent):
        await ledger.get(sequence)


async def test_what_can_be_read_stands_whoever_rejected_it(place: Place) -> None:
    """A rejection hides no fact from who decides; the projection asks for it where it cannot apply the event."""
    aggregate = new_aggregate()
    ledger = await place.ledger()
    appended = await ledger.append(TENANT, [write(aggregate, 0, "a")])
    recorded = await ledger.get(appended.position)
    assert recorded is not None
    assert await ledger.stand_in(recorded) is None
    await rejects(ledger, recorded.sequence, ids.body_sha256(recorded.body))
    assert await ledger.get(appended.position) == recorded
    instead = await ledger.stand_in(recorded)
    assert instead is not None
    assert (instead.event.type, instead.body) == ("entry.rejected", recorded.body)
