"""Odd values in every field of every shape of text messages: read, ignored or kept, and the bus takes it."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.channels import sms
from services.ingest.domain.outcome import reports_of
from shared import codec
from tests.ingest.running_ingest import GOLDEN, form_body, parsed, raw

EVENT_MAX_BYTES = 256 * 1024
BIG = "9" * 5_000
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=40),
    st.sampled_from(
        [
            "",
            "\x00",
            "0001-01-01T00:00:00+14:00",
            "9999-12-31T23:59:59-14:00",
            "99999999999",
            BIG,
            "whatsapp:",
            ":",
            "+",
            "ż" * 200_000,
            "received",
            "1,2,,3",
        ]
    ),
    st.lists(st.none(), max_size=3),
    st.dictionaries(st.text(max_size=3), st.none(), max_size=2),
)
_LISTED = """
MessageSid SmsSid MessageStatus SmsStatus From To Body NumMedia MediaUrl0 MediaContentType0 MediaUrl31 OptOutType
ProfileName Latitude ErrorCode Timestamp sms_from sms_text sms_date MsgId status idx donedate to data message type
id direction applicationId time errorCode media text from
"""
NAMES = _LISTED.split()
FIELDS = st.dictionaries(st.sampled_from(NAMES), ODD, max_size=6)
EVENTS = msgspec.json.decode((GOLDEN / "bandwidth_events.json").read_bytes()) + msgspec.json.decode(
    (GOLDEN / "sms_events.json").read_bytes()
)


def fits(body: bytes, path: str | None = None) -> None:
    """Parse, and encode what is reported."""
    delivery = raw("sms", body, path=path)
    for key, event in reports_of(delivery, sms.parse(delivery)):
        written = codec.encode(event)
        assert len(written) < EVENT_MAX_BYTES
        assert codec.decode(written) == event
        assert key


@given(fields=FIELDS, base=st.sampled_from(["MessageSid", "sms_from", "MsgId", "direction"]))
def test_odd_fields_of_one_delivery(fields: dict[str, Any], base: str) -> None:
    """As JSON, as a form, and in a list beside a good one."""
    given_ = {base: "x", "status": "404", "applicationId": "a", **fields}
    fits(msgspec.json.encode(given_))
    fits(msgspec.json.encode([given_, *EVENTS]))
    fits(form_body(**{name: str(value) for name, value in given_.items()}))


@given(place=st.integers(0, len(EVENTS) - 1), inner=st.booleans(), fields=FIELDS)
def test_odd_fields_of_an_event(place: int, inner: bool, fields: dict[str, Any]) -> None:  # noqa: FBT001  drawn
    """Around its message and in it: the others of the list are read all the same."""
    event = dict(EVENTS[place])
    name = "message" if "message" in event else "data"
    changed = {**event, name: {**event[name], **fields}} if inner else {**event, **fields}
    others = [each for number, each in enumerate(EVENTS) if number != place]
    found = parsed(raw("sms", msgspec.json.encode([changed, *others])))
    known = {each.id for each in parsed(raw("sms", msgspec.json.encode(others)))}
    assert known <= {each.id for each in found}
    fits(msgspec.json.encode([changed]))


@given(reference=st.text(max_size=80))
def test_any_reference_in_the_address(reference: str) -> None:
    """Only ours leads to a message."""
    path = f"/in/demo/sms/main?m={reference}&&m"
    fits(form_body(MessageSid="SM1", MessageStatus="sent"), path)


@pytest.mark.parametrize("body", [b'{"MessageSid": ' + BIG.encode() + b"}", b"[" * 5_000])
def test_what_a_reader_could_stumble_on(body: bytes) -> None:
    """A number that is too long to be one, and brackets without end."""
    fits(body)
