"""The answers: their shapes on a small real story, who may ask, and how long they wait for a position."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from services.history.pool import Pool
from services.history.positions import Positions
from services.history.projection import Projection
from services.history.store import Session
from services.history.tables import ANSWERED_BY
from shared.errors import (
    AgentUnknown,
    CommandUnreadable,
    ConversationUnknown,
    CustomerUnknown,
    HandleInvalid,
    PositionBeyondEnd,
    PositionNotReached,
    TenantUnknown,
)
from shared.queries import QUERIES, AskContext, ContextAnswer
from tests.history.caller import WAIT_SECONDS, Caller, answers_over
from tests.history.handwritten_ledger import TENANT
from tests.history.parcel_story import (
    CONV,
    CONVERSATION,
    CUSTOMER,
    MISSED,
    NUL_TEXT,
    PHONE,
    ParcelStory,
)


async def test_who_is_there_to_take_what_comes_in(ask: Caller, parcel: ParcelStory) -> None:
    """Who signed in and makes no pause, and the queues that have one of them."""
    answer = await ask("on_duty")
    assert answer == {
        "position": parcel.at["missed"],
        "agents": ["marek"],
        "queues": ["warehouse"],
    }


async def test_a_conversation_as_it_stands(ask: Caller, parcel: ParcelStory) -> None:
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
    pool: Pool, session: Session, parcel: ParcelStory
) -> None:
    """Offer and transfer show with agent, packet and expiry while they are open."""
    every = await parcel.handwritten.all()
    await (await Projection.take_over(session)).apply(every[: parcel.at["transfer_offered"]])
    ask = Caller(answers_over(pool, parcel.handwritten, Positions(agreed=True)))
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


async def test_a_shared_handle_names_everybody_who_is_known_by_it(
    session: Session, pool: Pool, parcel: ParcelStory
) -> None:
    """The one who gave it last is answered, and the others are named; who only claims it is not among them."""
    written = parcel.handwritten
    for name, proof in (("cust-jan", "proved"), ("cust-stranger", "claimed")):
        created = written.event(
            name,
            "customer.created",
            {"provisional": False},
            {"name": name, "handles": [("phone", PHONE, proof)]},
            customer=name.removeprefix("cust-"),
        )
        await written.write(name, created)
    await (await Projection.take_over(session)).apply(await written.all())
    ask = Caller(answers_over(pool, written, Positions(agreed=True)))
    found = await ask("customer", handle={"kind": "phone", "value": PHONE})
    assert (found["customer"]["id"], found["shared_with"]) == ("jan", [CUSTOMER])
    assert (await ask("customer", customer=CUSTOMER))["shared_with"] == []


async def test_a_customer_is_found_by_id_and_by_handle(ask: Caller) -> None:
    """The same person, with her orders and her matters."""
    by_id = await ask("customer", customer=CUSTOMER)
    for written in (PHONE, PHONE.replace("+", "00"), f"tel:{PHONE}"):
        assert by_id == await ask("customer", handle={"kind": "phone", "value": written})
    assert by_id["customer"] | {"handles": []} == {
        "id": CUSTOMER,
        "provisional": False,
        "name": "Anna",
        "salutation": "pani",
        "language": "pl",
        "handles": [],
        "orders": [{"number": "ORD-1001", "status": "open", "description": None}],
    }
    assert by_id["customer"]["handles"][0] == {
        "kind": "phone",
        "value": PHONE,
        "verified": True,
        "proof": "proved",
    }
    assert [each["id"] for each in by_id["conversations"]] == [CONVERSATION, MISSED]


async def test_a_packet_is_answered_as_the_bytes_that_were_stored(
    ask: Caller, parcel: ParcelStory
) -> None:
    """Nothing is decoded and encoded again on the way; the sha256 of the event fits."""
    every = await parcel.handwritten.ledger.read(TENANT, CONV)
    for packet_id, position in (("packet1", "offered"), ("packet2", "requested")):
        body = next(e.body for e in every if f'"{packet_id}","sha256"'.encode() in e.body)
        asked = msgspec.json.encode({"packet_id": packet_id})
        answer = await ask.answers.answer(AskContext, TENANT, asked)
        assert isinstance(answer, ContextAnswer)
        assert bytes(answer.packet) in body
        assert answer.sequence == parcel.at[position] - 1
    latest = await ask("context", conversation=CONVERSATION)
    assert latest["packet_id"] == "packet2"
    assert latest["packet"]["facts"][0]["value"] == "KRA01M"


async def test_no_packet_is_null(ask: Caller) -> None:
    """A matter that nobody was offered yet has no packet; that is an answer, not an error."""
    for asked in ({"conversation": MISSED}, {"packet_id": "nosuchpacket"}):
        answer = await ask("context", **asked)
        assert (answer["packet"], answer["packet_id"], answer["sequence"]) == (None, None, None)


async def test_what_waits_in_a_queue(pool: Pool, session: Session, parcel: ParcelStory) -> None:
    """Waiting work shows to its queue, to the queue's agents and to nobody else."""
    every = await parcel.handwritten.all()
    await (await Projection.take_over(session)).apply(every[: parcel.at["queued"]])
    ask = Caller(answers_over(pool, parcel.handwritten, Positions(agreed=True)))
    for asked in ({"queue": "hotline"}, {"agent": "piotr"}, {}):
        [line] = (await ask("inbox", **asked))["waiting"]
        assert (line["conversation"], line["queue"], line["owner"]) == (
            CONVERSATION,
            "hotline",
            None,
        )
    assert (await ask("inbox", agent="marek"))["waiting"] == []
    assert (await ask("inbox", queue="warehouse"))["waiting"] == []


async def test_what_is_looked_at_and_what_was_found(ask: Caller) -> None:
    """A supervisor's list of what is to be scored, and an agent's record."""
    [scored] = (await ask("reviews", agent="piotr", status="scored"))["reviews"]
    assert (scored["by"], scored["card"]) == ("ewa", {"greeting": 100, "solution": 60})
    assert scored["finding"] == "kind, and no time named"
    [still] = (await ask("reviews", queue="hotline", status="open"))["reviews"]
    assert (still["review_id"], still["card"], still["finding"]) == ("review2", {}, None)
    assert (await ask("reviews", agent="ewa"))["count"] == 0


async def test_an_agents_work_by_how_it_stands(
    pool: Pool, session: Session, parcel: ParcelStory
) -> None:
    """Hers, put aside, waiting in her queues, done: each in one list, found by its label and its first queue."""
    until = parcel.handwritten.now + timedelta(days=1)
    snoozed = {"snooze_id": "snooze1", "agent": "ewa", "until": until}
    labelled = {"added": ["vip", "l_ate"], "removed": []}
    steps = {
        "mine": ("conversation.labelled", labelled),
        "snoozed": ("conversation.snoozed", snoozed),
        "done": ("conversation.resolved", {"agent": "ewa"}),
    }
    projection = await Projection.take_over(session)
    await projection.apply(await parcel.handwritten.all())
    ask = Caller(answers_over(pool, parcel.handwritten, Positions(agreed=True)))
    by = {"label": "l_ate", "queue": "hotline"}
    for state, step in steps.items():
        at = await parcel.conv(step)
        await projection.apply([(await parcel.handwritten.all())[-1]])
        answer = await ask("work_list", agent="ewa", state=state, **by, min_seq=at)
        [line] = answer["work"]
        assert (line["conversation"], line["labels"]) == (CONVERSATION, ["vip", "l_ate"])
        assert (line["snoozed_until"] is not None) == (state == "snoozed")
        for other in {"mine", "waiting", "snoozed", "done"} - {state}:
            assert (await ask("work_list", agent="ewa", state=other))["work"] == []
        assert (await ask("work_list", agent="ewa", state=state, label="l-ate"))["count"] == 0
        owned = {each["conversation"] for each in (await ask("inbox", agent="ewa"))["owned"]}
        assert owned == ({CONVERSATION} if state == "mine" else set())
    [waits] = (await ask("work_list", agent="piotr", state="waiting"))["work"]
    assert (waits["conversation"], waits["queue"]) == (MISSED, "hotline")


async def test_callbacks_by_queue_and_status(ask: Caller) -> None:
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
        "outcome": "no_answer",
    }
    assert (await ask("callbacks", status="closed"))["callbacks"] == []
    assert (await ask("callbacks", queue="warehouse"))["callbacks"] == []


async def test_promises_by_agent_and_status(ask: Caller) -> None:
    """What was promised by whom, and whether it was kept."""
    [promise] = (await ask("promises", agent="ewa"))["promises"]
    assert (promise["promise_id"], promise["status"]) == ("promise1", "kept")
    assert promise["kept"] is not None
    assert (await ask("promises", status="open"))["count"] == 0
    assert (await ask("promises", agent="marek"))["promises"] == []


async def test_how_soon_customers_are_answered(ask: Caller) -> None:
    """By what they waited for, when they began to wait, where, and how they came."""
    span = {"since": "2000-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"}
    everywhere = (await ask("service_level", **span))["targets"]
    assert everywhere == [
        {
            "target": "next_response",
            "met": 1,
            "breached": 0,
            "open": 0,
            "unanswered": 0,
            "service_level_without_unanswered": 1.0,
            "service_level_with_unanswered": 1.0,
        }
    ]
    assert (await ask("service_level", **span, queue="hotline", medium="call"))["targets"]
    for others in ({"queue": "warehouse"}, {"medium": "chat"}, {"until": "2001-01-01T00:00:00Z"}):
        assert (await ask("service_level", **{**span, **others}))["targets"] == []


async def test_how_a_deadline_comes_about(ask: Caller) -> None:
    """The spans of open time that count end where it was decided that the time is over."""
    answer = await ask("clocks", conversation=CONVERSATION)
    assert answer["count"] == 1
    [shown] = answer["clocks"]
    assert (shown["state"], shown["rule"]) == ("met", "service_level.within_the_hour")
    assert sum(each["seconds"] for each in shown["counted"]) == shown["seconds"] == 3_600.0
    assert shown["counted"][0]["since"] == shown["since"]
    assert shown["counted"][-1]["until"] == shown["calculated"] == shown["due"]
    assert shown["ended"] < shown["due"]
    assert (await ask("clocks", conversation=MISSED))["clocks"] == []


LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


async def test_promises_are_counted_by_how_they_ended(
    ask: Caller, parcel: ParcelStory, projection: Projection
) -> None:
    """In time, late, broken or not kept; what was withdrawn, or is due later, counts in nothing.

    One that was missed stays whose it was, however late somebody else keeps it.
    """

    def on(kind: str, name: str, personal: Any = None, **said: Any) -> tuple[str, Any, Any]:
        return (f"promise.{kind}", {"promise_id": name, "agent": "ewa", **said}, personal)

    def made(name: str, due: datetime = LONG_AGO, **said: Any) -> tuple[str, Any, Any]:
        return on("made", name, {"text": "soon"}, due=due, **said)

    why = {"reason": "she agreed"}
    moved = {"due": LONG_AGO + timedelta(days=1), "before": LONG_AGO, "moved": 1}
    await parcel.conv(
        made("p1", queue="hotline"),
        on("kept", "p1", late=False),
        made("p2", queue="hotline"),
        on("renegotiated", "p2", why, late=True, **{**moved, "agent": "piotr"}),
        on("kept", "p2", late=False, moved=1, agent="piotr"),
        made("p3", queue="warehouse"),
        on("renegotiated", "p3", why, late=False, **{**moved, "agent": "piotr"}),
        on("broken", "p3", why, promiser="piotr", due=LONG_AGO, to="agent-ewa"),
        made("p4", queue="warehouse"),
        made("p5"),
        on("withdrawn", "p5", why),
        made("p6", due=datetime(2199, 1, 1, tzinfo=UTC), queue="hotline"),
    )
    await projection.apply((await parcel.handwritten.all())[projection.position :])
    rates = await ask("promise_rates", until="2021-01-01T00:00:00Z")
    lines = [rates["all"], *rates["agents"], *rates["queues"]]
    assert [
        [line[key] for key in ("name", "kept", "late", "broken", "rate")] for line in lines
    ] == [
        [None, 1, 1, 2, 0.25],
        ["ewa", 1, 1, 1, 0.3333],
        ["piotr", 0, 0, 1, 0.0],
        ["hotline", 1, 1, 0, 0.5],
        ["warehouse", 0, 0, 2, 0.0],
    ]
    since = await ask("promise_rates", since="2020-01-02T00:00:00Z", until="2021-01-01T00:00:00Z")
    assert (since["all"]["late"], since["all"]["broken"]) == (1, 1)
    nothing = await ask("promise_rates", until="2019-01-01T00:00:00Z")
    assert (nothing["all"]["rate"], nothing["agents"]) == (None, [])
    [broken] = (await ask("promises", queue="warehouse", status="broken"))["promises"]
    assert (broken["promise_id"], broken["agent"], broken["moved"]) == ("p3", "piotr", 1)
    assert (broken["missed"], broken["first_due"]) == (True, "2020-01-01T00:00:00Z")


async def test_what_the_desk_is_to_know(ask: Caller) -> None:
    """What holds, the newest first, page by page; neither what was withdrawn nor what is over at a time."""
    answer = await ask("announcements")
    outage, discount = answer["announcements"]
    assert (answer["count"], outage["text"], outage["until"]) == (2, "The lockers are down", None)
    assert (discount["announcement_id"], discount["kind"]) == ("said2", "discount")
    assert discount["codes"] == ["AUTUMN10", "LOCKER"]
    assert discount["about"] == ["locker", "paczkomat"]
    assert outage["codes"] == []
    first = await ask("announcements", limit=1)
    second = await ask("announcements", limit=1, after=first["next"])
    assert [first["announcements"], second["announcements"]] == [[outage], [discount]]
    assert second["next"] is None
    assert (await ask("announcements", kind="discount"))["announcements"] == [discount]
    later = await ask("announcements", at="2030-01-01T00:00:00Z")
    assert later["announcements"] == [outage]


@pytest.mark.parametrize("at", ["9999-12-31T23:59:59.5-23:59", "0001-01-01T00:00:00+23:59"])
async def test_what_the_desk_is_to_know_at_the_ends_of_the_calendar(ask: Caller, at: str) -> None:
    """An instant that no store counts is the nearest one that it does."""
    assert (await ask("announcements", at=at))["announcements"][0]["text"] == "The lockers are down"


async def test_a_time_without_a_zone_is_no_time(ask: Caller) -> None:
    """It is the asker's mistake, and none of ours."""
    with pytest.raises(CommandUnreadable):
        await ask("announcements", at="2026-12-01T10:00:00")


async def test_known_ids_name_the_first_delivery(ask: Caller) -> None:
    """Of the ids asked about, the known ones with sequence and raw; the others are left out."""
    answer = await ask("known", ids=["startedcall1", "nosuchid"])
    assert answer["known"] == {"startedcall1": {"sequence": 3, "raw": "7:" + "a" * 64}}
    assert (await ask("known", ids=[]))["known"] == {}


async def test_min_seq_waits_until_the_rows_are_there(
    pool: Pool, session: Session, parcel: ParcelStory
) -> None:
    """A caller reads her own write: the answer waits for the position, here and on a standby."""
    every = await parcel.handwritten.all()
    projection = await Projection.take_over(session)
    await projection.apply(every[:3])
    for here in (True, False):
        positions = Positions(agreed=True)
        ask = Caller(answers_over(pool, parcel.handwritten, positions))
        wanted = projection.position + 1
        waiting = asyncio.create_task(ask("position", min_seq=wanted))
        assert (await ask("position"))["position"] == wanted - 1
        assert not waiting.done()
        await projection.apply(every[projection.position : wanted])
        if here:
            positions.reached(projection.position)
        assert (await waiting)["position"] == wanted


async def test_min_seq_gives_up_after_its_limit(
    pool: Pool, session: Session, parcel: ParcelStory
) -> None:
    """A position that the ledger holds and the rows do not reach is an error that says how far they are."""
    every = await parcel.handwritten.all()
    projection = await Projection.take_over(session)
    await projection.apply(every[:3])
    ask = Caller(answers_over(pool, parcel.handwritten, Positions(agreed=True)))
    began = asyncio.get_running_loop().time()
    with pytest.raises(PositionNotReached) as refused:
        await ask("position", min_seq=len(every))
    assert WAIT_SECONDS <= asyncio.get_running_loop().time() - began < WAIT_SECONDS * 10
    assert refused.value.code == "query.position_not_reached"
    assert refused.value.details["wanted"] == len(every)
    assert refused.value.retryable


async def test_a_position_beyond_the_end_is_not_waited_for(
    pool: Pool, parcel: ParcelStory, projection: Projection
) -> None:
    """Nobody can answer about what the ledger does not hold: the refusal takes no place from who can be answered."""
    end = projection.position
    answers = answers_over(pool, parcel.handwritten, Positions(agreed=True), wait_seconds=3_600.0)
    async with asyncio.timeout(10):
        for wanted in (end + 1, 10_000):
            with pytest.raises(PositionBeyondEnd) as refused:
                await Caller(answers)("position", min_seq=wanted)
            assert refused.value.details == {"position": end, "wanted": wanted}
            assert not refused.value.retryable
        assert (await Caller(answers)("position", min_seq=end))["position"] == end


async def test_what_does_not_exist_is_said_by_name(ask: Caller) -> None:
    """Each unknown thing has its own code; another tenant sees nothing."""
    with pytest.raises(ConversationUnknown):
        await ask("conversation", conversation="nosuch")
    with pytest.raises(ConversationUnknown):
        await ask("timeline", conversation="nosuch")
    with pytest.raises(CustomerUnknown):
        await ask("timeline", customer="nosuch")
    with pytest.raises(CustomerUnknown):
        await ask("customer", handle={"kind": "email", "value": "nobody@example.org"})
    with pytest.raises(HandleInvalid):
        await ask("customer", handle={"kind": "email", "value": "no\x00body"})
    with pytest.raises(HandleInvalid):
        await ask("customer", handle={"kind": "phone", "value": "1"})
    with pytest.raises(AgentUnknown):
        await ask("inbox", agent="nosuch")
    with pytest.raises(AgentUnknown):
        await ask("work_list", agent="nosuch", state="mine")
    for question in ANSWERED_BY:
        with pytest.raises(TenantUnknown):
            await ask(question.name, tenant="other")


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("position", b"not json"),
        ("position", b'{"more":' + b"[" * 5_000),
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
        ("promises", b'{"status": "forgotten"}'),
        ("position", b"\xff"),
        ("position", b" " * 300_000 + b"{}"),
    ],
)
async def test_an_unreadable_question_is_refused(ask: Caller, name: str, body: bytes) -> None:
    """What does not fit the question's shape is refused before anything is read."""
    with pytest.raises(CommandUnreadable):
        await ask.answers.answer(QUERIES[name], TENANT, body)


async def test_rows_of_one_answer_are_limited(
    pool: Pool, parcel: ParcelStory, projection: Projection
) -> None:
    """No answer has more rows than the setting says, whatever was asked."""
    ask = Caller(answers_over(pool, parcel.handwritten, Positions(agreed=True), rows_max=2))
    assert len((await ask("timeline", conversation=CONVERSATION, limit=100))["rows"]) == 2
    assert len((await ask("customer", customer=CUSTOMER))["conversations"]) == 2
    await parcel.go_on()
    await projection.apply((await parcel.handwritten.all())[projection.position :])
    facts = (await ask("conversation", conversation=CONVERSATION))["conversation"]["facts"]
    assert [each["name"] for each in facts] == ["later8", "later9"]


async def test_words_are_answered_whole(ask: Caller) -> None:
    """A NUL byte shows as a sign in the timeline; what was said stands whole in the packet."""
    rows = (await ask("timeline", conversation=CONVERSATION))["rows"]
    said = next(row["text"] for row in rows if row["type"] == "fact.stated")
    assert said == NUL_TEXT.replace("\x00", "\N{SYMBOL FOR NULL}")
