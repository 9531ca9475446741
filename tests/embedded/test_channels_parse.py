"""`tellonce channels parse`: what a channel makes of payloads in files, one JSON object a line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy.cli import channels
from deploy.story.providers import written
from services.ingest.channels import CHANNELS

Run = Callable[..., tuple[int, str, str]]

MAIL = (
    b"From: Anna <anna@shop.example>\r\nDate: Sun, 22 Nov 2026 10:30:00 +0100\r\nMessage-ID: <m-1@shop.example>\r\n"
    b"In-Reply-To: <m-0@help.example>\r\nSubject: Locker\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
    b"--b\r\nContent-Type: text/plain\r\n\r\nIt is broken.\r\n"
    b'--b\r\nContent-Type: image/png\r\nContent-Disposition: attachment; filename="a.png"\r\n\r\n'
    b"\x89PNG\r\n--b--\r\n"
)


def lines(answer: str) -> list[dict[str, Any]]:
    """The objects that were printed."""
    return [json.loads(line) for line in answer.splitlines()]


def test_each_file_has_its_line_in_order(run: Run, tmp_path: Path) -> None:
    """Every field of a line, for a file that is read and for one that is not; the same bytes on every run."""
    (tmp_path / "a.eml").write_bytes(MAIL)
    (tmp_path / "b.json").write_bytes(b"\xff\x00")
    names = [str(tmp_path / name) for name in ("a.eml", "b.json", "a.eml")]
    code, said, complaints = run("channels", "parse", "email", *names)
    assert (code, complaints) == (0, "")
    first, _, again = lines(said)
    assert [each["file"] for each in lines(said)] == names
    assert first == again
    (event,) = first.pop("events")
    assert first == {
        "file": names[0],
        "channel": "email",
        "outcome": "accepted",
        "code": None,
        "reason": None,
    }
    (attachment,) = event.pop("attachments")
    assert (attachment["name"], attachment["media_type"], attachment["size"]) == (
        "a.png",
        "image/png",
        4,
    )
    assert len(attachment["sha256"]) == 64
    assert len(event.pop("id")) > 0
    assert event == {
        "type": "message.received",
        "provider_id": "m-1@shop.example",
        "handle": "anna@shop.example",
        "occurred_at": "2026-11-22T09:30:00Z",
        "text": "It is broken.",
        "refers_to": "m-0@help.example",
    }
    assert run("channels", "parse", "email", *names)[1] == said


def test_what_is_not_read_says_why(run: Run, tmp_path: Path) -> None:
    """A code of ours, and no event; the shares come last."""
    (tmp_path / "a").write_bytes(b"hello")
    code, said, _ = run("channels", "parse", "form", str(tmp_path / "a"), "--summary")
    line, shares = lines(said)
    assert (code, line["outcome"], line["code"]) == (0, "quarantined", "payload.unreadable")
    assert line["events"] == []
    assert shares == {
        "summary": "form",
        "files": 1,
        "accepted": 0,
        "ignored": 0,
        "quarantined": 1,
        "not_an_event": 0,
        "read_share": 0.0,
    }


@pytest.mark.parametrize("channel", sorted(CHANNELS))
@pytest.mark.parametrize("content", [b"", b" \r\n"])
def test_an_empty_file_is_no_payload(channel: str, content: bytes) -> None:
    """Of no channel; it does not count against what is read."""
    line = channels.line_of(channel, "empty", content)
    assert (line.outcome, line.code) == ("quarantined", "payload.not_an_event")
    assert channels.summary(channel, [line])["read_share"] is None


def test_an_unknown_channel_and_a_missing_file_have_their_exit_codes(
    run: Run, tmp_path: Path
) -> None:
    """2 before anything is printed; 1 where a file could not have its line."""
    code, said, complaints = run("channels", "parse", "pigeon", str(tmp_path / "a"))
    assert (code, said) == (2, "")
    assert "there are: " in complaints
    code, said, complaints = run("channels", "parse", "form", str(tmp_path / "a"))
    assert (code, said) == (1, "")
    assert "No such file" in complaints


def test_a_channel_that_fails_is_not_hidden(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file has its line all the same, and the fault is printed."""

    def fails(raw: object) -> None:
        raise LookupError("a fault of the channel")

    monkeypatch.setattr(CHANNELS["form"], "parse", fails)
    (tmp_path / "a").write_bytes(b'{"message":"hello"}')
    code, said, complaints = run("channels", "parse", "form", str(tmp_path / "a"))
    assert (code, lines(said)[0]["reason"]) == (0, "failed")
    assert "a fault of the channel" in complaints


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        (b"Thank you,\n\nI got it: From here all is well.\n", ["Thank you,\n\nI got it: From here all is well."]),
        (b"Note: it works.\nBye\n", ["Note: it works.\nBye"]),
        (b"From: me\nSent: today\nTo: you\n\nold\n", ["From: me\nSent: today\nTo: you\n\nold"]),
        (b"Subject: it\n\nnew\n", ["new"]),
        (b"From a@b 2026\nFrom: a@b.example\n\none\n\nFrom c@d 2026\nFrom: c@d.example\n\ntwo\n", ["one", "two"]),
        (b"From -\nFrom: a@b.example\n\none\nFrom -\nFrom: c@d.example\n\ntwo\n", ["one", "two"]),
        (b"From a@b Mon Nov 23 2026\nFrom: a@b.example\n\nit came\nFrom Monday to 3\nNote: no\n",
         ["it came\nFrom Monday to 3\nNote: no"]),
        (b"From a@b 2026\nFrom: a@b.example\n\nFrom here on it is broken.\n", ["From here on it is broken."]),
    ],
)  # fmt: skip
def test_mails_in_files(content: bytes, texts: list[str]) -> None:
    """A body has no header block, a mailbox has several mails; a mail alone stays what it is."""
    line = channels.line_of("email", "a", content)
    assert [(each.text or "").strip() for each in line.events] == texts


BARE = {"sender": {"id": "1"}, "recipient": {"id": "2"}, "message": {"mid": "m", "text": "hi"}}
ALONE = {"sender": {"id": "1"}, "postback": {"title": "Prices", "payload": "PRICES"}}
OPTIN = {"recipient": {"id": "2"}, "timestamp": 1795339990123, "optin": {"user_ref": "3"}}
ENTRY = {"id": "2", "messaging": [BARE]}
PAGE = {"object": "page", "entry": [ENTRY]}
UPDATE = {"update_id": 7, "message": {"message_id": 1, "chat": {"id": 2}}}
STATUSES = {"statuses": [{"id": "w", "status": "read", "recipient_id": "1"}]}

UNTYPED = {"from": "1", "id": "w", "timestamp": "1795339990", "location": {"name": "Locker"}}


def business(value: dict[str, Any]) -> dict[str, Any]:
    """A change of a business account in its envelope."""
    changes = [{"field": "messages", "value": value}]
    return {"object": "whatsapp_business_account", "entry": [{"changes": changes}]}


SAID = {
    "id": "e1",
    "type": "message",
    "text": "hi",
    "author_id": "c1",
    "created_at": "2026-11-22T09:30:00Z",
}
TALK = {"id": "t1", "events": [SAID]}
CHAT = {"id": "p1", "users": [{"id": "c1", "type": "customer"}], "thread": TALK}
UNNAMED = {"id": "t1", "users": [], "thread": TALK}
PRESSED = {"chat_id": "p1", "event_id": "e1", "postback": {"id": "yes"}}
SOMEBODY = {"id": "c1", "type": "customer", "created_at": "2026-11-22T09:30:00Z"}
REPLY = {"id": "m1", "conversation_id": "co1", "sub_type": "contact", "content": {"text": "hi"}}
CALL = {"type": "page", "anonymousId": "v"}


def chat_webhook(action: str, payload: dict[str, Any]) -> dict[str, Any]:
    """A webhook of a chat vendor around its payload."""
    return {"action": action, "payload": payload}


def in_chat(chat: str) -> dict[str, Any]:
    """What is said, told of in a chat."""
    return chat_webhook("incoming_event", {"chat_id": chat, "event": SAID})


@pytest.mark.parametrize(
    ("channel", "content", "sent"),
    [
        ("livechat", in_chat("p1"), [in_chat("p1")]),
        ("livechat", in_chat("p1")["payload"], [in_chat("p1")]),
        ("livechat", SAID, [in_chat("c1")]),
        ("livechat", {"list": [SAID]}, [in_chat("c1")]),
        ("livechat", {"chats": [CHAT, CHAT]}, [chat_webhook("incoming_chat", {"chat": CHAT})] * 2),
        ("livechat", {"threads": [TALK]}, [chat_webhook("incoming_chat", {"chat": UNNAMED})]),
        ("livechat", PRESSED, [chat_webhook("incoming_rich_message_postback", PRESSED)]),
        ("livechat", SOMEBODY, [SOMEBODY]),
        ("smartsupp", {"items": [REPLY]}, [{"event": "conversation.contact_replied", "data": {"message": REPLY}}]),
        ("smartsupp", {"event": "conversation.rated"}, [{"event": "conversation.rated"}]),
        ("site", [{"message": CALL, "destination": {"Config": {}}}], [CALL]),
        ("site", {"batch": [CALL]}, [{"batch": [CALL]}]),
        ("shop", {"orders": [{"id": 1}]}, [{"id": 1}]),
        ("shop", {"inventory_level": {"inventory_item_id": 1}}, [{"inventory_item_id": 1}]),
        ("messenger", PAGE, [PAGE]),
        ("messenger", [ENTRY], [PAGE]),
        ("messenger", BARE, [{"object": "page", "entry": [{"messaging": [BARE]}]}]),
        ("messenger", ALONE, [{"object": "page", "entry": [{"messaging": [ALONE]}]}]),
        ("messenger", OPTIN, [{"object": "page", "entry": [{"messaging": [OPTIN]}]}]),
        ("messenger", {"first": PAGE, "second": {"all": PAGE}}, [PAGE, PAGE]),
        ("messenger", {"first_name": "Anna"}, [{"first_name": "Anna"}]),
        ("whatsapp", STATUSES, [business(STATUSES)]),
        ("whatsapp", STATUSES["statuses"], [business(STATUSES)]),
        ("whatsapp", UNTYPED, [business({"messages": [UNTYPED]})]),
        ("telegram", {"ok": True, "result": [UPDATE, UPDATE]}, [UPDATE, UPDATE]),
        ("telegram", UPDATE["message"], [{**UPDATE, "update_id": 0}]),
        ("viber", [{"event": "seen"}], [{"event": "seen"}]),
        ("form", [{"message": "a"}, {"message": "b"}], [{"message": "a"}, {"message": "b"}]),
    ],
)  # fmt: skip
def test_an_inner_item_is_read_as_if_wrapped(channel: str, content: Any, sent: list[Any]) -> None:
    """What a provider lists in its envelope is found without it, in lists, and under names."""
    found = written.deliveries(channel, json.dumps(content).encode())
    assert [json.loads(each.body) for each in found] == sent
    assert {each.content_type for each in found} == {"application/json"}


def test_an_event_around_parameters_stays_around_them() -> None:
    """What happened is said there only."""
    event = {"specversion": "1.0", "type": "com.twilio.x", "data": {"AccountSid": "AC1"}}
    (found,) = written.deliveries("sms", json.dumps({"first": [event]}).encode())
    assert (json.loads(found.body), found.content_type) == (event, "application/json")


def test_parameters_are_sent_as_a_form() -> None:
    """The parameters of a call that somebody wrote down as JSON are what its webhook carries."""
    content = b'{"CallSid": "CA1", "From": "+48600100200", "ToCity": null}'
    (found,) = written.deliveries("twilio_voice", content)
    assert found.body == b"CallSid=CA1&From=%2B48600100200&ToCity="
    assert found.content_type == "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b'{"a": 1, "a": 2}', "application/json"),
        (b"a=1&b=2", "application/x-www-form-urlencoded"),
        (b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--', "multipart/form-data; boundary=x"),
        (b"Event: Hangup\r\nValue: a=b\r\n\r\n", "text/plain"),
    ],
)  # fmt: skip
def test_a_delivery_as_it_was_sent_stays_as_it_is(content: bytes, content_type: str) -> None:
    """Not a byte of it changes; its type is told by what it looks like."""
    assert written.deliveries("form", content) == [written.Written(content, content_type)]


def test_a_payload_on_each_line_is_a_delivery_each() -> None:
    """A log of webhooks, one JSON object a line."""
    found = written.deliveries("form", b'{"message":"a"}\n{"message":"b"}\n')
    assert [json.loads(each.body) for each in found] == [{"message": "a"}, {"message": "b"}]


def test_a_part_that_is_not_read_is_named_beside_what_is() -> None:
    """A delivery of two messages of which one is of a kind that nobody knows."""
    known = {"from": "48601234567", "id": "w1", "type": "text", "text": {"body": "hello"}}
    value = {"messages": [{**known, "type": "hologram"}, known]}
    line = channels.line_of("whatsapp", "two.json", json.dumps(value).encode())
    assert (line.outcome, [each.text for each in line.events]) == ("accepted", ["hello"])
    assert (line.code, line.reason) == ("payload.kind_unknown", "hologram")


@pytest.mark.parametrize(
    "sent",
    [
        {"sentAt": "2026-11-22T09:31:00Z"},
        {"sentAt": "2026-11-22T09:31:00Z", "receivedAt": "2026-11-22T09:31:01Z"},
        {},
    ],
)
@pytest.mark.parametrize("batched", [True, False])
def test_what_a_browser_did_has_its_own_time(sent: dict[str, str], batched: bool) -> None:
    """Nobody knows when a file was received: its clock is set right by the sending that it tells of itself."""
    item = {
        "type": "page",
        "messageId": "1",
        "anonymousId": "v",
        "timestamp": "2026-11-22T09:30:00Z",
    }
    body = {"batch": [item], **sent} if batched else {**item, **sent}
    (event,) = channels.line_of("site", "a.json", json.dumps(body).encode()).events
    assert event.occurred_at == "2026-11-22T09:30:00Z"


def test_a_browser_that_sent_before_it_did_is_read_as_well() -> None:
    """Its clock was set between the two (segmentio/analytics-react-native#977, read 2026-11)."""
    times = {"sentAt": "2026-11-01T00:00:00Z", "timestamp": "2026-11-22T09:30:00Z"}
    body = json.dumps({"type": "page", "messageId": "1", "anonymousId": "v", **times}).encode()
    (event,) = channels.line_of("site", "a.json", body).events
    assert event.occurred_at == "2026-11-22T09:30:00Z"


@pytest.mark.parametrize(
    "written",
    [
        "Sun, 22 Nov 2026 10:30:00 +0100",
        "Sun, 22 Nov 2026 10:30:00 +0100 (GMT+01:00)",
        "Sun, 22 Nov 2026 10:30:00 +01:00",
        "Sun, 22 Nov 2026 10(at noon):  30 : 00 +0100",
        "Sun, 22 Nov 2026 10:30:00 GMT+01:00",
        "Sun, 22 Nov 2026 10:30:00 UTC+1",
        "Sun, 22 Nov 2026 10:30:00 CET",
        "22-Nov-2026 11:30:00 CEST",
        "Sun, 22-Nov-2026 01:30:00 -0800 (PST)",
        "Sun, 22 Nov 2026 04:30:00 EST",
        'Sun, 22 Nov 2026 09:30:00 "GMT"',
        "Sun, 22 Nov 2026 09:30:00",
        "2026-11-22 09:30:00",
        "2026-11-22T10:30:00+01:00",
        "2026-11-22 10:30:00 +0100",
    ],
)
def test_a_mails_date_is_read_in_its_zone(written: str) -> None:
    """An offset with a colon, and a zone of Europe by its name, were once an hour or two away."""
    mail = f"From: a@b.example\nDate: {written}\n\nHello\n".encode()
    (event,) = channels.line_of("email", "a.eml", mail).events
    assert event.occurred_at == "2026-11-22T09:30:00Z"


@pytest.mark.parametrize("written", ["yesterday", "Ne, 22 lis 2026 10:30:00 +0100", "", "-02"])
def test_a_date_that_cannot_be_read_is_none(written: str) -> None:
    """A wrong time would be worse."""
    mail = f"From: a@b.example\nDate: {written}\n\nHello\n".encode()
    (event,) = channels.line_of("email", "a.eml", mail).events
    assert event.occurred_at is None
