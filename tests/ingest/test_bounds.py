"""One delivery that holds very much: what is beyond a bound is seen, and no channel takes longer than it is long."""

import json
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest

from services.ingest.channels import CHANNELS
from services.ingest.channels.email import FATES_MAX
from services.ingest.channels.telegram import DELETED_MAX
from services.ingest.domain import outcome, pbx_stream
from services.ingest.domain.outcome import Quarantined
from shared import events
from tests.ingest.running_ingest import parsed, raw

BEYOND = "payload.partly_read"


def codes(found: Any) -> list[str]:
    """Return the codes of what is quarantined among events."""
    return [each.open.code for each in found if isinstance(each, events.PayloadQuarantined)]


def of_bandwidth(n: int, media: int = 0) -> dict[str, Any]:
    files = [f"https://x.example/{each}.jpg" for each in range(media)]
    message = {
        "id": f"m{n}",
        "direction": "in",
        "from": "+48601234567",
        "text": "x",
        "media": files,
    }
    return {"type": "message-received", "time": "2026-11-22T09:00:00Z", "message": message}


def block(n: int) -> str:
    """Return the beginning of a call, as AMI tells it."""
    fields = {
        "Event": "Newchannel",
        "Uniqueid": f"1795339800.{n}",
        "Linkedid": f"1795339800.{n}",
        "ChannelStateDesc": "Ring",
        "CallerIDNum": f"+4860{n:07}",
        "Exten": "100",
    }
    return "".join(f"{name}: {value}\r\n" for name, value in fields.items())


def test_no_text_message_of_a_long_list_is_left_out() -> None:
    """As many as fit a body."""
    body = json.dumps([of_bandwidth(n) for n in range(1_100)]).encode()
    assert len(parsed(raw("sms", body))) == 1_100


def test_no_report_of_a_long_callback_is_left_out() -> None:
    """The provider says at most five; what says more is read."""
    ids = [f"6A{n:04}" for n in range(140)]
    fields = {"MsgId": ",".join(ids), "status": ",".join(["404"] * 140), "to": "48601234567"}
    found = parsed(raw("sms", urlencode(fields).encode()))
    assert [each.open.refers_to for each in found] == ids


def test_all_files_of_a_message_are_counted() -> None:
    """Sixteen are named, and it is said how many there are."""
    (told,) = parsed(raw("sms", json.dumps([of_bandwidth(1, media=40)]).encode()))
    assert (told.open.attachments, len(told.personal.files)) == (40, 16)
    media = {f"MediaUrl{n}": f"https://x.example/{n}" for n in range(40)}
    fields = {"MessageSid": "SM1", "From": "+48601234567", "Body": "x", **media}
    (told,) = parsed(raw("sms", urlencode(fields).encode()))
    assert told.open.attachments == 40


@pytest.mark.parametrize("form", ["blocks", "objects"])
def test_records_beyond_the_bound_are_told_of(monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    """Beside what was read; exactly as many as are read are all."""
    channel = {"id": "1795339800.1", "state": "Ring", "dialplan": {"exten": "100"}}
    start = json.dumps({"type": "StasisStart", "channel": channel})
    bodies = {
        "blocks": "\r\n".join(block(n) for n in range(3)),
        "objects": "\n".join([start, *(['{"type":"ChannelVarset"}'] * 2)]),
    }
    delivery = raw("asterisk", bodies[form].encode())
    monkeypatch.setattr(pbx_stream, "RECORDS_MAX", 3)
    whole = parsed(delivery)
    assert whole
    assert codes(whole) == []
    monkeypatch.setattr(pbx_stream, "RECORDS_MAX", 2)
    cut = parsed(delivery)
    assert codes(cut) == [BEYOND]
    assert len(cut) > 1


def test_what_tells_nothing_and_is_not_all_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows what the rest says."""
    monkeypatch.setattr(pbx_stream, "RECORDS_MAX", 1)
    body = b"Event: FullyBooted\r\n\r\nEvent: FullyBooted\r\n"
    told = CHANNELS["asterisk"].parse(raw("asterisk", body))
    assert told == Quarantined(BEYOND, "records")


def bounced(recipients: int) -> bytes:
    """Return a report about a mail that is not ours to many."""
    fates = "".join(
        f"Final-Recipient: rfc822; a{n}@x.example\nAction: failed\nStatus: 5.1.1\n\n"
        for n in range(recipients)
    )
    return (
        "From: MAILER-DAEMON@mx.example\nTo: help@shop.example\nMessage-ID: <b@mx.example>\n"
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n"
        f"--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\n{fates}--b--\n"
    ).encode()


def test_recipients_beyond_the_bound_are_told_of() -> None:
    """A mail to a long list that comes back."""
    assert codes(parsed(raw("email", bounced(FATES_MAX)))) == []
    many = parsed(raw("email", bounced(FATES_MAX + 1)))
    assert (len(many), codes(many)) == (FATES_MAX + 1, [BEYOND])


def test_messages_taken_back_beyond_the_bound_are_told_of() -> None:
    """One update may name as many as fit a body; nobody deletes so many at once."""
    assert codes(parsed(raw("telegram", telegram(DELETED_MAX)))) == []
    many = parsed(raw("telegram", telegram(40_000)))
    assert (len(many), codes(many)) == (DELETED_MAX + 1, [BEYOND])


# -- how many steps it takes ------------------------------------------------------------------------


def whatsapp(n: int) -> bytes:
    people = [{"wa_id": f"48601{each:06}", "user_id": f"PL.{each}"} for each in range(n)]
    said = [
        {"id": f"w{each}", "from": who["wa_id"], "type": "text", "text": {"body": "x"}}
        for each, who in enumerate(people)
    ]
    value = {"contacts": people, "messages": said}
    return json.dumps({"entry": [{"changes": [{"field": "messages", "value": value}]}]}).encode()


def messenger(n: int) -> bytes:
    told = [
        {"sender": {"id": f"{each}"}, "timestamp": 1, "message": {"mid": f"m{each}", "text": "x"}}
        for each in range(n)
    ]
    return json.dumps({"object": "page", "entry": [{"id": "1", "messaging": told}]}).encode()


def telegram(n: int) -> bytes:
    deleted = {"business_connection_id": "b", "chat": {"id": 7}, "message_ids": list(range(n))}
    return json.dumps({"update_id": 1, "deleted_business_messages": deleted}).encode()


def joined_legs(n: int) -> bytes:
    """Return a stream in which each leg calls the next, the last first."""
    told = [
        {
            "type": "Dial",
            "caller": {"id": f"1795339800.{each}"},
            "peer": {"id": f"1795339800.{each + 1}"},
        }
        for each in reversed(range(n))
    ]
    return "\n".join(map(json.dumps, told)).encode()


def chained_legs(n: int) -> bytes:
    """Return a stream in which all legs begin, are joined from the last to the first, and the last speaks on."""
    told: list[dict[str, Any]] = [
        {"type": "ChannelCreated", "channel": {"id": f"1.{each}"}} for each in range(n)
    ]
    told += [
        {"type": "Dial", "caller": {"id": f"1.{each}"}, "peer": {"id": f"1.{each + 1}"}}
        for each in reversed(range(n - 1))
    ]
    told += [{"type": "ChannelDtmfReceived", "digit": "1", "channel": {"id": f"1.{n - 1}"}}] * n
    return "\n".join(map(json.dumps, told)).encode()


def one_call(n: int) -> bytes:
    """Return a stream in which a caller whose number is withheld is put on hold and taken again, for long."""
    leg = {"id": "1795339800.1", "caller": {"number": "", "name": ""}}
    kinds = ("ChannelHold", "ChannelUnhold", "ChannelDestroyed", "ChannelStateChange")
    told = [
        {"type": kind, "timestamp": f"2026-11-22T09:00:{n % 60:02}.{n:06}Z", "channel": leg}
        for n in range(n)
        for kind in kinds
    ]
    return "\n".join(map(json.dumps, told)).encode()


def livechat(n: int) -> bytes:
    """Return a chat in which many more were than wrote, and of nobody is said that she is the customer."""
    users = [{"id": f"{each}", "type": "agent"} for each in range(20 * n)]
    said = [{"id": f"e{each}", "type": "message", "author_id": "9" * 9} for each in range(n)]
    chat = {"id": "c", "users": users, "thread": {"id": "t", "events": said}}
    return json.dumps({"action": "incoming_chat", "payload": {"chat": chat}}).encode()


LONG: dict[str, tuple[str, Callable[[int], bytes]]] = {
    "livechat": ("livechat", livechat),
    "whatsapp": ("whatsapp", whatsapp),
    "messenger": ("messenger", messenger),
    "telegram": ("telegram", telegram),
    "sms": ("sms", lambda n: json.dumps([of_bandwidth(each) for each in range(n)]).encode()),
    "calls": ("asterisk", lambda n: "\r\n".join(map(block, range(n))).encode()),
    "legs": ("asterisk", joined_legs),
    "chain": ("asterisk", chained_legs),
    "one call": ("asterisk", one_call),
    "recipients": ("email", bounced),
    "references": (
        "email",
        lambda n: b"From: a@x.example\nReferences:" + b" <a@b>" * n + b"\n\nx\n",
    ),
    "form": ("form", lambda n: urlencode({f"f{each}": "x" for each in range(n)}).encode()),
}


def steps(channel: str, body: bytes) -> int:
    """Return how many functions, lines and resumed generators reading a delivery takes."""
    count = 0

    def trace(*_: Any) -> Any:
        nonlocal count
        count += 1
        return trace

    delivery = raw(channel, body)
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        outcome.reports_of(delivery, CHANNELS[channel].parse(delivery))
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("name", LONG)
def test_what_is_twice_as_long_takes_about_twice_the_steps(name: str) -> None:
    """Counted, not timed: a search through a list for each thing in it would take four times as many."""
    channel, body = LONG[name]
    steps(channel, body(4))
    some, twice = steps(channel, body(100)), steps(channel, body(200))
    assert twice <= 2.5 * some
