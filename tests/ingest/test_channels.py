"""What every channel owes, whatever it carries: one suite over all of them."""

import importlib
from dataclasses import replace

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
from tests.ingest.running_ingest import PUBLIC, RECEIVED, SECRET, Sample, raw

SAMPLES: dict[str, Sample] = {
    name: importlib.import_module(f"tests.ingest.test_{name}").SAMPLE for name in CHANNELS
}
"""Each stands in the channel's own test."""


def reported(delivery: RawDelivery, outcome: Parsed) -> list[ContactEvent]:
    return [event for _, event in reports_of(delivery, outcome)]


each_channel = pytest.mark.parametrize(("name", "sample"), SAMPLES.items(), ids=SAMPLES)


def accepted(name: str, headers: dict[str, str], body: bytes) -> bool:
    request = WebRequest("POST", f"/in/demo/{name}/main", list(headers.items()), body, RECEIVED)
    try:
        channel = CHANNELS[name]
        channel.verify(request, dict.fromkeys(channel.SECRETS, SECRET), PUBLIC)
    except SignatureInvalid:
        return False
    return True


@each_channel
def test_the_table_of_kinds_names_our_event_types(name: str, sample: Sample) -> None:
    """What the provider calls something leads to a type of ours, or is ignored by name."""
    kinds = CHANNELS[name].KINDS
    assert set(kinds.values()) <= {*event_types(), "ignored"}


@each_channel
def test_every_event_says_how_the_customer_comes(name: str, sample: Sample) -> None:
    """Rules look at the medium; all events of a channel have the one that its file says."""
    delivery = raw(name, sample.body, headers=sample.headers)
    channel = CHANNELS[name]
    media = {event.open.medium for event in reported(delivery, channel.parse(delivery))}  # type: ignore[union-attr]
    assert media == {channel.MEDIUM}


@each_channel
def test_a_signed_delivery_is_taken(name: str, sample: Sample) -> None:
    """The provider's own signature opens the door."""
    assert accepted(name, *sample.sent(SECRET))


@each_channel
def test_a_missing_or_forged_signature_is_refused(name: str, sample: Sample) -> None:
    """No signature, another secret, another body: each is refused."""
    good, body = sample.sent(SECRET)
    assert not accepted(name, {}, sample.body)
    assert not accepted(name, dict.fromkeys(good, ""), sample.body)
    assert not accepted(name, *sample.sent("another secret"))
    assert accepted(name, good, body + b"&x=1") is not sample.signs_body
    forged = {field: value[:-4] + "AAA=" for field, value in good.items()}
    assert not accepted(name, forged, sample.body)


@each_channel
def test_the_same_delivery_twice_has_the_same_ids(name: str, sample: Sample) -> None:
    """A repeat is stored at another position of RAW and is still the same fact."""
    first, again = (
        reports_of(delivery, CHANNELS[name].parse(delivery))
        for delivery in (
            raw(name, sample.body, headers=sample.headers, sequence=sequence)
            for sequence in (7, 4_711)
        )
    )
    assert [(key, event.id) for key, event in first] == [(key, event.id) for key, event in again]
    assert [event.raw for _, event in first] != [event.raw for _, event in again]


@each_channel
def test_parsing_again_gives_the_same_bytes(name: str, sample: Sample) -> None:
    """An event is made of the stored delivery alone: no clock, no chance."""
    delivery = raw(name, sample.body, headers=sample.headers)
    first, again = (reported(delivery, CHANNELS[name].parse(delivery)) for _ in range(2))
    assert [codec.encode(event) for event in first] == [codec.encode(event) for event in again]


@each_channel
def test_another_account_has_other_ids(name: str, sample: Sample) -> None:
    """Keys are scoped by tenant and account: two shops may use the same numbers."""
    delivery = raw(name, sample.body, headers=sample.headers)
    found = []
    others = [replace(delivery, tenant="other"), replace(delivery, account="other")]
    for each in (delivery, *others):
        events = reported(delivery, CHANNELS[name].parse(each))
        found.append((events[0].id, events[0].aggregate))
    assert len({event_id for event_id, _ in found}) == 3
    assert len({aggregate for _, aggregate in found}) == 3


@each_channel
@given(body=st.one_of(st.binary(max_size=400), st.text(max_size=200).map(str.encode)))
def test_no_body_makes_a_channel_fail(name: str, sample: Sample, body: bytes) -> None:
    """Anything at all becomes events, is ignored, or is quarantined, and can be written to the bus."""
    delivery = raw(name, body)
    outcome = CHANNELS[name].parse(delivery)
    assert isinstance(outcome, Reported | Ignored | Quarantined)
    events = reported(delivery, outcome)
    for event in events:
        assert codec.decode(codec.encode(event)) == event


@each_channel
@given(data=st.data())
def test_no_damage_to_a_delivery_makes_a_channel_fail(
    name: str, sample: Sample, data: st.DataObject
) -> None:
    """A delivery with bytes changed, lost or doubled is read or quarantined."""
    body = bytearray(sample.body)
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(body)))
        body[position : position + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))
    delivery = raw(name, bytes(body), headers=sample.headers)
    events = reported(delivery, CHANNELS[name].parse(delivery))
    assert all(b"\\u0000" not in codec.encode(event) for event in events)


@each_channel
def test_a_quarantined_delivery_is_recorded_once_per_body(name: str, sample: Sample) -> None:
    """Its event names channel, account and code, and its id is that of the body."""
    first, again, other = (
        reported(delivery, Quarantined("payload.unreadable"))[0]
        for delivery in (
            raw(name, b"\xff", sequence=1),
            raw(name, b"\xff", sequence=2),
            raw(name, b"\xfe", sequence=3),
        )
    )
    assert first.id == again.id != other.id
    assert msgspec.to_builtins(first.open) == {
        "channel": name,
        "account": "main",
        "code": "payload.unreadable",
        "kind": None,
        "words": False,
    }
    assert first.aggregate == f"chan-{name}-main"
