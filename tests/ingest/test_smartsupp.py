"""Smartsupp's webhooks and exports. The payloads are written from docs.smartsupp.com and its examples, read 2026-11."""

import hashlib
import hmac
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.archives import smartsupp as archived
from services.ingest.channels import smartsupp
from services.ingest.domain.archive import ImportMark
from services.ingest.domain.outcome import Ignored, Quarantined, Reported
from shared import errors, ids
from tests.ingest.facts import VALUES, disorder, facts
from tests.ingest.running_ingest import GOLDEN, Sample, parsed, raw, wire

CONVERSATION = "coXU9u5VscuzW"
AT = "2026-11-22T09:30:12.627Z"
KNOWN = [
    ("reference", f"smartsupp/main/{CONVERSATION}", None),
    ("account", "smartsupp:ct8d3jQk2mZp", "delivered"),
]
TYPED = [("email", "jana@mail.example", "claimed"), ("phone", "+420601234567", "claimed")]


def by_content(secret: str, body: bytes) -> dict[str, str]:
    return {"x-smartsupp-hmac": hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


def callback(event: str, **data: Any) -> bytes:
    told = {"type": "event_callback", "event": event, "timestamp": AT, "data": data}
    return msgspec.json.encode(told)


def replied(kind: str = "contact_replied", **message: Any) -> bytes:
    conversation = {"id": CONVERSATION, "contact_id": "ct8d3jQk2mZp"}
    told = {"id": "ms1", "sub_type": "contact", "content": {"text": "Hello"}, "created_at": AT}
    return callback(f"conversation.{kind}", conversation=conversation, message={**told, **message})


def one(body: bytes) -> Any:
    (event,) = parsed(raw("smartsupp", body))
    return event


def handles_of(event: Any) -> list[tuple[str, str, str | None]]:
    return [(each.kind, each.value, each.proof) for each in event.personal.handles]


def imported(content: bytes) -> list[Any]:
    """The events of an export, as its import gives them."""
    path = ImportMark("0" * 64, 1).path
    found = [archived.parse(raw("smartsupp", e.body, path=path)) for e in archived.talks(content)]
    assert all(isinstance(each, Reported) for each in found), found
    return [event for each in found for _, event in each.reports]  # type: ignore[union-attr]


SAMPLE = Sample(replied(), by_content)


def test_a_message_has_every_field() -> None:
    """It becomes message.received; each field of the event is asserted."""
    body = (GOLDEN / "smartsupp_replied.json").read_bytes()
    event = one(body)
    contact = ids.scoped_id("contact", "demo", "smartsupp/main", CONVERSATION)
    name = "msB1pVb9aMkL"
    assert handles_of(event) == [*KNOWN, *TYPED]
    assert wire(event) == {
        "type": "message.received",
        "specversion": "1.0",
        "id": ids.contact_event_id("demo", "smartsupp", "main", name, "message.received"),
        "source": "tellonce/ingest",
        "time": "2026-11-22T09:30:12.627000Z",
        "subject": f"contact-{contact}",
        "dataschema": "urn:tellonce:event:1",
        "datacontenttype": "application/json",
        "tenant": "demo",
        "recordedtime": "2026-11-22T09:30:00.250000Z",
        "actor": "channel:smartsupp/main",
        "rawref": f"7:{ids.body_sha256(body)}",
        "data": {
            "open": {
                "contact_id": contact,
                "medium": "chat",
                "channel": "smartsupp",
                "account": "main",
                "provider_id": name,
                "provider_time": "2026-11-22T09:30:12.627000Z",
                "automatic": False,
                "numbered": None,
                "in_reply_to": None,
                "attachments": 1,
                "refers_to": None,
            },
            "personal": {
                "handles": msgspec.to_builtins(event.personal.handles),
                "name": "Jana Nová",
                "text": "Kde je moje zásilka ORD-1234?",
                "reply_text": None,
                "title": None,
                "references": [],
                "quoted": None,
                "files": [
                    {
                        "name": "label.pdf",
                        "media_type": "application/pdf",
                        "size_bytes": 10_000,
                        "sha256": None,
                        "source": "https://files.smartsupp.com/label.pdf",
                    }
                ],
            },
        },
    }


@pytest.mark.parametrize(
    ("kind", "by"), [("agent_replied", "agent"), ("bot_replied", "bot"), ("bot_replied", "trigger")]
)
def test_what_one_of_ours_writes_there_is_an_echo(kind: str, by: str) -> None:
    """The handles are the customer's, and so is the name: the author's is not hers."""
    event = one(replied(kind, sub_type=by, author_name="Petr"))
    assert (event.type, handles_of(event), event.personal.name) == ("message.echoed", KNOWN, None)


def test_an_older_version_is_read_as_well() -> None:
    """What was said stands in the data itself, its words as a text; nobody has said who she is."""
    told = {"id": "ms1", "conversation_id": CONVERSATION, "visitor_id": "vi1", "content": "Hello"}
    event = one(callback("message.created", **told, sub_type="contact", author_name="Jana"))
    assert (event.type, event.personal.text, event.personal.name) == (
        "message.received",
        "Hello",
        "Jana",
    )
    assert handles_of(event) == [KNOWN[0], ("account", "smartsupp:vi1", "delivered")]
    assert event.open.provider_time == event.occurred, "when it was told of"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("message_delivered", "message.delivered"), ("message_delivery_failed", "message.failed")],
)
def test_what_became_of_a_message_is_reported(kind: str, expected: str) -> None:
    """By the provider's id of it."""
    event = one(replied(kind, sub_type="agent"))
    assert (event.type, event.open.refers_to) == (expected, "ms1")
    assert (event.open.reason is None) == (expected == "message.delivered")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"\xff", Quarantined("payload.unreadable")),
        (b"{}", Quarantined("payload.not_an_event")),
        (callback("conversation.new"), Quarantined("payload.kind_unknown", "conversation.new")),
        (callback("conversation.contact_replied"), Quarantined("payload.unreadable", "message")),
        (replied(sub_type="ghost"), Quarantined("payload.kind_unknown", "said/ghost")),
        (replied(sub_type="system"), Ignored("said/system")),
        (callback("conversation.opened"), Ignored("conversation.opened")),
        (callback("visitor.typing"), Ignored("visitor.typing")),
    ],
)
def test_what_reports_nothing_is_named(body: bytes, expected: object) -> None:
    """Kinds that nobody needs are ignored by name; what cannot be read is quarantined."""
    assert smartsupp.parse(raw("smartsupp", body)) == expected


# -- what it exports ------------------------------------------------------------------------------------


def test_an_export_is_imported_with_its_own_dates() -> None:
    """Its messages have no ids: they are named by conversation, time and words. Who came and went is left out."""
    first, answer, last = imported((GOLDEN / "smartsupp_export.json").read_bytes())
    assert [each.type for each in (first, answer, last)] == [
        "message.received",
        "message.echoed",
        "message.received",
    ]
    assert (first.actor, wire(first)["time"]) == (
        "import:smartsupp/main",
        "2015-03-27T15:33:59.703000Z",
    )
    assert handles_of(answer) == [
        ("reference", "smartsupp/main/55039", None),
        ("account", "smartsupp:27671", "delivered"),
        ("email", "jana@mail.example", "claimed"),
    ]
    assert (last.personal.text, last.personal.name) == ("Už nic.", "Jana Nová")


def test_a_conversation_of_the_api_is_imported_as_its_webhooks_tell_it() -> None:
    """The same message has the same id, told live or imported."""
    live = one((GOLDEN / "smartsupp_replied.json").read_bytes())
    data = msgspec.json.decode((GOLDEN / "smartsupp_replied.json").read_bytes())["data"]
    whole = {**data["conversation"], "contact": data["contact"]}
    for messages in ([data["message"]], {"items": [data["message"]], "total": 1}):
        content = msgspec.json.encode({"items": [{**whole, "messages": messages}]})
        (event,) = imported(content)
        assert (event.id, event.open, event.personal) == (live.id, live.open, live.personal)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"items": []}', b"id;name\n1;Jana\n"])
def test_what_is_no_export_is_refused(content: bytes) -> None:
    """A file in which there is no conversation."""
    with pytest.raises(errors.PayloadUnreadable):
        archived.talks(content)


DISORDERED = [
    (GOLDEN / "smartsupp_replied.json").read_bytes(),
    SAMPLE.body,
    replied("agent_replied", id="ms2", sub_type="agent"),
    replied("message_delivered", id="ms2", sub_type="agent"),
]


@given(order=disorder(DISORDERED))
def test_any_order_of_deliveries_tells_the_same(order: list[bytes]) -> None:
    """Doubled, delayed, turned around: the same facts."""
    assert facts("smartsupp", order) == facts("smartsupp", DISORDERED)


@given(
    message=st.dictionaries(
        st.sampled_from(["id", "sub_type", "content", "attachments", "created_at", "visitor_id"]),
        VALUES,
    ),
    exported=st.dictionaries(st.sampled_from(["type", "content", "sentAt"]), VALUES),
)
def test_no_field_of_another_kind_makes_it_fail(
    message: dict[str, Any], exported: dict[str, Any]
) -> None:
    """Whatever stands in a field, live or exported, it is read, ignored, or quarantined."""
    facts("smartsupp", [replied(**message)])
    told = {"beginAt": 1, "channel": {"id": 1}, "messages": [exported]}
    archived.parse(raw("smartsupp", msgspec.json.encode(told)))
