"""What every channel owes, whatever it carries: one suite over all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.channels import CHANNELS
from services.ingest.domain.delivery import RawDelivery, WebRequest
from services.ingest.domain.outcome import Ignored, Parsed, Quarantined, Reported, reports_of
from shared import codec
from shared.errors import SignatureInvalid
from shared.events import ContactEvent, event_types
from tests.ingest.running_ingest import GOLDEN, RECEIVED, RULES, SECRET, called, raw, signed

ROOT = Path(__file__).resolve().parents[2]
PUBLIC = "https://doors.shop.example"
JSON = [("content-type", "application/json")]


@dataclass(frozen=True)
class Sample:
    """A good delivery of a channel. `sign`: its header fields, for a secret and a body."""

    channel: str
    body: bytes
    sign: Callable[[str, bytes], dict[str, str]]
    headers: Sequence[tuple[str, str]] = field(default_factory=list)


def by_webhook(secret: str, body: bytes) -> dict[str, str]:
    return signed(secret, body, at=RECEIVED)


def by_twilio(secret: str, body: bytes) -> dict[str, str]:
    fields = dict(pair.split("=", 1) for pair in body.decode().split("&"))
    return called(secret, f"{PUBLIC}/in/demo/twilio_voice/main", fields)


SAMPLES = {
    sample.channel: sample
    for sample in (
        Sample("twilio_voice", b"CallSid=CA1&CallStatus=ringing", by_twilio),
        Sample("chat", b'{"session":"s","id":"m","text":"hello"}', by_webhook),
        Sample("email", (GOLDEN / "reply.eml").read_bytes(), by_webhook),
        Sample("form", b'{"message":"hello","submission_id":"f"}', by_webhook, JSON),
    )
}


def reported(delivery: RawDelivery, outcome: Parsed) -> list[ContactEvent]:
    return [event for _, event in reports_of(delivery, outcome)]


each_channel = pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES.keys())


def accepted(sample: Sample, headers: dict[str, str], *, body: bytes | None = None) -> bool:
    request = WebRequest(
        "POST",
        f"/in/demo/{sample.channel}/main",
        list(headers.items()),
        sample.body if body is None else body,
        RECEIVED,
    )
    try:
        CHANNELS[sample.channel].verify(request, {"signing": SECRET}, PUBLIC)
    except SignatureInvalid:
        return False
    return True


def test_every_channel_has_a_sample_and_a_row_in_the_how_to() -> None:
    """A channel without golden payload or without a line for integrators does not exist."""
    how_to = (ROOT / "docs" / "how-to" / "add-a-channel.md").read_text()
    assert set(CHANNELS) == set(SAMPLES) == set(RULES)
    assert [name for name in CHANNELS if f"| `{name}` |" not in how_to] == []


@each_channel
def test_the_table_of_kinds_names_our_event_types(sample: Sample) -> None:
    """What the provider calls something leads to a type of ours, or is ignored by name."""
    kinds = CHANNELS[sample.channel].KINDS
    assert set(kinds.values()) <= {*event_types(), "ignored"}


@each_channel
def test_every_event_says_how_the_customer_comes(sample: Sample) -> None:
    """Rules look at the medium; all events of a channel have the one that its file says."""
    delivery = raw(sample.channel, sample.body, headers=sample.headers)
    channel = CHANNELS[sample.channel]
    media = {event.open.medium for event in reported(delivery, channel.parse(delivery))}  # type: ignore[union-attr]
    assert media == {channel.MEDIUM}


@each_channel
def test_a_signed_delivery_is_taken(sample: Sample) -> None:
    """The provider's own signature opens the door."""
    assert accepted(sample, sample.sign(SECRET, sample.body))


@each_channel
def test_a_missing_or_forged_signature_is_refused(sample: Sample) -> None:
    """No signature, another secret, another body: each is refused."""
    good = sample.sign(SECRET, sample.body)
    assert not accepted(sample, {})
    assert not accepted(sample, dict.fromkeys(good, ""))
    assert not accepted(sample, sample.sign("another secret", sample.body))
    assert not accepted(sample, good, body=sample.body + b"&x=1")
    assert not accepted(sample, {name: value[:-4] + "AAA=" for name, value in good.items()})


@each_channel
def test_the_same_delivery_twice_has_the_same_ids(sample: Sample) -> None:
    """A repeat is stored at another position of RAW and is still the same fact."""
    first, again = (
        reports_of(delivery, CHANNELS[sample.channel].parse(delivery))
        for delivery in (
            raw(sample.channel, sample.body, headers=sample.headers, sequence=sequence)
            for sequence in (7, 4_711)
        )
    )
    assert [(key, event.id) for key, event in first] == [(key, event.id) for key, event in again]
    assert [event.raw for _, event in first] != [event.raw for _, event in again]


@each_channel
def test_parsing_again_gives_the_same_bytes(sample: Sample) -> None:
    """An event is made of the stored delivery alone: no clock, no chance."""
    delivery = raw(sample.channel, sample.body, headers=sample.headers)
    first, again = (reported(delivery, CHANNELS[sample.channel].parse(delivery)) for _ in range(2))
    assert [codec.encode(event) for event in first] == [codec.encode(event) for event in again]


@each_channel
def test_another_account_has_other_ids(sample: Sample) -> None:
    """Keys are scoped by tenant and account: two shops may use the same numbers."""
    delivery = raw(sample.channel, sample.body, headers=sample.headers)
    found = []
    for changed in ({}, {"tenant": "other"}, {"account": "other"}):
        fields = {name: getattr(delivery, name) for name in delivery.__slots__} | changed
        events = reported(delivery, CHANNELS[sample.channel].parse(type(delivery)(**fields)))
        found.append((events[0].id, events[0].aggregate))
    assert len({event_id for event_id, _ in found}) == 3
    assert len({aggregate for _, aggregate in found}) == 3


@each_channel
@given(body=st.one_of(st.binary(max_size=400), st.text(max_size=200).map(str.encode)))
def test_no_body_makes_a_channel_fail(sample: Sample, body: bytes) -> None:
    """Anything at all becomes events, is ignored, or is quarantined, and can be written to the bus."""
    delivery = raw(sample.channel, body)
    outcome = CHANNELS[sample.channel].parse(delivery)
    assert isinstance(outcome, Reported | Ignored | Quarantined)
    events = reported(delivery, outcome)
    for event in events:
        assert codec.decode(codec.encode(event)) == event


@each_channel
@given(data=st.data())
def test_no_damage_to_a_delivery_makes_a_channel_fail(sample: Sample, data: st.DataObject) -> None:
    """A delivery with bytes changed, lost or doubled is read or quarantined."""
    body = bytearray(sample.body)
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(body)))
        body[position : position + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))
    delivery = raw(sample.channel, bytes(body), headers=sample.headers)
    events = reported(delivery, CHANNELS[sample.channel].parse(delivery))
    assert all(b"\\u0000" not in codec.encode(event) for event in events)


@each_channel
def test_a_quarantined_delivery_is_recorded_once_per_body(sample: Sample) -> None:
    """Its event names channel, account and code, and its id is that of the body."""
    first, again, other = (
        reported(delivery, Quarantined("payload.unreadable"))[0]
        for delivery in (
            raw(sample.channel, b"\xff", sequence=1),
            raw(sample.channel, b"\xff", sequence=2),
            raw(sample.channel, b"\xfe", sequence=3),
        )
    )
    assert first.id == again.id != other.id
    assert msgspec.to_builtins(first.open) == {
        "channel": sample.channel,
        "account": "main",
        "code": "payload.unreadable",
        "kind": None,
    }
    assert first.aggregate == f"chan-{sample.channel}-main"
