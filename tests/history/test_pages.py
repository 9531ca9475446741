"""Lists say how many there are, and are read page by page to their end."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from services.history.pool import Pool
from services.history.positions import Positions
from services.history.projection import Projection
from services.history.store import Session
from services.history.tables import callback, conversation, customer, promise, request
from shared.conversation import Contact, Conversation, Offer, StatedFact, TakenHop
from shared.conversation.contacts import Contacts
from shared.conversation.matter import Matter
from shared.conversation.ownership import Ownership
from shared.customer import UNKNOWN_CUSTOMER
from shared.errors import CommandUnreadable
from shared.events import (
    AgentId,
    ContactId,
    ConversationId,
    FactId,
    OfferId,
    PacketId,
    TransferId,
)
from shared.packet import FACTS_IN_FULL, package
from tests.history.caller import Caller, answers_over
from tests.history.handwritten_ledger import TENANT, HandwrittenLedger
from tests.history.parcel_story import ParcelStory

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LINES = 7
PAGE = 3


def matter(number: int, ownership: Ownership, sequence: int = 1) -> conversation.ConversationRow:
    """Return the row of a matter; every two of them began to wait at the same instant.

    `sequence`: of its last change; the tables are true for a later position.
    """
    at, name = NOON + timedelta(seconds=number // 2), f"{ownership.owner or ''}c{number}"
    contact = Contact(
        contact_id=ContactId(f"x{number}"), medium="chat", channel="chat", account="a", started=at
    )
    it = Conversation(
        id=ConversationId(name),
        opened=at,
        ownership=ownership,
        contacts=Contacts(by_id={contact.contact_id: contact}, last_activity=at),
        sequence=sequence,
    )
    return conversation.write((TENANT, name), it)


def waiting(number: int) -> conversation.ConversationRow:
    since = NOON + timedelta(seconds=number // 2)
    return matter(number, Ownership(queue="hotline", waiting_since=since))


def offered(number: int) -> conversation.ConversationRow:
    offer = Offer(
        offer_id=OfferId(f"o{number}"),
        agent=AgentId("ewa"),
        packet_id=PacketId("p"),
        expires=NOON + timedelta(seconds=number // 2),
    )
    return matter(100 + number, Ownership(queue="hotline", waiting_since=NOON, offer=offer))


@pytest.fixture
async def ask(pool: Pool, session: Session, handwritten: HandwrittenLedger) -> Caller:
    """Asks about more of everything than stands on one page."""
    await ParcelStory(handwritten).register()
    await (await Projection.take_over(session)).apply(await handwritten.all())
    numbers = range(LINES)
    owned = [matter(200 + number, Ownership(owner=AgentId("piotr"))) for number in numbers]
    every = [*map(waiting, numbers), *map(offered, numbers), *owned]
    await session.write(conversation.ConversationRow, every)
    await session.write(callback.CallbackRow, [owed(number) for number in numbers])
    await session.write(promise.PromiseRow, [promised(number) for number in numbers])
    await session.write(request.RequestRow, [asked_for(number) for number in numbers])
    return Caller(answers_over(pool, handwritten, Positions(agreed=True), rows_max=PAGE))


def owed(number: int) -> callback.CallbackRow:
    return callback.CallbackRow(
        tenant=TENANT,
        conversation=f"c{number}",
        callback_id=f"b{number}",
        contact_id="x",
        queue="hotline",
        due=NOON + timedelta(seconds=number // 2),
        reason="missed",
        attempts=0,
        status="open",
        outcome=None,
        promised=None,
        settled=None,
        closed_for=None,
        goes_on_as=None,
    )


def promised(number: int) -> promise.PromiseRow:
    due = NOON + timedelta(seconds=number // 2)
    return promise.PromiseRow(
        tenant=TENANT,
        conversation=f"c{number}",
        promise_id=f"p{number}",
        agent="ewa",
        text="I call you",
        made=NOON,
        due=due,
        kept=None,
        queue="hotline",
        first_due=None,
        moved=0,
        missed=False,
        ending=None,
    )


def asked_for(number: int) -> request.RequestRow:
    return request.RequestRow(
        sequence=number + 1,
        tenant=TENANT,
        id=f"e{number}",
        conversation=f"c{number}",
        contact_id="x",
        kind="waiting",
        queue="hotline",
        callback_id=None,
        asked=NOON + timedelta(seconds=number // 2),
    )


def long(facts: int = LINES) -> Conversation:
    """Return a conversation with more than stands on one page."""
    stated = [
        StatedFact(
            fact_id=FactId(f"f{number}"),
            name="parcel",
            value=str(number),
            origin="agent",
            channel=None,
            contact_id=None,
            told_to=None,
            said=NOON,
            sequence=number + 1,
        )
        for number in range(facts)
    ]
    hops = [
        TakenHop(
            transfer_id=TransferId(f"h{number}"),
            kind="cold",
            sender=AgentId("ewa"),
            to="queue-hotline",
            brief="",
            requested=NOON,
        )
        for number in range(PAGE + 1)
    ]
    return Conversation(
        id=ConversationId("long"),
        opened=NOON,
        matter=Matter(facts={each.fact_id: each for each in stated}),
        ownership=Ownership(hops=tuple(hops)),
        sequence=1_000,
    )


async def pages(ask: Caller, name: str, **asked: Any) -> list[dict[str, Any]]:
    """Return every page of an answer."""
    found = [await ask(name, **asked)]
    while found[-1]["next"] is not None:
        assert len(found) <= 2 * LINES
        found.append(await ask(name, **{**asked, "after": found[-1]["next"]}))
    return found


@pytest.mark.parametrize(
    ("name", "lines", "key"),
    [
        ("callbacks", "callbacks", "callback_id"),
        ("promises", "promises", "promise_id"),
        ("overlooked", "requests", "id"),
    ],
)
async def test_a_list_is_read_to_its_end(ask: Caller, name: str, lines: str, key: str) -> None:
    """Every line comes once and in order, every page says how many there are, only the last one has no `next`."""
    found = await pages(ask, name)
    assert [len(page[lines]) for page in found] == [PAGE, PAGE, 1]
    assert [page["count"] for page in found] == [LINES] * 3
    ids = [line[key] for page in found for line in page[lines]]
    assert ids == sorted(set(ids))
    assert len(ids) == LINES


async def test_each_list_of_the_inbox_is_read_to_its_end(ask: Caller) -> None:
    """One `next` goes on with all of them; what is at its end is not shown again."""
    found = await pages(ask, "inbox")
    for name in ("offered", "waiting", "owned"):
        ids = [line["conversation"] for page in found for line in page[name]]
        assert len(ids) == len(set(ids)) == LINES
        assert {page["counts"][name] for page in found} == {LINES}
    [page] = await pages(ask, "inbox", queue="warehouse")
    assert page["counts"] == {"offered": 0, "waiting": 0, "owned": 0}


async def test_each_list_of_a_conversation_is_read_to_its_end(
    ask: Caller, session: Session
) -> None:
    """The latest entries come first, each page in their order; what is at its end is not shown again."""
    await session.write(
        conversation.ConversationRow, [conversation.write((TENANT, "long"), long())]
    )
    found = await pages(ask, "conversation", conversation="long")
    assert [len(page["conversation"]["facts"]) for page in found] == [PAGE, PAGE, 1]
    assert found[0]["conversation"]["facts"][-1]["fact_id"] == f"f{LINES - 1}"
    for name, key, count in (("facts", "fact_id", LINES), ("hops", "transfer_id", PAGE + 1)):
        ids = [line[key] for page in found[::-1] for line in page["conversation"][name]]
        assert ids == [f"{name[0]}{number}" for number in range(count)]
        assert {page["counts"][name] for page in found} == {count}


async def test_a_packet_leads_to_the_facts_that_it_only_counts(
    ask: Caller, session: Session
) -> None:
    """Its cursor goes on with them, also when more was told meanwhile."""
    it = long(FACTS_IN_FULL + LINES)
    packet = package(it, UNKNOWN_CUSTOMER, packet_id=PacketId("p"), policy_version="v")
    more = long(FACTS_IN_FULL + 2 * LINES)
    await session.write(conversation.ConversationRow, [conversation.write((TENANT, "long"), more)])
    found = await pages(ask, "conversation", conversation="long", after=packet.more.next_facts)
    beyond = [line["fact_id"] for page in found[::-1] for line in page["conversation"]["facts"]]
    assert beyond == [f"f{number}" for number in range(LINES)]
    assert packet.more.facts == len(beyond)
    assert found[0]["conversation"]["hops"] == []


async def test_the_matters_of_a_customer_are_read_to_their_end(
    ask: Caller, session: Session
) -> None:
    """The latest page first, each in the order in which they were opened."""
    person = customer.write((TENANT, "anna"), UNKNOWN_CUSTOMER)
    await session.write(customer.CustomerRow, [person])
    hers = [replace(waiting(number), customer="anna") for number in range(LINES)]
    await session.write(conversation.ConversationRow, hers)
    found = await pages(ask, "customer", customer="anna")
    assert {page["count"] for page in found} == {LINES}
    ids = [line["id"] for page in found[::-1] for line in page["conversations"]]
    assert ids == [f"c{number}" for number in range(LINES)]
    assert [len(page["conversations"]) for page in found] == [PAGE, PAGE, 1]


@pytest.mark.parametrize(
    "place", [{"facts": "another"}, {"facts": 7}, [], {"conversations": "c1"}, {"x": "y"}]
)
async def test_what_no_answer_gave_is_no_place_in_a_conversation(
    ask: Caller, session: Session, place: Any
) -> None:
    """It is refused, not answered with an empty page."""
    await session.write(
        conversation.ConversationRow, [conversation.write((TENANT, "long"), long())]
    )
    after = base64.urlsafe_b64encode(msgspec.json.encode(place)).decode()
    with pytest.raises(CommandUnreadable):
        await ask("conversation", conversation="long", after=after)


async def test_a_limit_makes_pages_shorter_and_never_longer(ask: Caller) -> None:
    """The server's own limit stands."""
    page = await ask("inbox", limit=2)
    assert (len(page["waiting"]), page["counts"]["waiting"]) == (2, LINES)
    assert len((await ask("inbox", limit=1_000))["waiting"]) == PAGE


async def test_what_comes_and_goes_between_pages_moves_no_other_line(
    ask: Caller, session: Session
) -> None:
    """A page begins behind the last line that was shown, also when that line is gone."""
    first = await ask("inbox", queue="hotline")
    shown = [line["conversation"] for line in first["waiting"]]
    taken = Conversation(id=ConversationId(shown[-1]), resolved=True, sequence=500)
    await session.write(
        conversation.ConversationRow, [conversation.write((TENANT, shown[-1]), taken)]
    )
    rest = await pages(ask, "inbox", queue="hotline", after=first["next"])
    shown += [line["conversation"] for page in rest for line in page["waiting"]]
    assert shown == [f"c{number}" for number in range(LINES)]
    assert rest[0]["counts"]["waiting"] == LINES - 1


async def test_what_goes_to_a_list_that_was_read_is_shown_all_the_same(
    ask: Caller, session: Session
) -> None:
    """Whoever reads page after page is shown every matter that was there all the while, as it stands in the end."""
    first = await ask("inbox", limit=2)
    shown = {line["conversation"] for line in first["waiting"]}
    hidden = [f"c{number}" for number in range(LINES) if f"c{number}" not in shown]
    taken = [
        replace(waiting(number), status="owned", owner="ewa", queue=None, sequence=500 + number)
        for number in range(LINES)
        if f"c{number}" in hidden[:2]
    ]
    asked_for_now = replace(
        waiting(LINES - 1), offer_id="o", offer_agent="ewa", offer_expires=NOON, sequence=600
    )
    await session.write(conversation.ConversationRow, [*taken, asked_for_now])
    rest = await pages(ask, "inbox", limit=2, after=first["next"])
    owned = {line["conversation"] for page in rest for line in page["owned"]}
    offered = {line["conversation"] for page in rest for line in page["offered"]}
    assert ({row.id for row in taken} <= owned, asked_for_now.id in offered) == (True, True)
    everything = shown | owned | offered
    everything |= {line["conversation"] for page in rest for line in page["waiting"]}
    assert set(hidden) <= everything


async def test_a_place_in_another_list_is_none_in_this_one(ask: Caller) -> None:
    """Nothing is answered with an empty page that would look like the end."""
    for name, other in (("callbacks", "promises"), ("inbox", "callbacks"), ("promises", "inbox")):
        after = (await ask(other))["next"]
        with pytest.raises(CommandUnreadable):
            await ask(name, after=after)


@pytest.mark.parametrize(
    "after",
    [
        "x",
        "?",
        "e30",
        base64.urlsafe_b64encode(b"[]").decode(),
        base64.urlsafe_b64encode(b'{"callbacks":["yesterday","b1"]}').decode(),
        base64.urlsafe_b64encode(b'{"callbacks":["2026-11-22T12:00:00","b1"]}').decode(),
        base64.urlsafe_b64encode(rb'{"callbacks":["2026-11-22T12:00:00Z","b\u0000"]}').decode(),
        base64.urlsafe_b64encode(b'{"callbacks":["0001-01-01T00:00:00+14:00","b1"]}').decode(),
        base64.urlsafe_b64encode(b'{"callbacks":["9999-12-31T23:59:59-14:00","b1"]}').decode(),
    ],
)
async def test_what_no_answer_gave_is_no_place_in_a_list(ask: Caller, after: str) -> None:
    """It is refused as a request that cannot be read."""
    with pytest.raises(CommandUnreadable):
        await ask("callbacks", after=after)
