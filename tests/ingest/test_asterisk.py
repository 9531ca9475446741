"""Calls of an Asterisk exchange, by its manager's events and by those of its REST interface."""

import itertools
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.channels import asterisk
from services.ingest.domain.outcome import Ignored, Quarantined
from shared import ids
from tests.ingest.running_ingest import GOLDEN, Sample, by_webhook, parsed, raw, wire

QUEUE_CALL = (GOLDEN / "asterisk_queue_call.ami").read_bytes()
STASIS_CALL = (GOLDEN / "asterisk_stasis_call.jsonl").read_bytes()
BLOCKS = [block for block in re.split(rb"(?<=\r\n\r\n)", QUEUE_CALL) if block]
CALL = "1795340000.40"
RECORDING = "/var/spool/asterisk/monitor/1795340000.40.wav"


def block(event: str, leg: str = "40", **fields: str) -> bytes:
    """One event of the manager about a leg of the call."""
    about = {"Event": event, "Uniqueid": f"1795340000.{leg}", "Linkedid": CALL, **fields}
    return ("".join(f"{name}: {value}\r\n" for name, value in about.items()) + "\r\n").encode()


CALLER = {"CallerIDNum": "+48600100200", "CallerIDName": "Anna Nowak"}
SAMPLE = Sample(block("Newchannel", Exten="221234567", **CALLER), by_webhook)


def told(body: bytes) -> list[tuple[str, str]]:
    """What the events of a delivery are, and what names them."""
    return [(event.type, event.open.provider_id) for event in parsed(raw("asterisk", body))]


def seconds(event: Any) -> float:
    return float(event.open.provider_time.timestamp())


def test_a_call_through_a_queue_is_told_by_its_events() -> None:
    """Two legs, one contact: ringing, answer, digits, recording, hold, transfer, end, each once and with its time."""
    events = parsed(raw("asterisk", QUEUE_CALL))
    assert [(event.type, seconds(event)) for event in events] == [
        ("call.started", 1795340000.25),
        ("call.answered", 1795340000.5),
        ("call.menu_selected", 1795340003.12),
        ("call.recorded", 1795340009.2),
        ("call.held", 1795340020.0),
        ("call.resumed", 1795340030.0),
        ("call.transferred", 1795340040.0),
        ("call.ended", 1795340060.75),
    ]
    started, _, menu, recorded, held, _, passed_on, ended = events
    assert len({event.open.contact_id for event in events}) == 1
    assert (started.open.dialled, menu.open.digits, passed_on.personal.to) == (
        "221234567",
        "2",
        "202",
    )
    assert held.open.provider_id == f"{CALL}/1795340020.000000"
    (file,) = recorded.personal.files
    assert (file.name, file.media_type, file.source) == (
        "1795340000.40.wav",
        "audio/wav",
        RECORDING,
    )
    assert ended.open.outcome == "completed"


def test_every_field_of_a_call_that_rings() -> None:
    """Of the first leg alone: who calls, what was dialled, when."""
    body = block("Newchannel", Timestamp="1795340000.250000", Exten="221234567", **CALLER)
    (event,) = parsed(raw("asterisk", body))
    contact = ids.scoped_id("contact", "demo", "asterisk/main", CALL)
    assert wire(event) == {
        "type": "call.started",
        "specversion": "1.0",
        "id": ids.contact_event_id("demo", "asterisk", "main", CALL, "call.started"),
        "source": "tellonce/ingest",
        "time": "2026-11-22T09:33:20.250000Z",
        "subject": f"contact-{contact}",
        "dataschema": "urn:tellonce:event:1",
        "datacontenttype": "application/json",
        "tenant": "demo",
        "recordedtime": "2026-11-22T09:30:00.250000Z",
        "actor": "channel:asterisk/main",
        "rawref": f"7:{ids.body_sha256(body)}",
        "data": {
            "open": {
                "contact_id": contact,
                "medium": "call",
                "channel": "asterisk",
                "account": "main",
                "provider_id": CALL,
                "provider_time": "2026-11-22T09:33:20.250000Z",
                "automatic": False,
                "numbered": None,
                "dialled": "221234567",
            },
            "personal": {
                "handles": [
                    {
                        "kind": "reference",
                        "value": f"asterisk/main/{CALL}",
                        "verified": False,
                        "proof": None,
                    },
                    {
                        "kind": "phone",
                        "value": "+48600100200",
                        "verified": False,
                        "proof": "delivered",
                    },
                ],
                "name": "Anna Nowak",
            },
        },
    }


def test_a_call_into_an_application_is_told_by_its_events() -> None:
    """ARI names no call: the agent's leg belongs to it by the bridge, and the bridge's recording too."""
    events = parsed(raw("asterisk", STASIS_CALL))
    assert [event.type for event in events] == [
        "call.started",
        "call.answered",
        "call.menu_selected",
        "call.held",
        "call.resumed",
        "call.recorded",
        "call.ended",
    ]
    assert len({event.open.contact_id for event in events}) == 1
    assert {event.personal.handles[-1].value for event in events} == {"+48600100200"}
    recorded = events[-2]
    assert (recorded.open.provider_id, recorded.open.duration_seconds) == (
        "1795338800.7/call-7",
        21,
    )
    assert recorded.personal.files[0].source == "call-7"
    assert str(events[0].open.provider_time) == "2026-11-22 09:13:20.250000+00:00"


@pytest.mark.parametrize("wrap", [b"[%s]", b"%s\n"])
def test_one_object_and_a_list_of_them_say_the_same(wrap: bytes) -> None:
    """A socket gives an object at a time, a batch is a list."""
    first = STASIS_CALL.splitlines()[0]
    assert told(wrap % first) == told(first) == [("call.started", "1795338800.7")]


def test_a_leg_that_the_exchange_calls_is_no_call_of_a_customer() -> None:
    """An agent's phone by itself, as an application's socket shows it."""
    for line in STASIS_CALL.splitlines():
        about = msgspec.json.decode(line).get("channel", {})
        if about.get("id") == "1795338800.8" and b"Hold" not in line and b"hold" not in line:
            assert isinstance(asterisk.parse(raw("asterisk", line)), Ignored)


@given(cuts=st.sets(st.integers(1, len(BLOCKS) - 1), max_size=6), twice=st.booleans())
def test_however_the_stream_is_cut_the_facts_are_the_same(cuts: set[int], twice: bool) -> None:
    """Deliveries begin and end anywhere between two events, and may come twice."""
    bounds = [0, *sorted(cuts), len(BLOCKS)]
    parts = [b"".join(BLOCKS[a:b]) for a, b in itertools.pairwise(bounds)]
    found = [
        event.id
        for part in (*parts, *(parts if twice else ()))
        if not isinstance(outcome := asterisk.parse(raw("asterisk", part)), Ignored | Quarantined)
        for _, event in outcome.reports
    ]
    assert set(found) == {event.id for event in parsed(raw("asterisk", QUEUE_CALL))}


@pytest.mark.parametrize(
    ("last", "kind", "how"),
    [
        (block("Hangup", ChannelStateDesc="Up", Cause="16"), "call.ended", "completed"),
        (block("Hangup", ChannelStateDesc="Ring", Cause="17"), "call.missed", "busy"),
        (block("Hangup", ChannelStateDesc="Ring", Cause="16"), "call.missed", "canceled"),
        (block("Hangup", ChannelStateDesc="Ring", Cause="0"), "call.missed", "no-answer"),
        (
            block("DialEnd", DialStatus="BUSY") + block("Hangup", ChannelStateDesc="Ring", Cause="0"),
            "call.missed",
            "busy",
        ),
        (block("QueueCallerAbandon", Queue="support"), "call.abandoned", "abandoned"),
        (block("VarSet", Variable="VMSTATUS", Value="SUCCESS"), "call.voicemail_left", "voicemail"),
    ],
)  # fmt: skip
def test_how_a_call_ended(last: bytes, kind: str, how: str) -> None:
    """Connected or not is the state of the caller's leg; why not is the last dialling's word, else the cause."""
    (event,) = parsed(raw("asterisk", last))
    assert (event.type, event.open.outcome) == (kind, how)


AGENT = {"id": "1795340000.41", "state": "Up", "caller": {"name": "Ewa", "number": "201"}}
ANNA = {"id": CALL, "state": "Up", "caller": {"name": "Anna Nowak", "number": "+48600100200"}}
PASSED_ON = {f"Transferee{name}": value for name, value in CALLER.items()}


@pytest.mark.parametrize(
    "body",
    [
        block("BlindTransfer", Uniqueid="", TransfereeUniqueid=CALL, Extension="205", **PASSED_ON),
        block("AttendedTransfer", Uniqueid="", TransfereeUniqueid=CALL, Exten="205", **PASSED_ON),
        msgspec.json.encode(
            {"type": "BridgeBlindTransfer", "channel": AGENT, "transferee": ANNA, "exten": "205"}
        ),
    ],
)
def test_who_is_passed_on_is_known_by_her_own_leg(body: bytes) -> None:
    """Though nothing else is told of the call, and beside her leg stands that of the agent who passes her on."""
    (event,) = parsed(raw("asterisk", body))
    assert (event.type, event.personal.to, event.personal.name) == (
        "call.transferred",
        "205",
        "Anna Nowak",
    )
    assert event.personal.handles[-1].value == "+48600100200"


@pytest.mark.parametrize(
    "body",
    [
        block("Newchannel", leg="41", ChannelStateDesc="Down"),
        block("Newstate", leg="41", ChannelStateDesc="Up"),
        block("Newstate", ChannelStateDesc="Ringing"),
        block("Hangup", leg="41", ChannelStateDesc="Up", Cause="16"),
        block("DTMFEnd", leg="41", Digit="1"),
        block("DTMFEnd", Digit="A"),
        block("DTMFEnd", Digit="1", Direction="Sent"),
        block("BlindTransfer", Result="Fail"),
        block("VarSet", Variable="VMSTATUS", Value="USEREXIT"),
        block("VarSet", Variable="MIXMONITOR_FILENAME", Value=""),
        block("VarSet", Variable="DIALSTATUS", Value="ANSWER"),
        block("MyOwnImaginaryEvent"),
        block("Newchannel", CallerIDNum="201", Exten="*12"),
        b"Event: PeerStatus\r\nPeer: PJSIP/201\r\n\r\n",
        b"Response: Success\r\nMessage: Authentication accepted\r\n\r\n",
        b'{"type": "DeviceStateChanged", "device_state": {"name": "PJSIP/201"}}',
    ],
)
def test_what_says_nothing_of_a_customers_call_is_ignored(body: bytes) -> None:
    """Other legs, an agent's keys, other states, extensions that call, and events that nobody knows."""
    assert isinstance(asterisk.parse(raw("asterisk", body)), Ignored)


def test_who_hands_over_may_say_what_is_gone_and_when_nobody_listened() -> None:
    """In the exchange's own grammar; a time that is none, or runs backwards, is no gap."""
    call = block("Newchannel", **CALLER)
    gap = b"Event: TellonceGap\r\nSince: %s\r\nUntil: 2026-11-22T09:30:00+00:00\r\n\r\n"
    gone = block("TellonceGone", Timestamp="2026-11-22T09:30:00+00:00")
    body = call + gap % b"2026-11-22T09:00:00+00:00" + gone
    started, interrupted, ended = parsed(raw("asterisk", body))
    assert [started.type, interrupted.type, ended.type] == [
        "call.started",
        "channel.interrupted",
        "call.ended",
    ]
    assert (ended.open.outcome, str(ended.open.provider_time)) == (
        "lost-sight",
        "2026-11-22 09:30:00+00:00",
    )
    assert interrupted.aggregate == "chan-asterisk-main"
    for since in (b"yesterday", b"2026-11-22T09:30:00", b"2026-11-22T10:00:00+00:00"):
        assert isinstance(asterisk.parse(raw("asterisk", gap % since)), Ignored)


def test_what_was_told_before_is_only_read() -> None:
    """It says whose call it is; its events have been told."""
    inside = block("Newchannel", CallerIDNum="201", Exten="202") + before()
    assert isinstance(asterisk.parse(raw("asterisk", inside + block("Hold", leg="41"))), Ignored)
    customers = block("Newchannel", **CALLER) + block("DialEnd", DialStatus="BUSY") + before()
    ((kind, _),) = told(customers + block("Hangup", ChannelStateDesc="Ring", Cause="16"))
    assert kind == "call.missed"


def before() -> bytes:
    """The record behind what was told before."""
    return b"Event: TellonceBefore\r\n\r\n"


def test_a_recording_is_told_when_its_leg_ends_where_we_listened() -> None:
    """Its file is whole then; who hands over in pieces tells it when it begins, for nobody knows the rest."""
    begun = block("VarSet", leg="41", Variable="MIXMONITOR_FILENAME", Value=RECORDING)
    path = "pbx:/more"
    assert isinstance(asterisk.parse(raw("asterisk", begun, path=path)), Ignored)
    (recorded,) = parsed(raw("asterisk", begun + before() + block("Hangup", leg="41"), path=path))
    assert recorded.personal.files[0].source == RECORDING
    assert [kind for kind, _ in told(begun)] == ["call.recorded"]


def test_older_exchanges_are_read_too() -> None:
    """Before version 12: no `Linkedid`, the legs are joined by `Dial`, a hold has a status."""
    body = (
        b"Event: Newchannel\nUniqueid: pbx-1795340000.1\nCallerIDNum: +48600100200\n\n"
        b"Event: Newchannel\nUniqueid: pbx-1795340000.2\nCallerIDNum: \n\n"
        b"Event: Dial\nSubEvent: Begin\nUniqueID: pbx-1795340000.1\nDestUniqueID: pbx-1795340000.2\n\n"
        b"Event: Newstate\nUniqueid: pbx-1795340000.1\nChannelStateDesc: Up\n\n"
        b"Event: Hold\nUniqueid: pbx-1795340000.2\nStatus: Off\n\n"
        b"Event: Hangup\nUniqueid: pbx-1795340000.1\nCause: 16\n\n"
    )
    events = parsed(raw("asterisk", body))
    assert [event.type for event in events] == [
        "call.started",
        "call.answered",
        "call.resumed",
        "call.ended",
    ]
    assert len({event.open.contact_id for event in events}) == 1
    assert seconds(events[0]) == 1795340000.0


def test_a_caller_who_withholds_her_number_has_none() -> None:
    """The call's reference is her only handle."""
    (event,) = parsed(raw("asterisk", block("Newchannel", CallerIDNum="anonymous")))
    assert [handle.kind for handle in event.personal.handles] == ["reference"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "payload.unreadable"),
        (b"hello", "payload.unreadable"),
        (b'{"type": ', "payload.unreadable"),
        (b'{"apiVersion": "2.0.0"}', "payload.not_an_event"),
        (b"[]", "payload.not_an_event"),
        (b'{"type": 7}', "payload.not_an_event"),
    ],
)
def test_what_is_no_event_of_an_exchange_says_so(body: bytes, code: str) -> None:
    """It is quarantined: nothing of it can be read, or it can be read and is none."""
    assert asterisk.parse(raw("asterisk", body)) == Quarantined(code)


@given(
    lines=st.lists(
        st.tuples(
            st.sampled_from(["Event", "Uniqueid", "Linkedid", "DestUniqueid", "Channel", "Timestamp", "Digit", ""]),
            st.sampled_from(["Newchannel", "Hangup", "1.1", "1.2", "Local/a;1", "Local/a;2", "9" * 40, "\x00"]),
        ),
        max_size=40,
    )
)  # fmt: skip
def test_no_block_makes_it_fail(lines: list[tuple[str, str]]) -> None:
    """Any fields in any order, with any values, are read, ignored or quarantined."""
    body = "".join(f"{name}: {value}\n" for name, value in lines)
    asterisk.parse(raw("asterisk", body.encode(errors="surrogatepass")))
