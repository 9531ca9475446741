"""What a channel reports of a person and what a shop registers of her is one handle."""

import unicodedata
from dataclasses import replace

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as with_fields

from shared import events, handles
from tests.ingest.running_ingest import RULES, form_body, parsed, raw

REGION = "PL"
JSON = [("content-type", "application/json")]
NUMBERS = st.from_regex(r"[5-7][0-9]{8}", fullmatch=True)
ADDRESSES = st.builds(
    "{}@{}.example".format,
    st.text("abAZ09ßżéİσ", min_size=1, max_size=12),
    st.text("abAZ09ßżéς", min_size=1, max_size=12),
)


def reported(
    kind: events.HandleKind, channel: str, body: bytes, region: str | None = REGION
) -> list[str]:
    """The handles of a kind that a channel finds in a body, at an account with a region."""
    rules = with_fields(RULES, region=region)
    (event,) = parsed(replace(raw(channel, body, headers=JSON), rules=rules))
    return [each.value for each in event.personal.handles if each.kind == kind]


def called(number: str) -> bytes:
    return form_body(CallSid="CA1", Direction="inbound", CallStatus="ringing", From=number)


@given(NUMBERS)
def test_who_calls_and_who_is_registered_by_a_number_is_one_person(number: str) -> None:
    """Networks, forms and shops write it in their own ways."""
    spaced = f"{number[:3]} {number[3:6]}-{number[6:]}"
    ways = [number, spaced, f"+48{number}", f"0048{number}", f"+48 {spaced}", f"tel:+48-{number}"]
    for way in ways:
        assert handles.normal("phone", way, REGION) == f"+48{number}"
        assert reported("phone", "form", msgspec.json.encode({"phone": way})) == [f"+48{number}"]
        assert reported("phone", "twilio_voice", called(way)) == [f"+48{number}"]


@given(ADDRESSES)
def test_who_writes_and_who_is_registered_by_an_address_is_one_person(address: str) -> None:
    """A domain may stand in either alphabet, letters composed or not, capitals anywhere."""
    known = handles.normal("email", address)
    ways = [
        address,
        f" {address}",
        f"mailto:{address}",
        unicodedata.normalize("NFD", address),
        known,
    ]
    for way in ways:
        chatted = {"session": "s", "id": "m", "text": "x", "email": way}
        mailed = f"From: Anna <{way.strip().removeprefix('mailto:')}>\r\n\r\nHello".encode()
        assert handles.normal("email", way) == known
        assert reported("email", "form", msgspec.json.encode({"email": way})) == [known]
        assert reported("email", "chat", msgspec.json.encode(chatted)) == [known]
        assert reported("email", "email", mailed) == [known]


def test_without_a_region_a_national_number_is_nobodys() -> None:
    """A country that is guessed would make one person another."""
    assert reported("phone", "form", msgspec.json.encode({"phone": "601234567"}), None) == []
    assert reported("phone", "twilio_voice", called("601234567"), None) == []
