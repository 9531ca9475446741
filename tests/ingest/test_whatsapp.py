"""WhatsApp Business."""

from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.channels import whatsapp
from services.ingest.domain.outcome import Ignored, Quarantined, Reported
from shared import ids
from shared.events import ContactOpen
from tests.ingest.graph_deliveries import batched, by_graph, golden, one_by_one, shaken, told
from tests.ingest.running_ingest import Sample, parsed, raw, wire
from tests.support.own_ids import OURS

BODY = golden("whatsapp")
DELIVERY = msgspec.json.decode(BODY)
ANNA = "48601234567"
TEXT = {
    "from": ANNA,
    "id": "wamid.1",
    "timestamp": "1795339990",
    "type": "text",
    "text": {"body": "hello"},
}
ANNAS_HANDLES = [f"whatsapp:{ANNA}", "whatsapp:PL.111222333", f"+{ANNA}"]


def of(value: Any, field: str = "messages") -> bytes:
    change = {"field": field, "value": value}
    return msgspec.json.encode(
        {"object": "whatsapp_business_account", "entry": [{"id": "500", "changes": [change]}]}
    )


SAMPLE = Sample(of({"messages": [TEXT]}), by_graph)


def typed(kind: str, more: str) -> Any:
    """A value with a message of a type whose content has a type of its own."""
    return {"messages": [{**TEXT, "type": kind, kind: {"type": more}}]}


def handles(event: Any) -> list[str]:
    return [each.value for each in event.personal.handles]


def by_provider_id() -> dict[str, Any]:
    return {each.open.provider_id: each for each in parsed(raw("whatsapp", BODY))}


def test_a_message_has_every_field() -> None:
    """A message becomes message.received; each field of the event is asserted."""
    event = parsed(raw("whatsapp", BODY))[0]
    contact = ids.scoped_id("contact", "demo", "whatsapp/main", ANNA)
    named = f"wamid.text/{ids.body_sha256(b'Where is ORD-1234?')}"
    proved = {"verified": True, "proof": "proved"}
    assert wire(event) == {
        "type": "message.received",
        "specversion": "1.0",
        "id": ids.contact_event_id("demo", "whatsapp", "main", named, "message.received"),
        "source": "tellonce/ingest",
        "time": "2026-11-22T09:33:10Z",
        "subject": f"contact-{contact}",
        "dataschema": "urn:tellonce:event:1",
        "datacontenttype": "application/json",
        "tenant": "demo",
        "recordedtime": "2026-11-22T09:30:00.250000Z",
        "actor": "channel:whatsapp/main",
        "rawref": f"7:{ids.body_sha256(BODY)}",
        "data": {
            "open": {
                "contact_id": contact,
                "medium": "message",
                "channel": "whatsapp",
                "account": "main",
                "provider_id": "wamid.text",
                "provider_time": "2026-11-22T09:33:10Z",
                "automatic": False,
                "numbered": None,
                "in_reply_to": None,
                "attachments": 0,
                "refers_to": "wamid.ours",
            },
            "personal": {
                "handles": [
                    {"kind": "account", "value": f"whatsapp:{ANNA}", **proved},
                    {"kind": "account", "value": "whatsapp:PL.111222333", **proved},
                    {"kind": "phone", "value": f"+{ANNA}", **proved},
                ],
                "name": "Anna Kowalska",
                "text": "Where is ORD-1234?",
                "reply_text": None,
                "title": None,
                "references": [],
                "quoted": None,
                "files": [],
            },
        },
    }


def test_everything_under_entry_is_reported_once_and_in_order() -> None:
    """Type, routing key, the provider's id, and which message it is about."""
    outcome = whatsapp.parse(raw("whatsapp", BODY))
    assert isinstance(outcome, Reported)
    found = [
        (each.type, opened.provider_id, getattr(opened, "refers_to", None))
        for _, each in outcome.reports
        for opened in [cast("ContactOpen", each.open)]
    ]
    assert found == [
        ("message.received", "wamid.text", "wamid.ours"),
        *(
            ("message.received", f"wamid.{name}", None)
            for name in ("image", "voice", "document", "sticker", "location", "contacts")
        ),
        *(
            ("message.received", f"wamid.{name}", None)
            for name in ("list", "flow", "button", "order")
        ),
        ("message.reacted", "wamid.reaction", "wamid.ours"),
        ("message.reacted", "wamid.unreaction", "wamid.ours"),
        ("message.edited", "wamid.edit", "wamid.text"),
        ("message.deleted", "wamid.revoke", "wamid.image"),
        ("message.received", "wamid.unsupported", None),
        ("message.received", "wamid.unnumbered", None),
        ("message.received", "wamid.system", None),
        ("message.sent", "wamid.ours", "wamid.ours"),
        ("message.delivered", "wamid.ours", "wamid.ours"),
        ("message.read", "wamid.ours", "wamid.ours"),
        ("message.failed", "wamid.late", "wamid.late"),
        ("message.failed", "wamid.lost", "wamid.lost"),
        ("message.read", "wamid.group", "wamid.group"),
        ("message.echoed", "wamid.echo", None),
        ("consent.withdrawn", f"{ANNA}/stop/1795340018", None),
        ("consent.given", f"{ANNA}/resume/1795340019", None),
    ]
    assert {key for key, _ in outcome.reports} == {ANNA, "PL.444"}


@pytest.mark.parametrize(
    ("wamid", "text"),
    [
        ("image", "The locker"),
        ("location", "Parcel locker\nul. Prosta 1\ngeo:52.25,21.5"),
        ("contacts", "Jan Nowak, +48 602 000 000, jan@home.example"),
        ("list", "Tomorrow"),
        ("flow", 'stars: 5\ntags: ["fast"]'),
        ("button", "Call me"),
        ("order", "By Friday, please\n2 x BOOTS-41, 199.5 PLN"),
        ("edit", "Where is ORD-1235?"),
        ("unsupported", ""),
        ("echo", "Marek here."),
    ],
)
def test_what_was_written_or_chosen_is_text(wamid: str, text: str) -> None:
    """Whatever form it has, an agent reads words."""
    assert by_provider_id()[f"wamid.{wamid}"].personal.text == text


@pytest.mark.parametrize(
    ("wamid", "media_type", "source", "name"),
    [
        ("image", "image/png", "media-1", None),
        ("voice", "audio/ogg", "media-2", None),
        ("document", "application/pdf", "media-3", "invoice.pdf"),
        ("sticker", "image/webp", "media-4", None),
    ],
)
def test_a_file_is_named_with_its_id(
    wamid: str, media_type: str, source: str, name: str | None
) -> None:
    """By the id it is fetched."""
    event = by_provider_id()[f"wamid.{wamid}"]
    (file,) = event.personal.files
    assert (file.media_type, file.source, file.name) == (media_type, source, name)
    assert event.open.attachments == 1


def test_a_reaction_is_shown_and_taken_back() -> None:
    """The emoji; nothing when it was taken back."""
    found = by_provider_id()
    assert found["wamid.reaction"].personal.reaction == "👍"
    assert found["wamid.unreaction"].personal.reaction is None


def test_who_hides_her_number_is_known_by_her_other_id() -> None:
    """Without a number the id with the business is the person's, and the way to reach her."""
    event = by_provider_id()["wamid.unnumbered"]
    assert (handles(event), event.personal.name) == (["whatsapp:PL.444"], "Ewa")


def test_a_new_number_comes_first_and_nobody_has_to_answer() -> None:
    """Her contact is the same; by the old ids and the new ones she is one person."""
    event = by_provider_id()["wamid.system"]
    new = ["whatsapp:48609999999", "whatsapp:PL.555", "+48609999999"]
    assert handles(event) == [*new, *ANNAS_HANDLES]
    assert event.open.automatic
    assert event.open.contact_id == by_provider_id()["wamid.text"].open.contact_id


def test_a_new_id_with_the_business_is_learned() -> None:
    """Both ways in which it is told, of which one has no sender."""
    told_alone = {
        "wa_id": ANNA,
        "user_id": {"previous": "PL.1", "current": "PL.2"},
        "timestamp": 1795339990,
    }
    (event,) = parsed(raw("whatsapp", of({"user_id_update": [told_alone]}, "user_id_update")))
    assert handles(event) == [f"whatsapp:{ANNA}", "whatsapp:PL.2", f"+{ANNA}", "whatsapp:PL.1"]
    system = {"type": "user_changed_user_id", "user_id": "PL.2", "previous_user_id": "PL.1"}
    message = {"id": "wamid.1", "timestamp": "1795339990", "type": "system", "system": system}
    (event,) = parsed(raw("whatsapp", of({"messages": [message]})))
    assert handles(event) == ["whatsapp:PL.2", "whatsapp:PL.1"]


def test_a_status_that_names_our_message_leads_to_its_conversation() -> None:
    """What we gave with the message comes back."""
    sent, delivered, read = [
        each for each in parsed(raw("whatsapp", BODY)) if each.open.provider_id == "wamid.ours"
    ]
    for each in (sent, delivered):
        assert (each.open.message_id, each.conversation) == (OURS.message, OURS.conversation)
    assert (read.open.message_id, read.conversation) == (None, None)
    assert handles(read) == ANNAS_HANDLES


def test_why_a_message_failed_is_a_stable_word() -> None:
    """The 24 hours have a word of their own; else it is the provider's code."""
    found = by_provider_id()
    assert found["wamid.late"].open.reason == "window_closed"
    assert found["wamid.lost"].open.reason == "whatsapp_131026"
    status = {"id": "wamid.1", "status": "failed", "recipient_id": ANNA}
    (event,) = parsed(raw("whatsapp", of({"statuses": [status]})))
    assert event.open.reason == "whatsapp_failed"


def test_a_heard_voice_message_was_read() -> None:
    """It is no repetition of that it was seen."""
    statuses = [
        {"id": "wamid.1", "status": word, "recipient_id": ANNA} for word in ("read", "played")
    ]
    read, played = parsed(raw("whatsapp", of({"statuses": statuses})))
    assert (read.type, played.type) == ("message.read", "message.read")
    assert read.id != played.id


@pytest.mark.parametrize(
    ("value", "field", "expected"),
    [
        ({"event": "DISABLED_UPDATE"}, "account_update", Ignored("account_update")),
        ({"metadata": {"phone_number_id": "1"}}, "messages", Ignored("metadata")),
        ({"errors": [{"code": 131060}]}, "messages", Ignored("errors")),
        ({"messages": [{**TEXT, "type": "request_welcome"}]}, "messages", Ignored("request_welcome")),
        (typed("interactive", "call_permission_reply"), "messages", Ignored("call_permission_reply")),
        (typed("system", "user_identity_changed"), "messages", Ignored("user_identity_changed")),
        (typed("system", "odd"), "messages", Quarantined("payload.kind_unknown", "odd")),
        ({"statuses": [{"id": "w", "status": "deleted"}]}, "messages", Ignored("deleted")),
        ({"novelties": [{}]}, "novelty", Quarantined("payload.kind_unknown", "novelty")),
        ({"messages": [{**TEXT, "type": "hologram"}]}, "messages", Quarantined("payload.kind_unknown", "hologram")),
        ({"statuses": [{"id": "w", "status": "odd"}]}, "messages", Quarantined("payload.kind_unknown", "odd")),
        ({"messages": [{**TEXT, "from": None}]}, "messages", Quarantined("payload.unreadable", "text")),
        ({"messages": [{**TEXT, "type": "revoke"}]}, "messages", Quarantined("payload.unreadable", "revoke")),
        ({"messages": [{**TEXT, "type": "edit"}]}, "messages", Quarantined("payload.unreadable", "edit")),
        ({"statuses": [{"status": "read"}]}, "messages", Quarantined("payload.unreadable", "read")),
    ],
)  # fmt: skip
def test_what_is_no_event_has_its_outcome(value: Any, field: str, expected: Any) -> None:
    """Known and needed by nobody, unknown, or of nobody."""
    assert whatsapp.parse(raw("whatsapp", of(value, field))) == expected


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "payload.unreadable"),
        (b"{}", "payload.not_an_event"),
        (b'{"entry": [{"id": "1"}]}', "payload.not_an_event"),
        (b'{"entry": [{"changes": [7]}]}', "payload.not_an_event"),
    ],
)
def test_what_is_no_delivery_is_quarantined(body: bytes, code: str) -> None:
    """What cannot be read, and what can be read and is nothing that the provider sends."""
    assert whatsapp.parse(raw("whatsapp", body)) == Quarantined(code)


def test_an_unknown_kind_costs_nothing_else() -> None:
    """What is known is reported, what is not is recorded beside it."""
    value = {"messages": [{**TEXT, "type": "hologram"}, TEXT]}
    events = parsed(raw("whatsapp", of(value)))
    assert [each.type for each in events] == ["message.received", "payload.quarantined"]


@given(data=st.data())
def test_whatever_way_it_comes_it_is_the_same(data: st.DataObject) -> None:
    """Any order, any repetition, any batches: the same events with the same routing keys."""
    shuffled = data.draw(shaken(one_by_one(DELIVERY)))
    size = data.draw(st.integers(1, 7))
    assert told("whatsapp", batched(shuffled, size)) == told("whatsapp", [DELIVERY])


ADVERTISED = {"headline": "Winter boots", "body": "Ask us", "source_url": "https://fb.me/1"}


@pytest.mark.parametrize(
    ("told", "quoted"),
    [
        ({}, None),
        ({"context": {"id": "wamid.ours", "from": "48221234567"}}, None),
        ({"context": {"forwarded": True}}, None),
        (
            {"referral": {**ADVERTISED, "source_type": "ad", "image_url": "https://cdn.example/1"}},
            "Winter boots\nAsk us\nhttps://fb.me/1",
        ),
        (
            {
                "context": {
                    "referred_product": {"catalog_id": "1", "product_retailer_id": "BOOTS-7"}
                }
            },
            "BOOTS-7",
        ),
    ],
)
def test_what_a_message_answers_stands_beside_it(told: Any, quoted: str | None) -> None:
    """The advertisement from which a person wrote, the article that a question is about."""
    (event,) = parsed(raw("whatsapp", of({"messages": [{**TEXT, **told}]})))
    assert event.personal.quoted == quoted
