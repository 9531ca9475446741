"""The query for a timeline: in the ledger's order, page by page."""

from typing import Any

import msgspec

from services.history.pool import Pool
from services.history.positions import Positions
from services.history.projection import Projection
from services.history.tables.timeline import ANSWER_MAX_BYTES
from shared.queries import AskTimeline
from tests.history.caller import Caller, answers_over
from tests.history.handwritten_ledger import TENANT
from tests.history.parcel_story import (
    CONVERSATION,
    CUSTOMER,
    MISSED,
    ParcelStory,
)


async def test_the_timeline_tells_the_story_in_ledger_order(
    ask: Caller, parcel: ParcelStory
) -> None:
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
        "quoted": None,
    }


async def test_the_timeline_of_a_customer_holds_all_her_matters(ask: Caller) -> None:
    """Her own events, those of each conversation, and who was told about them."""
    rows = (await ask("timeline", customer=CUSTOMER))["rows"]
    assert {row["conversation"] for row in rows} == {CONVERSATION, MISSED, None}
    assert {"customer.created", "call.started", "call.missed", "notification.sent"} <= {
        row["type"] for row in rows
    }


async def test_what_was_written_stands_with_what_it_answers(
    pool: Pool, parcel: ParcelStory, projection: Projection
) -> None:
    """A message, one written anew, one that somebody of ours wrote elsewhere, and a sign; what they quote beside it."""
    about = {"contact_id": "ig1", "medium": "message", "channel": "messenger", "account": "page"}
    hers: dict[str, Any] = {"handles": []}
    await parcel.conv(
        (
            "message.received",
            {**about, "provider_id": "1"},
            {**hers, "text": "Is it still there?", "quoted": "https://cdn.example/story"},
        ),
        (
            "message.edited",
            {**about, "provider_id": "2", "refers_to": "1"},
            {**hers, "text": "Are they still there?", "quoted": "Winter boots"},
        ),
        ("message.echoed", {**about, "provider_id": "3"}, {**hers, "text": "Yes."}),
        (
            "message.reacted",
            {**about, "provider_id": "4", "refers_to": "3"},
            {**hers, "reaction": "❤"},
        ),
    )
    await projection.apply((await parcel.handwritten.all())[projection.position :])
    answers = answers_over(pool, parcel.handwritten, Positions(agreed=True))
    asked = msgspec.json.encode({"conversation": CONVERSATION})
    answer = await answers.answer(AskTimeline, TENANT, asked)
    rows = msgspec.json.decode(msgspec.json.encode(answer))["rows"]
    assert [(row["text"], row["quoted"]) for row in rows[-4:]] == [
        ("Is it still there?", "https://cdn.example/story"),
        ("Are they still there?", "Winter boots"),
        ("Yes.", None),
        ("❤", None),
    ]


async def test_pages_of_a_timeline_join_without_a_gap(ask: Caller) -> None:
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
    pool: Pool, parcel: ParcelStory, projection: Projection
) -> None:
    """Long mails make a page shorter, never too large for one message."""
    text = await parcel.long_mails()
    await projection.apply((await parcel.handwritten.all())[projection.position :])
    answers = answers_over(pool, parcel.handwritten, Positions(agreed=True))
    after: int | None = 0
    found = 0
    while after is not None:
        asked = {"conversation": CONVERSATION, "after": after}
        answer = await answers.answer(AskTimeline, TENANT, msgspec.json.encode(asked))
        encoded = msgspec.json.encode(answer)
        assert len(encoded) <= ANSWER_MAX_BYTES
        page = msgspec.json.decode(encoded)
        found += sum(row["text"] == text for row in page["rows"])
        after = page["next"]
    assert found == 8
