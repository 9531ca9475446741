"""What Messenger and Instagram send seldom: guests, one thing under two types, signs, appointments, page fields."""

from typing import Any

import pytest

from services.ingest.channels import messenger
from services.ingest.channels.shapes import graph_fields
from services.ingest.domain.outcome import Ignored
from tests.ingest.graph_deliveries import golden
from tests.ingest.running_ingest import parsed, raw
from tests.ingest.test_messenger import SAMPLE_ITEM, of

BODY = golden("messenger_odd")


def by_id() -> dict[str, Any]:
    return {each.open.provider_id: each for each in parsed(raw("messenger", BODY))}


def test_each_thing_is_said_in_words_and_files() -> None:
    """A sign and an appointment are words, what comes under two types is one file, a menu is what it offers."""
    found = [
        (each.type, each.open.provider_id, each.personal.text, each.open.attachments)
        for each in parsed(raw("messenger", BODY))
        if each.open.provider_id.startswith("m_")
    ]
    assert found == [
        ("message.received", "m_heart", "❤️", 0),
        ("message.received", "m_sticker", "", 1),
        ("message.received", "m_post", "These ones", 1),
        ("message.received", "m_two", "", 2),
        (
            "message.received",
            "m_when",
            "requested 2026-11-23T09:30:00+00:00/2026-11-23T10:30:00+00:00",
            0,
        ),
        ("message.received", "m_link", "Our offer\nhttps://shop.example/offer", 0),
        ("message.received", "m_guest", "Do you ship to Slovakia?", 0),
        ("message.echoed", "m_menu", "How may we help?\nWhere is my parcel\nReturns", 0),
    ]
    assert [each.name for each in by_id()["m_post"].personal.files] == ["Winter boots"]


def test_a_guest_of_the_pages_chat_is_a_visitor_who_proves_nothing() -> None:
    """The name that a page gives is no account, and both of the guest's deliveries are of one contact."""
    first, then = [
        each
        for each in parsed(raw("messenger", BODY))
        if any(handle.kind == "visitor" for handle in each.personal.handles)
    ]
    (handle,) = first.personal.handles
    assert (handle.value, handle.proof) == ("ref-4711", "claimed")
    assert first.open.contact_id == then.open.contact_id
    assert (then.personal.text, then.personal.quoted) == ("PRICES", "https://shop.example/boots")


def test_a_guest_is_not_whoever_has_an_id_of_the_same_name() -> None:
    """What a page chose must not lead into the contact of an account."""
    item = {name: each for name, each in SAMPLE_ITEM.items() if name != "sender"}
    guest, known = (
        parsed(raw("messenger", of({**item, "sender": sender})))[0]
        for sender in ({"user_ref": "9001"}, {"id": "9001"})
    )
    assert guest.open.contact_id != known.open.contact_id
    assert guest.personal.handles != known.personal.handles


@pytest.mark.parametrize(
    "told",
    [
        [{"message_edit": {"mid": "m_1", "num_edit": each, "text": "one"}} for each in (1, 2)],
        [{"message_edit": {"mid": "m_1", "text": each}} for each in ("one", "two")],
        [
            {"reaction": {"mid": "m_1", "action": each, "emoji": "❤"}}
            for each in ("react", "unreact")
        ],
        [{"reaction": {"mid": "m_1", "action": "react", "emoji": each}} for each in "❤👍"],
    ],
)
def test_what_was_done_to_one_message_are_facts_of_their_own(told: list[dict[str, Any]]) -> None:
    """Each has the message's id, which is all that the provider says, and is told once when it comes twice."""
    item = {name: each for name, each in SAMPLE_ITEM.items() if name != "message"}
    first, then, again = (
        parsed(raw("messenger", of({**item, **each})))[0] for each in (*told, told[0])
    )
    assert {each.open.provider_id for each in (first, then)} == {"m_1"}
    assert first.id != then.id
    assert first.id == again.id


def test_what_has_no_address_is_named() -> None:
    """A shared post of which only its title is told, under two types, is said once; two of a kind are said twice."""
    post = {"ig_post_media_id": "1801", "title": "Winter boots"}
    shared = [{"type": each, "payload": post} for each in ("share", "ig_post")]
    offers = [{"title": each, "subtitle": "199 zł"} for each in ("Boots", "Shoes")]
    products = [{"type": "template", "payload": {"product": {"elements": offers}}}]
    for attachments, text in (
        (shared, "Winter boots"),
        (products, "Boots\n199 zł\nShoes\n199 zł"),
    ):
        message = {"mid": "m_1", "attachments": attachments}
        (event,) = parsed(raw("messenger", of({**SAMPLE_ITEM, "message": message})))
        assert (event.personal.text, event.open.attachments) == (text, 0)


@pytest.mark.parametrize("kind", ["message_request", "branded_camera"])
def test_what_only_says_how_a_talk_is_led_is_ignored(kind: str) -> None:
    """By its name, so that it is counted."""
    item = {name: each for name, each in SAMPLE_ITEM.items() if name != "message"}
    body = of({**item, kind: {"event": "accept"}})
    assert messenger.parse(raw("messenger", body)) == Ignored(kind)


@pytest.mark.parametrize("field", sorted(graph_fields.PAGE | graph_fields.INSTAGRAM))
def test_a_field_of_a_page_is_ignored_by_name(field: str) -> None:
    """Its profile, posts and forms are no conversation."""
    body = of({"field": field, "value": {"id": "1"}}, name="changes")
    assert messenger.parse(raw("messenger", body)) == Ignored(field)
