"""The answers: their shapes on a small real story, who may ask, and how long they wait for a position."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import msgspec
import pytest
import pytest_asyncio

from services.history.answering import Desk
from services.history.domain.answers import ANSWER_MAX_BYTES, ANSWERS
from services.history.domain.questions import QUESTIONS
from services.history.positions import Positions
from services.history.projection import Projection
from services.history.store import Pool, Session
from shared import policy
from shared.clock import Clock
from shared.errors import (
    AgentUnknown,
    CommandUnreadable,
    ConversationUnknown,
    CustomerUnknown,
    PositionNotReached,
    TenantUnknown,
)
from shared.policy import Policies
from shared.settings import Settings
from tests.history.book import TENANT, Book, TickingClock, memory_book
from tests.history.parcel import CONV, CONVERSATION, CUSTOMER, MISSED, NUL_TEXT, PHONE, Parcel

WAIT_SECONDS = 0.3


class Asker:
    """Asks as a caller on the bus does: JSON in, JSON out, checked against the documented answer."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    async def __call__(self, name: str, tenant: str = TENANT, **asked: Any) -> dict[str, Any]:
        answer = await self.desk.answer(name, tenant, msgspec.json.encode(asked))
        assert type(answer) is ANSWERS[name]
        body = msgspec.json.encode(answer)
        msgspec.json.decode(body, type=ANSWERS[name])
        decoded: dict[str, Any] = msgspec.json.decode(body)
        return decoded


def desk_of(
    pool: Pool,
    book: Book,
    positions: Positions,
    rows_max: int = 500,
    clock: Clock | None = None,
) -> Desk:
    """Return the desk as the service wires it, over a ledger in memory."""
    policies = Policies(policy.load(Settings().policy))
    return Desk(
        pool,
        book.ledger,
        policies,
        positions,
        clock or TickingClock(),
        rows_max=rows_max,
        wait_seconds=WAIT_SECONDS,
    )


@pytest_asyncio.fixture
async def projection(session: Session, parcel: Parcel) -> Projection:
    """The story, projected."""
    projection = await Projection.take_over(session)
    await projection.apply(await parcel.book.all())
    return projection


@pytest_asyncio.fixture
async def ask(pool: Pool, parcel: Parcel, projection: Projection) -> AsyncIterator[Asker]:
    """Asks about the story."""
    yield Asker(desk_of(pool, parcel.book, Positions()))


async def test_the_timeline_tells_the_story_in_ledger_order(ask: Asker, parcel: Parcel) -> None:
    """Every event of the matter is one row, with who said what where."""
    answer = await ask("timeline", conversation=CONVERSATION)
    rows = answer["rows"]
    assert answer["position"] == parcel.at["missed"]
    assert answer["next"] is None
    assert [row["sequence"] for row in rows] == sorted(row["sequence"] for row in rows)
    assert [row["type"] for row in rows][:4] == [
        "call.started",
        "conversation.opened",
        "contact.queued",
        "notification.requested",
    ]
    stated = next(row for row in rows if row["type"] == "fact.corrected")
    assert stated | {"at": "", "recorded": ""} == {
        "sequence": parcel.at["told"],
        "at": "",
        "recorded": "",
        "type": "fact.corrected",
        "conversation": CONVERSATION,
        "customer": CUSTOMER,
        "contact_id": "call1",
        "channel": "twilio_voice",
        "actor": "agent:piotr",
        "text": "KRA01M",
        "open": {
            "fact_id": "f-locker",
            "name": "locker",
            "channel": "twilio_voice",
            "contact_id": "call1",
        },
    }


async def test_the_timeline_of_a_customer_holds_all_her_matters(ask: Asker) -> None:
    """Her own events, those of each conversation, and who was told about them."""
    rows = (await ask("timeline", customer=CUSTOMER))["rows"]
    assert {row["conversation"] for row in rows} == {CONVERSATION, MISSED, None}
    assert {"customer.created", "call.started", "call.missed", "notification.sent"} <= {
        row["type"] for row in rows
    }


async def test_pages_of_a_timeline_join_without_a_gap(ask: Asker) -> None:
    """Page after page by `next` is the same as all at once."""
    whole = (await ask("timeline", conversation=CONVERSATION))["rows"]
    pages: list[dict[str, Any]] = []
    after: int | None = 0
    while after is not None:
        answer = await ask("timeline", conversation=CONVERSATION, after=after, limit=3)
        assert len(answer["rows"]) <= 3
        pages += answer["rows"]
        after = answer["next"]
    assert pages == whole


async def test_a_page_ends_before_the_bus_refuses_it(
    pool: Pool, parcel: Parcel, projection: Projection
) -> None:
    """Long mails make a page shorter, never too large for one message."""
    text = "x" * 190_000
    for number in range(8):
        message = {"message_id": f"long{number}", "channel": "email", "account": "shop"}
        body = {"to": "anna@example.org", "title": None, "text": text}
        await parcel.conv(("message.requested", {**message, "agent": "ewa"}, body))
    await projection.apply((await parcel.book.all())[projection.position :])
    desk = desk_of(pool, parcel.book, Positions())
    after: int | None = 0
    found = 0
    while after is not None:
        asked = {"conversation": CONVERSATION, "after": after}
        answer = await desk.answer("timeline", TENANT, msgspec.json.encode(asked))
        encoded = msgspec.json.encode(answer)
        assert len(encoded) <= ANSWER_MAX_BYTES
        page = msgspec.json.decode(encoded)
        found += sum(row["text"] == text for row in page["rows"])
        after = page["next"]
    assert found == 8


async def test_a_conversation_as_it_stands(ask: Asker, parcel: Parcel) -> None:
    """Owner, contacts, facts, promises and hops, with the words as they were said."""
    found = (await ask("conversation", conversation=CONVERSATION))["conversation"]
    assert (found["status"], found["owner"], found["queue"]) == ("owned", "ewa", None)
    assert (found["customer"], found["sequence"]) == (CUSTOMER, parcel.at["written"])
    assert {each["name"]: each["value"] for each in found["facts"]} == {
        "locker": "KRA01M",
        "parcel_number": "6" * 24,
    }
    assert [each["text"] for each in found["promises"]] == ["an answer\x00today"]
    assert [(hop["sender"], hop["to"], hop["brief"]) for hop in found["hops"]] == [
        ("piotr", "queue-branch-krakow", "the locker does not open")
    ]
    assert [each["contact_id"] for each in found["contacts"]] == ["call1"]
    assert (found["offer"], found["transfer"], found["repeats"]) == (None, None, 1)
    assert found["packet_id"] == "packet2"


async def test_a_conversation_in_transfer_names_what_is_offered(
    pool: Pool, session: Session, parcel: Parcel
) -> None:
    """Offer and transfer show with agent, packet and expiry while they are open."""
    every = await parcel.book.all()
    await (await Projection.take_over(session)).apply(every[: parcel.at["transfer_offered"]])
    ask = Asker(desk_of(pool, parcel.book, Positions()))
    found = (await ask("conversation", conversation=CONVERSATION))["conversation"]
    assert (found["owner"], found["offer"]["agent"]) == ("piotr", "ewa")
    assert found["offer"]["transfer_id"] == found["transfer"]["transfer_id"] == "transfer1"
    inbox = await ask("inbox", agent="ewa")
    [offered] = inbox["offered"]
    assert (offered["offer_id"], offered["transfer_id"]) == ("offer2", "transfer1")
    assert (offered["packet_id"], offered["conversation"]) == ("packet2", CONVERSATION)
    assert offered["expires"] == found["offer"]["expires"]
    assert (inbox["waiting"], inbox["owned"]) == ([], [])
    [owned] = (await ask("inbox", agent="piotr"))["owned"]
    assert (owned["conversation"], owned["owner"]) == (CONVERSATION, "piotr")


async def test_a_customer_is_found_by_id_and_by_handle(ask: Asker) -> None:
    """The same person, with her orders and her matters."""
    by_id = await ask("customer", customer=CUSTOMER)
    assert by_id == await ask("customer", handle={"kind": "phone", "value": PHONE})
    assert by_id["customer"] | {"handles": []} == {
        "id": CUSTOMER,
        "provisional": False,
        "name": "Anna",
        "salutation": "pani",
        "language": "pl",
        "handles": [],
        "orders": [{"number": "ORD-1001", "status": "open", "description": None}],
    }
    assert by_id["customer"]["handles"][0] == {"kind": "phone", "value": PHONE, "verified": True}
    assert [each["id"] for each in by_id["conversations"]] == [CONVERSATION, MISSED]


async def test_a_packet_is_answered_as_the_bytes_that_were_stored(
    ask: Asker, parcel: Parcel
) -> None:
    """Nothing is decoded and encoded again on the way; the sha256 of the event fits."""
    every = await parcel.book.ledger.read(TENANT, CONV)
    for packet_id, position in (("packet1", "offered"), ("packet2", "requested")):
        body = next(e.body for e in every if f'"{packet_id}","sha256"'.encode() in e.body)
        answer = await ask.desk.answer(
            "context", TENANT, msgspec.json.encode({"packet_id": packet_id})
        )
        packet = bytes(answer.packet)  # type: ignore[attr-defined]
        assert packet in body
        assert answer.sequence == parcel.at[position] - 1  # type: ignore[attr-defined]
    latest = await ask("context", conversation=CONVERSATION)
    assert latest["packet_id"] == "packet2"
    assert latest["packet"]["facts"][0]["value"] == "KRA01M"


async def test_no_packet_is_null(ask: Asker) -> None:
    """A matter that nobody was offered yet has no packet; that is an answer, not an error."""
    for asked in ({"conversation": MISSED}, {"packet_id": "nosuchpacket"}):
        answer = await ask("context", **asked)
        assert (answer["packet"], answer["packet_id"], answer["sequence"]) == (None, None, None)


async def test_what_waits_in_a_queue(pool: Pool, session: Session, parcel: Parcel) -> None:
    """Waiting work shows to its queue, to the queue's agents and to nobody else."""
    every = await parcel.book.all()
    await (await Projection.take_over(session)).apply(every[: parcel.at["queued"]])
    ask = Asker(desk_of(pool, parcel.book, Positions()))
    for asked in ({"queue": "hotline"}, {"agent": "piotr"}, {}):
        [line] = (await ask("inbox", **asked))["waiting"]
        assert (line["conversation"], line["queue"], line["owner"]) == (
            CONVERSATION,
            "hotline",
            None,
        )
    assert (await ask("inbox", agent="marek"))["waiting"] == []
    assert (await ask("inbox", queue="warehouse"))["waiting"] == []


async def test_callbacks_by_queue_and_status(ask: Asker) -> None:
    """Who is owed a call, with how often it was tried."""
    answer = await ask("callbacks", status="open", queue="hotline")
    assert answer["count"] == 1
    [callback] = answer["callbacks"]
    assert callback | {"due": ""} == {
        "callback_id": "callback1",
        "conversation": MISSED,
        "customer": CUSTOMER,
        "contact_id": "call2",
        "queue": "hotline",
        "due": "",
        "reason": "missed",
        "attempts": 1,
        "status": "open",
    }
    assert (await ask("callbacks", status="closed"))["callbacks"] == []
    assert (await ask("callbacks", queue="warehouse"))["callbacks"] == []


async def test_promises_by_agent_and_status(ask: Asker) -> None:
    """What was promised by whom, and whether it was kept."""
    [promise] = (await ask("promises", agent="ewa"))["promises"]
    assert (promise["promise_id"], promise["status"]) == ("promise1", "kept")
    assert promise["kept"] is not None
    assert (await ask("promises", status="open"))["count"] == 0
    assert (await ask("promises", agent="marek"))["promises"] == []


async def test_a_request_is_overlooked_until_somebody_acknowledges(
    pool: Pool, session: Session, parcel: Parcel
) -> None:
    """A waiting contact counts from its queueing to the acknowledgement, whatever its notification's state."""
    every = await parcel.book.all()
    types = [each.event.type for each in every]
    projection = await Projection.take_over(session)
    ask = Asker(desk_of(pool, parcel.book, Positions()))
    states = {
        "contact.queued": "none",
        "notification.requested": "requested",
        "notification.sent": "sent",
    }
    for kind, state in states.items():
        await projection.apply(every[projection.position : types.index(kind) + 1])
        answer = await ask("overlooked")
        assert answer["count"] == 1
        [request] = answer["requests"]
        assert (request["state"], request["kind"]) == (state, "waiting")
        assert (request["conversation"], request["id"]) == (CONVERSATION, parcel.queued_id)
    end = types.index("notification.acknowledged") + 1
    await projection.apply(every[projection.position : end])
    assert (await ask("overlooked"))["requests"] == []


async def test_an_escalation_is_not_overlooked(pool: Pool, session: Session, book: Book) -> None:
    """Somebody else was told: the request is on a desk."""
    parcel = Parcel(book)
    await parcel.register()
    await parcel.call()
    await parcel.note("notification.escalated", {"notification_id": "n1", "to": "agent-piotr"})
    await (await Projection.take_over(session)).apply(await book.all())
    ask = Asker(desk_of(pool, book, Positions()))
    assert (await ask("overlooked"))["count"] == 0


async def test_a_lost_call_without_a_callback_is_overlooked(
    pool: Pool, session: Session, parcel: Parcel
) -> None:
    """A missed contact without an obligation shows until there is one."""
    every = await parcel.book.all()
    types = [each.event.type for each in every]
    projection = await Projection.take_over(session)
    await projection.apply(every[: types.index("contact.missed") + 1])
    ask = Asker(desk_of(pool, parcel.book, Positions()))
    [request] = (await ask("overlooked"))["requests"]
    assert (request["kind"], request["conversation"]) == ("lost", MISSED)
    await projection.apply(every[projection.position :])
    assert (await ask("overlooked"))["requests"] == []


async def test_known_ids_name_the_first_delivery(ask: Asker) -> None:
    """Of the ids asked about, the known ones with sequence and raw; the others are left out."""
    answer = await ask("known", ids=["startedcall1", "nosuchid"])
    assert answer["known"] == {"startedcall1": {"sequence": 3, "raw": "7:" + "a" * 64}}
    assert (await ask("known", ids=[]))["known"] == {}


async def test_min_seq_waits_until_the_rows_are_there(
    pool: Pool, session: Session, parcel: Parcel
) -> None:
    """A caller reads her own write: the answer waits for the position, here and on a standby."""
    every = await parcel.book.all()
    projection = await Projection.take_over(session)
    await projection.apply(every[:3])
    for here in (True, False):
        positions = Positions()
        ask = Asker(desk_of(pool, parcel.book, positions))
        wanted = projection.position + 1
        waiting = asyncio.create_task(ask("position", min_seq=wanted))
        assert (await ask("position"))["position"] == wanted - 1
        assert not waiting.done()
        await projection.apply(every[projection.position : wanted])
        if here:
            positions.reached(projection.position)
        assert (await waiting)["position"] == wanted


async def test_min_seq_gives_up_after_its_limit(ask: Asker) -> None:
    """A position that does not come is an error that says how far it is."""
    began = asyncio.get_running_loop().time()
    with pytest.raises(PositionNotReached) as refused:
        await ask("position", min_seq=10_000)
    assert WAIT_SECONDS <= asyncio.get_running_loop().time() - began < WAIT_SECONDS * 10
    assert refused.value.details["wanted"] == 10_000
    assert refused.value.retryable


async def test_what_does_not_exist_is_said_by_name(ask: Asker) -> None:
    """Each unknown thing has its own code; another tenant sees nothing."""
    with pytest.raises(ConversationUnknown):
        await ask("conversation", conversation="nosuch")
    with pytest.raises(ConversationUnknown):
        await ask("timeline", conversation="nosuch")
    with pytest.raises(CustomerUnknown):
        await ask("timeline", customer="nosuch")
    with pytest.raises(CustomerUnknown):
        await ask("customer", handle={"kind": "email", "value": "nobody@example.org"})
    with pytest.raises(CustomerUnknown):
        await ask("customer", handle={"kind": "email", "value": "no\x00body"})
    with pytest.raises(AgentUnknown):
        await ask("inbox", agent="nosuch")
    for name in QUESTIONS:
        with pytest.raises(TenantUnknown):
            await ask(name, tenant="other")


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("position", b"not json"),
        ("position", b'{"min_sq": 1}'),
        ("position", b'{"min_seq": -1}'),
        ("timeline", b"{}"),
        ("timeline", b'{"conversation": "a", "customer": "b"}'),
        ("timeline", b'{"conversation": "a\\u0000"}'),
        ("timeline", b'{"conversation": "a\\n"}'),
        ("context", b"{}"),
        ("as_of", b'{"conversation": "a"}'),
        ("as_of", b'{"conversation": "a", "recorded": "2026-11-02T10:00:00"}'),
        ("as_of", b'{"conversation": "a", "sequence": 1, "recorded": "2026-11-02T10:00:00Z"}'),
        ("inbox", b'{"agent": "piotr", "queue": "hotline"}'),
        ("customer", b'{"handle": {"kind": "fax", "value": "1"}}'),
        ("known", b'{"ids": "a"}'),
        ("promises", b'{"status": "broken"}'),
        ("position", b"\xff"),
        ("position", b" " * 300_000 + b"{}"),
    ],
)
async def test_an_unreadable_question_is_refused(ask: Asker, name: str, body: bytes) -> None:
    """What does not fit the question's shape is refused before anything is read."""
    with pytest.raises(CommandUnreadable):
        await ask.desk.answer(name, TENANT, body)


async def test_rows_of_one_answer_are_limited(
    pool: Pool, parcel: Parcel, projection: Projection
) -> None:
    """No answer has more rows than the setting says, whatever was asked."""
    ask = Asker(desk_of(pool, parcel.book, Positions(), rows_max=2))
    assert len((await ask("timeline", conversation=CONVERSATION, limit=100))["rows"]) == 2
    assert len((await ask("customer", customer=CUSTOMER))["conversations"]) == 2
    await parcel.go_on()
    await projection.apply((await parcel.book.all())[projection.position :])
    facts = (await ask("conversation", conversation=CONVERSATION))["conversation"]["facts"]
    assert [each["name"] for each in facts] == ["later8", "later9"]


# -- as of ------------------------------------------------------------------------------------------------


async def test_as_of_is_the_same_after_ten_later_events(
    ask: Asker, parcel: Parcel, projection: Projection
) -> None:
    """The answer for a position never changes, and nothing later shows."""
    asked: dict[str, Any] = {"conversation": CONVERSATION, "sequence": parcel.at["ewa"]}
    before = await ask("as_of", **asked)
    await parcel.go_on()
    await projection.apply((await parcel.book.all())[projection.position :])
    assert await ask("as_of", **asked) == before
    assert before["position"] == before["sequence"] == parcel.at["ewa"]
    assert before["digest"]
    assert len(before["packet"]["facts"]) == 2
    assert before["packet"]["open"]["promises"] == []
    now: dict[str, Any] = {
        "conversation": CONVERSATION,
        "sequence": await parcel.book.ledger.position(),
    }
    assert len((await ask("as_of", **now))["packet"]["facts"]) == 12


async def test_as_of_shows_what_people_really_saw(ask: Asker, parcel: Parcel) -> None:
    """The packet stored last at or before the position comes with it, byte for byte."""
    shown = {
        name: (await ask("as_of", conversation=CONVERSATION, sequence=parcel.at[name]))["shown"]
        for name in ("queued", "accepted", "ewa")
    }
    assert shown["queued"] is None
    assert shown["accepted"]["packet_id"] == "packet1"
    assert shown["accepted"]["packet"]["facts"] == []
    assert shown["ewa"]["packet_id"] == "packet2"
    facts = {each["name"]: each["value"] for each in shown["ewa"]["packet"]["facts"]}
    assert facts == {"locker": "KRA01M", "parcel_number": "6" * 24}


async def test_as_of_folds_with_the_policy_of_its_time(ask: Asker, parcel: Parcel) -> None:
    """The policy is the one that the last packet named; before the first, that which opened the matter."""
    versions = [
        (await ask("as_of", conversation=CONVERSATION, sequence=parcel.at[name]))["packet"][
            "built_from"
        ]["policy_version"]
        for name in ("queued", "accepted")
    ]
    assert versions == ["policy-1", "policy-7"]


async def test_as_of_reads_the_ledger_and_not_the_tables(
    ask: Asker, parcel: Parcel, dsn: str
) -> None:
    """A table changed by hand changes nothing of what was known."""
    asked: dict[str, Any] = {"conversation": CONVERSATION, "sequence": parcel.at["ewa"]}
    before = await ask("as_of", **asked)
    server = await asyncpg.connect(dsn)
    for table in ("fact", "conversation", "event", "timeline", "packet", "customer"):
        await server.execute(f"DELETE FROM history_g1.{table}")
    await server.close()
    assert await ask("as_of", **asked) == before


async def test_as_of_by_a_recorded_time(pool: Pool, session: Session) -> None:
    """The largest sequence whose running maximum of store times is not later."""
    clock = TickingClock()
    book = memory_book(clock)
    parcel = Parcel(book)
    begin = clock.now()
    steps = [parcel.register, parcel.call, parcel.offer_and_accept, parcel.tell_facts]
    for number, step in enumerate(steps):
        clock.set(begin + timedelta(seconds=10 * number))
        await step()
    clock.set(begin + timedelta(seconds=60))
    projection = await Projection.take_over(session)
    await projection.apply(await book.all())
    ask = Asker(desk_of(pool, book, Positions(), clock=clock))
    at = begin + timedelta(seconds=20)
    answer = await ask("as_of", conversation=CONVERSATION, recorded=at)
    assert answer["sequence"] == parcel.at["accepted"] + 1
    same = await ask("as_of", conversation=CONVERSATION, sequence=parcel.at["accepted"])
    assert answer["digest"] == same["digest"]
    just_before = at - timedelta(microseconds=1)
    earlier = await ask("as_of", conversation=CONVERSATION, recorded=just_before)
    assert earlier["packet"]["contact"] == "call1"
    assert earlier["shown"] is None
    with pytest.raises(ConversationUnknown):
        await ask("as_of", conversation=CONVERSATION, recorded=begin)
    with pytest.raises(PositionNotReached):
        await ask("as_of", conversation=CONVERSATION, recorded=clock.now())


async def test_as_of_by_a_recorded_time_waits_for_the_whole_ledger(
    pool: Pool, session: Session, parcel: Parcel
) -> None:
    """While the projection lags, a time may still gain events: no answer before they are there."""
    every = await parcel.book.all()
    await (await Projection.take_over(session)).apply(every[:-1])
    clock = TickingClock()
    clock.set(clock.now() + timedelta(hours=1))
    desk = desk_of(pool, parcel.book, Positions(), clock=clock)
    with pytest.raises(PositionNotReached):
        await Asker(desk)("as_of", conversation=CONVERSATION, recorded=every[-1].stored)


async def test_as_of_by_an_occurred_time(ask: Asker, parcel: Parcel) -> None:
    """All events of the matter before the first that happened later."""
    events = await parcel.book.ledger.read(TENANT, CONV)
    accepted = next(each for each in events if each.sequence == parcel.at["accepted"])
    answer = await ask("as_of", conversation=CONVERSATION, occurred=accepted.event.occurred)
    assert answer["sequence"] == parcel.at["accepted"]
    same = await ask("as_of", conversation=CONVERSATION, sequence=parcel.at["accepted"])
    assert answer == same


async def test_as_of_a_position_that_is_not_there_yet_is_refused(
    ask: Asker, parcel: Parcel
) -> None:
    """Its answer would change; and a matter that did not exist then is unknown."""
    end = await parcel.book.ledger.position()
    with pytest.raises(PositionNotReached):
        await ask("as_of", conversation=CONVERSATION, sequence=end + 1)
    for conversation, sequence in ((CONVERSATION, 1), ("nosuch", end), ("No.Such", end)):
        with pytest.raises(ConversationUnknown):
            await ask("as_of", conversation=conversation, sequence=sequence)


async def test_words_are_answered_whole(ask: Asker) -> None:
    """A NUL byte shows as a sign in the timeline; what was said stands whole in the packet."""
    rows = (await ask("timeline", conversation=CONVERSATION))["rows"]
    said = next(row["text"] for row in rows if row["type"] == "fact.stated")
    assert said == NUL_TEXT.replace("\x00", "\N{SYMBOL FOR NULL}")
