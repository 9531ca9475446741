"""What somebody else wrote to a journal of the ledger keeps nobody from working."""

import pytest

from services.router.policies import apply_policy
from shared import aggregates, events, ids, subjects
from shared.arrivals import ArrivedMessage, Patience
from shared.bus.deliveries import StoredMessage
from shared.codec import PlainCodec, encode
from shared.ledger.plan import MESSAGE_ID, Outgoing
from shared.worker import opening
from tests.router.in_memory_router import InMemoryRouter
from tests.router.samples import NOON, TENANT, message

JUNK = b"junk"


async def plants(router: InMemoryRouter, aggregate: str, body: bytes = JUNK) -> int:
    """Somebody else writes to an aggregate; return where it stands."""
    subject, there = subjects.ledger(TENANT, aggregate), await router.ledger.position()
    headers = {MESSAGE_ID: f"foreign-{there}"}
    sequence = router.ledger._store(Outgoing(aggregate, subject, body, headers))  # noqa: SLF001  nobody's client
    stored = StoredMessage(sequence, subject, body, {}, NOON)
    router.streams.held["LEDGER", sequence] = stored
    return sequence


async def rejects(router: InMemoryRouter, sequence: int, body: bytes = JUNK) -> list[str]:
    fields = {"sequence": sequence, "sha256": ids.body_sha256(body), "reason": "junk"}
    return await router.does("service:cli", "reject_entry", **fields)


@pytest.mark.parametrize(
    "body", [JUNK, b'{"specversion":"1.0","type":"call.dreamt_of"}'], ids=["junk", "unknown"]
)
async def test_an_entry_that_stands_where_its_own_rejection_is_written_can_be_rejected(
    router: InMemoryRouter, body: bytes
) -> None:
    """Else whoever guessed the next sequence would halt every reader for ever."""
    sequence = await router.ledger.position() + 1
    assert await plants(router, aggregates.ENTRY.of(str(sequence)), body) == sequence
    assert await rejects(router, sequence, body) == ["entry.rejected"]
    entry = await router.ledger.get(sequence)
    assert entry is not None
    assert isinstance(entry.event, events.EntryRejected)


async def test_two_entries_that_stand_on_each_others_rejection_can_be_rejected(
    router: InMemoryRouter,
) -> None:
    """In either order."""
    first = await plants(router, aggregates.ENTRY.of("2"))
    second = await plants(router, aggregates.ENTRY.of("1"))
    for sequence in (second, first):
        assert await rejects(router, sequence) == ["entry.rejected"]
        assert await router.ledger.get(sequence)


@pytest.mark.parametrize(
    "aggregate",
    [
        "conv-a",
        "ledger-identity",
        "policy-tenant",
        "chan-chat-shop",
        "work-notify-ledger",
        "cook-a",
    ],
)
async def test_whatever_stands_anywhere_in_the_ledger_can_be_rejected(
    router: InMemoryRouter, aggregate: str
) -> None:
    """Whatever kind of aggregate it names, one of ours or none."""
    sequence = await plants(router, aggregate)
    assert await rejects(router, sequence) == ["entry.rejected"]
    assert await router.ledger.get(sequence)


async def test_a_contact_is_parked_on_a_journal_that_holds_something_foreign(
    router: InMemoryRouter,
) -> None:
    """Else what nobody can handle would be neither told nor parked."""
    await plants(router, aggregates.account("chat", "shop"))

    async def breaks(event: events.AnyEvent, _: int) -> None:
        raise KeyError(event.id)

    handle = opening(PlainCodec(), breaks)
    patience = Patience("router-contacts-0", handle, router.parking.park_contact)
    for attempt in (1, 2, 3):
        with pytest.raises(KeyError):
            await patience.take(ArrivedMessage("x", encode(message("hi", "s1")), attempt, 7))
    await patience.take(ArrivedMessage("x", encode(message("hi", "s1")), 4, 7))
    parked = await router.last(events.ContactParked)
    assert parked.open.sequence == 7


async def test_the_policy_in_force_is_recorded_beside_what_is_foreign(
    router: InMemoryRouter,
) -> None:
    """Once, by a router that starts on it."""
    await plants(router, aggregates.TENANT_POLICY)
    await apply_policy(router.cases, TENANT)
    await apply_policy(router.cases, TENANT)
    assert len(await router.all(events.PolicyApplied)) == 1
