"""Telegram's updates. The payloads are written from core.telegram.org/bots/api, read 2026-11."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.channels import telegram
from services.ingest.domain.delivery import Answer, WebRequest
from services.ingest.domain.outcome import Ignored
from shared import ids
from shared.policy import Account
from tests.ingest.facts import VALUES, disorder, facts, told_of
from tests.ingest.running_ingest import GOLDEN, RECEIVED, Sample, parsed, raw, wire

ANNA = {"id": 61, "is_bot": False, "first_name": "Anna", "last_name": "Kowalska"}
PRIVATE = {"id": 61, "type": "private", "first_name": "Anna"}
OWNER = {"id": 9, "is_bot": False, "first_name": "Ewa"}
BOT = {"id": 7, "is_bot": True, "first_name": "Shop"}
GROUP = {"id": -100123, "type": "supergroup", "title": "Parcels"}
AT = 1_795_339_800
AT_TEXT = "2026-11-22T09:30:00Z"
FILE = {"file_id": "f-1", "file_unique_id": "u-1", "file_size": 2_048}


def by_token(secret: str, body: bytes) -> dict[str, str]:  # noqa: ARG001  the shape of a sample
    return {"x-telegram-bot-api-secret-token": secret}


def message(**fields: Any) -> dict[str, Any]:
    return {"message_id": 5, "from": ANNA, "chat": PRIVATE, "date": AT, **fields}


def update(kind: str, told: dict[str, Any], number: int = 1) -> bytes:
    return msgspec.json.encode({"update_id": number, kind: told})


def one(kind: str, told: dict[str, Any]) -> Any:
    (event,) = parsed(raw("telegram", update(kind, told)))
    return event


def handles_of(event: Any) -> list[tuple[str, str, str | None]]:
    return [(each.kind, each.value, each.proof) for each in event.personal.handles]


SAMPLE = Sample(update("message", message(text="Where is my parcel?")), by_token, signs_body=False)


# -- a message ----------------------------------------------------------------------------------------


def test_a_photo_of_an_album_has_every_field() -> None:
    """It becomes message.received with its largest size; each field of the event is asserted."""
    body = (GOLDEN / "telegram_photo.json").read_bytes()
    (event,) = parsed(raw("telegram", body))
    contact = ids.scoped_id("contact", "demo", "telegram/main", "6100200300")
    known = "6100200300/1187"
    assert wire(event) == {
        "type": "message.received",
        "specversion": "1.0",
        "id": ids.contact_event_id("demo", "telegram", "main", known, "message.received"),
        "source": "tellonce/ingest",
        "time": AT_TEXT,
        "subject": f"contact-{contact}",
        "dataschema": "urn:tellonce:event:1",
        "datacontenttype": "application/json",
        "tenant": "demo",
        "recordedtime": "2026-11-22T09:30:00.250000Z",
        "actor": "channel:telegram/main",
        "rawref": f"7:{ids.body_sha256(body)}",
        "data": {
            "open": {
                "contact_id": contact,
                "medium": "message",
                "channel": "telegram",
                "account": "main",
                "provider_id": known,
                "provider_time": AT_TEXT,
                "automatic": False,
                "numbered": None,
                "in_reply_to": None,
                "attachments": 1,
                "refers_to": "6100200300/1180",
            },
            "personal": {
                "handles": told_of("telegram/main/6100200300", "telegram:6100200300"),
                "name": "Anna Kowalska",
                "text": "It came like this, order ORD-1234",
                "reply_text": None,
                "title": None,
                "references": [],
                "quoted": "Please send a picture of the parcel.",
                "files": [
                    {
                        "name": None,
                        "media_type": "image/jpeg",
                        "size_bytes": 181_344,
                        "sha256": None,
                        "source": "photo-large",
                    }
                ],
            },
        },
    }


@pytest.mark.parametrize(
    ("fields", "media_type", "name"),
    [
        ({"animation": FILE, "document": FILE}, "video/mp4", None),
        (
            {"audio": {**FILE, "file_name": "a.mp3", "mime_type": "audio/x-m4a"}},
            "audio/x-m4a",
            "a.mp3",
        ),
        ({"document": {**FILE, "file_name": "label.pdf"}}, "application/octet-stream", "label.pdf"),
        ({"paid_media": {"paid_media": [{"type": "video", "video": FILE}]}}, "video/mp4", None),
        ({"sticker": {**FILE, "is_animated": True}}, "application/x-tgsticker", None),
        ({"sticker": {**FILE, "is_video": True}}, "video/webm", None),
        ({"sticker": FILE}, "image/webp", None),
        ({"video": FILE}, "video/mp4", None),
        ({"video_note": FILE}, "video/mp4", None),
        ({"voice": FILE}, "audio/ogg", None),
        ({"live_photo": FILE}, "video/mp4", None),
    ],
)
def test_every_kind_of_file_is_attached_once(
    fields: dict[str, Any], media_type: str, name: str | None
) -> None:
    """With the id that fetches it, and of its own media type or that of its kind."""
    event = one("message", message(**fields))
    (file,) = event.personal.files
    assert (file.source, file.media_type, file.name, file.size_bytes) == (
        "f-1",
        media_type,
        name,
        2_048,
    )
    assert event.open.attachments == 1


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"text": "Hello", "location": {"latitude": 1.5, "longitude": 2}}, "Hello"),
        ({"caption": "The label", "photo": []}, "The label"),
        ({"location": {"latitude": 50.06, "longitude": 19.94}}, "50.06, 19.94"),
        (
            {
                "venue": {"title": "Locker KRA01", "address": "Rynek 1"},
                "location": {"latitude": 50.06, "longitude": 19.94},
            },
            "Locker KRA01\nRynek 1\n50.06, 19.94",
        ),
        ({"sticker": {"emoji": "👍"}}, "👍"),
        ({"dice": {"emoji": "🎲", "value": 6}}, "🎲 6"),
        (
            {"poll": {"question": "When?", "options": [{"text": "Today"}, {"text": "Monday"}]}},
            "When?\n- Today\n- Monday",
        ),
        ({"checklist": {"title": "Missing", "tasks": [{"text": "cable"}]}}, "Missing\n- cable"),
        ({"contact": {"first_name": "Jan", "phone_number": "48601"}}, "Jan\n48601"),
        ({"game": {"title": "Chess"}}, "Chess"),
        ({"web_app_data": {"data": "size=XL", "button_text": "Choose"}}, "size=XL"),
        ({"something_new": {"a": 1}}, ""),
    ],
)
def test_what_is_shown_is_told_in_words(fields: dict[str, Any], text: str) -> None:
    """Text or caption, else what the message shows; a kind that nobody knows yet is a message all the same."""
    assert one("message", message(**fields)).personal.text == text


def test_her_own_number_is_proved_and_that_of_another_is_no_handle() -> None:
    """Telegram says whose number a shared contact is; what else is shared is only told."""
    hers = {"phone_number": "48601234567", "first_name": "Anna", "user_id": 61}
    event = one("message", message(contact=hers))
    assert handles_of(event)[1:] == [
        ("account", "telegram:61", "proved"),
        ("phone", "+48601234567", "proved"),
    ]
    for other in ({**hers, "user_id": 62}, {"phone_number": "48601234567"}):
        event = one("message", message(contact=other))
        assert [kind for kind, _, _ in handles_of(event)] == ["reference", "account"]
        assert "48601234567" in event.personal.text


def test_an_answer_to_another_chat_names_that_chat() -> None:
    """What is quoted from elsewhere stands there."""
    elsewhere = {"chat": {"id": -200, "type": "channel"}, "message_id": 12}
    assert one("message", message(external_reply=elsewhere)).open.refers_to == "-200/12"


def test_in_a_group_the_person_is_known_and_the_group_is_the_contact() -> None:
    """Two people of a group: one contact, two persons; an anonymous one is the group itself."""
    first = one("message", message(chat=GROUP))
    second = one("message", message(chat=GROUP, **{"from": {**ANNA, "id": 62}}))
    assert first.open.contact_id == second.open.contact_id
    assert handles_of(first)[1:] == [("account", "telegram:61", "proved")]
    assert handles_of(second)[1:] == [("account", "telegram:62", "proved")]
    anonymous = one("message", message(chat=GROUP, sender_chat=GROUP, **{"from": BOT}))
    assert handles_of(anonymous)[1:] == [("account", "telegram:-100123", "proved")]
    assert anonymous.personal.name == "Parcels"
    assert not anonymous.open.automatic


def test_what_a_machine_sends_is_automatic() -> None:
    """A bot's message, a channel's post in its group, a greeting that the business account sends by itself."""
    assert one("message", message(chat=GROUP, **{"from": BOT})).open.automatic
    assert one("message", message(chat=GROUP, is_automatic_forward=True)).open.automatic
    assert not one("message", message()).open.automatic


# -- what becomes of a message ------------------------------------------------------------------------


def test_every_new_version_of_a_message_is_a_fact() -> None:
    """An edit names its message and its time; the same version told twice is one."""
    told = message(text="Where?", edit_date=AT + 60)
    first, again = one("edited_message", told), one("edited_message", told)
    later = one("edited_message", {**told, "text": "Where is it?"})
    assert (first.type, first.open.refers_to, first.personal.text) == (
        "message.edited",
        "61/5",
        "Where?",
    )
    assert wire(first)["time"] == "2026-11-22T09:31:00Z"
    assert first.id == again.id != later.id


def test_a_reaction_names_its_message() -> None:
    """Each change is a fact; nothing is left when it was taken back."""
    told = {
        "chat": PRIVATE,
        "message_id": 5,
        "user": ANNA,
        "date": AT,
        "old_reaction": [],
        "new_reaction": [{"type": "emoji", "emoji": "👍"}],
    }
    given_, taken = (
        one("message_reaction", {**told, "date": AT + k, "new_reaction": signs})
        for k, signs in enumerate((told["new_reaction"], []))
    )
    assert (given_.type, given_.open.refers_to) == ("message.reacted", "61/5")
    assert (given_.personal.reaction, taken.personal.reaction) == ("👍", None)
    assert handles_of(given_)[1:] == [("account", "telegram:61", "proved")]
    assert given_.id != taken.id


def test_a_button_is_said_by_its_label() -> None:
    """What stands on it is what she chose; where its keyboard is not known, what it stands for."""
    keyboard = {"inline_keyboard": [[{"text": "Yes, today", "callback_data": "y"}]]}
    told = {"id": "4382", "from": ANNA, "chat_instance": "1", "data": "y"}
    event = one("callback_query", {**told, "message": message(reply_markup=keyboard)})
    assert (event.type, event.personal.text) == ("message.received", "Yes, today")
    assert (event.open.provider_id, event.open.refers_to) == ("4382", "61/5")
    assert event.open.provider_time is None
    assert one("callback_query", told).personal.text == "y"


@pytest.mark.parametrize(
    ("status", "type_", "said"),
    [("kicked", "consent.withdrawn", "blocked"), ("member", "consent.given", "started")],
)
def test_who_blocks_the_bot_must_not_be_written_to(status: str, type_: str, said: str) -> None:
    """Her block and its end are consent; what becomes of the bot in a group is nobody's."""
    told = {
        "chat": PRIVATE,
        "from": ANNA,
        "date": AT,
        "old_chat_member": {"user": BOT, "status": "member"},
        "new_chat_member": {"user": BOT, "status": status},
    }
    event = one("my_chat_member", told)
    assert (event.type, event.open.said) == (type_, said)
    assert wire(event)["time"] == AT_TEXT
    assert handles_of(event)[1:] == [("account", "telegram:61", "proved")]
    body = update("my_chat_member", {**told, "chat": GROUP})
    assert telegram.parse(raw("telegram", body)) == Ignored("my_chat_member")


# -- a business account -------------------------------------------------------------------------------

BUSINESS = {"business_connection_id": "conn-1"}


def test_a_business_chat_is_another_chat_than_the_bots_own() -> None:
    """Both count their messages from the same number, with the same person."""
    own, business = one("message", message()), one("business_message", message(**BUSINESS))
    assert own.open.provider_id == "61/5"
    assert business.open.provider_id == "conn-1/61/5"
    assert own.open.contact_id != business.open.contact_id
    assert handles_of(own)[1:] == handles_of(business)[1:]


def test_what_the_business_writes_itself_is_an_echo() -> None:
    """With the customer's handles; what its bot wrote for it is known anyway."""
    told = message(text="Good morning", **{**BUSINESS, "from": OWNER})
    event = one("business_message", told)
    assert (event.type, event.personal.text) == ("message.echoed", "Good morning")
    assert handles_of(event)[1:] == [("account", "telegram:61", "proved")]
    assert event.personal.name == "Anna"
    assert one("business_message", {**told, "is_from_offline": True}).open.automatic
    edited = one("edited_business_message", {**told, "edit_date": AT})
    assert (edited.type, edited.open.refers_to) == ("message.echoed", "conn-1/61/5")
    sent = update("business_message", {**told, "sender_business_bot": BOT})
    assert telegram.parse(raw("telegram", sent)) == Ignored("sent_by_the_bot")


def test_each_message_that_was_taken_back_is_a_fact() -> None:
    """One update may name many; each is named once."""
    told = {**BUSINESS, "chat": PRIVATE, "message_ids": [5, 6, 5]}
    events = parsed(raw("telegram", update("deleted_business_messages", told)))
    assert {each.type for each in events} == {"message.deleted"}
    assert [each.open.refers_to for each in events] == ["conn-1/61/5", "conn-1/61/6"]


# -- the door -----------------------------------------------------------------------------------------


def test_the_answer_has_no_body() -> None:
    """Telegram would execute it."""
    request = WebRequest("POST", "/in/demo/telegram/main", [], SAMPLE.body, RECEIVED)
    assert telegram.answer(request, Account(queue="hotline", reply="Hello")) == Answer()


STORY = [
    update("message", message(text="one"), 1),
    update("message", message(text="two", message_id=6), 2),
    update("edited_message", message(text="once", edit_date=AT + 5), 3),
    update("edited_message", message(text="one!", edit_date=AT + 9), 4),
    update("business_message", message(text="one", **BUSINESS), 5),
    update("business_message", message(text="yes", **{**BUSINESS, "from": OWNER}), 6),
    update("deleted_business_messages", {**BUSINESS, "chat": PRIVATE, "message_ids": [5, 6]}, 7),
    update("callback_query", {"id": "9", "from": ANNA, "chat_instance": "1", "data": "y"}, 8),
]


@given(deliveries=disorder(STORY))
def test_any_disorder_of_deliveries_comes_to_the_same_facts(deliveries: list[bytes]) -> None:
    """Late, again, in another order: the same events under the same ids."""
    assert facts("telegram", deliveries) == facts("telegram", STORY)
    assert len(facts("telegram", STORY)) == 9


@given(data=st.data())
def test_any_value_in_any_field_is_survived(data: st.DataObject) -> None:
    """Whatever stands where the documents promise something else, the delivery comes to an outcome."""
    kind = data.draw(st.sampled_from(sorted(telegram.UPDATE_KINDS)))
    told = message(contact={"user_id": 61}, photo=[FILE], venue={}, reply_to_message=message())
    names = [
        *told,
        "new_reaction",
        "message_ids",
        "new_chat_member",
        "document",
        "poll",
        "message",
        "id",
    ]
    for name in data.draw(st.lists(st.sampled_from(names), min_size=1, max_size=2)):
        told[name] = data.draw(VALUES)
    facts("telegram", [update(kind, told)])
