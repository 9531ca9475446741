"""Twilio's Conversations as they come to the channel `sms`.

The payloads are written from www.twilio.com/docs/conversations/conversations-webhooks, read 2026-11.
"""

from typing import Any

import msgspec
import pytest

from services.ingest.channels import sms
from services.ingest.channels.shapes import twilio_conversations
from services.ingest.domain.outcome import Ignored, Quarantined
from tests.ingest.running_ingest import GOLDEN, form_body, parsed, raw, wire

WRITER = "+48601234567"
ADDED = {
    "EventType": "onMessageAdded",
    "ConversationSid": "CH1",
    "MessageSid": "IM1",
    "Body": "Where is it?",
    "Source": "SMS",
    "Author": WRITER,
}
DELIVERY = {
    "EventType": "onDeliveryUpdated",
    "ConversationSid": "CH1",
    "MessageSid": "IM1",
    "ChannelMessageSid": "SM1",
    "DateCreated": "2026-11-22T09:30:00.000Z",
    "DateUpdated": "2026-11-22T09:30:02.000Z",
}


def outcome(**fields: str) -> object:
    return sms.parse(raw("sms", form_body(**fields)))


def test_a_message_from_a_telephone_is_a_message() -> None:
    """By the address of its author, with what came with it, as far as the webhook tells of it."""
    body = (GOLDEN / "conversation_message.form").read_bytes()
    (event,) = parsed(
        raw("sms", body, headers=[("content-type", "application/x-www-form-urlencoded")])
    )
    assert (event.type, event.personal.text) == ("message.received", "Dzień dobry")
    assert event.open.provider_id == "IM00000000000000000000000000000001"
    assert wire(event)["time"] == "2026-11-22T09:30:00.111000Z"
    assert [(each.kind, each.value) for each in event.personal.handles] == [("phone", WRITER)]
    (file,) = event.personal.files
    assert (file.name, file.media_type, file.size_bytes) == ("label.png", "image/png", 181_344)
    assert file.source is None


@pytest.mark.parametrize(
    "written",
    [
        {"Source": "SDK", "Author": "agent-7", "ClientIdentity": "agent-7"},
        {"Source": "API", "Author": WRITER},
        {"Source": "", "Author": "system"},
        {"Author": ""},
    ],
)
def test_what_no_telephone_wrote_is_ours(written: dict[str, str]) -> None:
    """It is known, and nobody's request."""
    assert outcome(**{**ADDED, **written}) == Ignored("onMessageAdded")


@pytest.mark.parametrize(
    ("status", "type_"),
    [
        ("sent", "message.sent"),
        ("delivered", "message.delivered"),
        ("read", "message.read"),
        ("undelivered", "message.failed"),
    ],
)
def test_what_became_of_a_message_names_it_as_it_was_sent(status: str, type_: str) -> None:
    """By the id of its way; each receipt at its own time."""
    (event,) = parsed(raw("sms", form_body(**DELIVERY, Status=status, ErrorCode="30008")))
    assert (event.type, event.open.refers_to) == (type_, "SM1")
    assert wire(event)["time"] == "2026-11-22T09:30:02Z"
    assert event.open.reason == ("twilio_30008" if type_ == "message.failed" else None)


@pytest.mark.parametrize(
    "kind",
    [kind for kind, ours in twilio_conversations.KINDS.items() if ours == "ignored"],
)
def test_what_happens_to_a_conversation_is_ignored_by_name(kind: str) -> None:
    """Who takes part in it, and what is asked before something is done."""
    assert outcome(EventType=kind, ConversationSid="CH1", MessageSid="IM1") == Ignored(kind)


@pytest.mark.parametrize(
    ("fields", "code", "kind"),
    [
        ({"EventType": "onThought"}, "payload.kind_unknown", "onThought"),
        (
            {"EventType": "onDeliveryUpdated", "Status": "read"},
            "payload.unreadable",
            "onDeliveryUpdated",
        ),
        ({**DELIVERY, "Status": "sung"}, "payload.kind_unknown", "sung"),
    ],
)
def test_what_is_not_known_is_kept(fields: dict[str, str], code: str, kind: str) -> None:
    """With its word."""
    assert outcome(**{"ConversationSid": "CH1", **fields}) == Quarantined(code, kind)


def of_stream(name: str, **data: Any) -> bytes:
    around = {"specversion": "1.0", "type": f"com.twilio.conversations.{name}", "id": "NO1"}
    return msgspec.json.encode([{**around, "data": {"ConversationSid": "CH1", **data}}])


def test_events_say_what_webhooks_say() -> None:
    """Their name stands around them, and a list in them is no text."""
    media = [{"MediaSid": "ME1", "Filename": "a.png", "ContentType": "image/png", "Size": 12}]
    written = {"Author": f"whatsapp:{WRITER}", "MessageBody": "Ahoy", "Media": media, "Index": 10}
    (event,) = parsed(raw("sms", of_stream("message.added", MessageSid="IM1", **written)))
    assert (event.type, event.personal.text) == ("message.received", "Ahoy")
    assert [each.size_bytes for each in event.personal.files] == [12]
    named = sms.parse(raw("sms", of_stream("conversation.state.updated", MessageSid="IM1")))
    assert named == Ignored("onConversationStateUpdated")
