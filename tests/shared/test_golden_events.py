"""One golden sample per event type: written once, never made again, readable for ever."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from shared.codec import PlainCodec, decode, encode
from shared.errors import EventTypeUnknown, NotAnEvent
from shared.events import event_types

GOLDEN = Path(__file__).parent.parent / "golden" / "events"
TYPES = sorted(event_types())


def sample(name: str) -> bytes:
    return (GOLDEN / f"{name}.json").read_bytes()


def as_json(body: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(body)
    return found


def reduced(value: Any, like: Any) -> Any:
    """Return `value` without the keys that `like` does not have: fields that came later."""
    if isinstance(value, dict) and isinstance(like, dict):
        return {key: reduced(each, like[key]) for key, each in value.items() if key in like}
    if isinstance(value, list) and isinstance(like, list) and len(value) == len(like):
        return [reduced(one, other) for one, other in zip(value, like, strict=True)]
    return value


def test_every_event_type_has_its_sample() -> None:
    """A new type comes with a sample, and no sample is ever dropped."""
    assert {path.stem for path in GOLDEN.iterdir()} == set(TYPES)


@pytest.mark.parametrize("name", TYPES)
def test_a_sample_reads_and_writes_to_the_same_bytes(name: str) -> None:
    """Whatever was added since, what stood in it stands there unchanged, in the same order."""
    event = decode(sample(name))
    assert (type(event), event.type) == (event_types()[name], name)
    again = reduced(as_json(encode(event)), as_json(sample(name)))
    assert json.dumps(again, ensure_ascii=False, separators=(",", ":")).encode() == sample(name)


@pytest.mark.parametrize("name", TYPES)
def test_a_sample_is_a_cloud_event(name: str) -> None:
    """CloudEvents 1.0 in JSON, as another implementation reads and checks it."""
    event, body = JSONFormat().read(CloudEvent, sample(name)), as_json(sample(name))
    assert (event.get_specversion(), event.get_type(), event.get_id()) == ("1.0", name, body["id"])
    assert event.get_data() == body["data"]
    assert event.get_subject() == body["subject"]
    assert event.get_extension("tenant") == "demo"


@pytest.mark.parametrize("name", TYPES)
def test_a_field_of_a_newer_version_is_passed_over(name: str) -> None:
    """In the envelope and in both parts: an older reader goes on reading."""
    body = as_json(sample(name))
    body["newer"] = {"deep": [1]}
    body["data"]["newer"] = 1
    for part in body["data"].values():
        if isinstance(part, dict):
            part["newer"] = "x"
    assert encode(decode(msgspec.json.encode(body))) == encode(decode(sample(name)))


@pytest.mark.parametrize("name", TYPES)
def test_a_field_that_may_be_missing_may_be_missing(name: str) -> None:
    """Optional fields were added later than the first samples: without them an event still reads."""
    full = decode(sample(name))
    body = _without_optional(as_json(sample(name)), full)
    assert decode(msgspec.json.encode(body)).id == full.id


@pytest.mark.parametrize("name", TYPES)
def test_an_erased_event_reads(name: str) -> None:
    """Without its personal part, after the key was destroyed."""
    body = as_json(sample(name))
    body["data"]["personal"] = None
    assert decode(msgspec.json.encode(body)).personal is None


def _without_optional(value: Any, struct: Any) -> Any:
    if not isinstance(struct, msgspec.Struct):
        return value
    names = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    return {
        key: each if key not in names else _without_optional(each, getattr(struct, names[key].name))
        for key, each in value.items()
        if key not in names or names[key].required
    }


@pytest.mark.parametrize("type_name", ["conversation.dreamt_of", "transfer.accepted.v2", ""])
async def test_an_unknown_type_is_known_to_be_unknown(type_name: str) -> None:
    """It waits for a reader that knows it: retryable, and it names the type."""
    body = msgspec.json.encode({**as_json(sample("contact.accepted")), "type": type_name})
    with pytest.raises(EventTypeUnknown) as refusal:
        await PlainCodec().unseal([body])
    assert refusal.value.details == {"type": type_name}
    assert refusal.value.retryable


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\0",
        b"null",
        b"[]",
        b"{}",
        b'"contact.accepted"',
        b"\xff\xfe\x00",
        b'{"type":"contact.accepted","specversion":"1.0"}',
        b'{"type":"contact.accepted","specversion":"0.3"}',
        b'{"type":"unheard.of","specversion":"0.3"}',
        b'{"type":7,"specversion":"1.0"}',
        b'{"type":"\xff","specversion":"1.0"}',
        b"[" * 100_000,
    ],
)
async def test_what_is_no_event_is_refused(body: bytes) -> None:
    """Garbage of any kind: the same error, not retryable."""
    with pytest.raises(NotAnEvent) as refusal:
        await PlainCodec().unseal([body])
    assert not refusal.value.retryable


def test_a_time_without_a_zone_is_no_event() -> None:
    """An instant has a zone."""
    body = {**as_json(sample("contact.accepted")), "time": "2026-11-22T09:29:30"}
    with pytest.raises(NotAnEvent):
        decode(msgspec.json.encode(body))
