"""The doors of the Graph API's channels: the handshake, the signature, and whatever a delivery may hold."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.channels import CHANNELS
from services.ingest.domain.outcome import Ignored, Quarantined, Reported, reports_of
from shared import codec
from tests.ingest.graph_deliveries import by_graph, golden
from tests.ingest.running_ingest import SECRET, RunningIngest, raw
from tests.ingest.test_doors import refused

NAMES = ("messenger", "whatsapp")
WHOLE = {name: msgspec.json.decode(golden(name)) for name in NAMES}
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=6,
)


def places(found: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in a document."""
    listed = (
        found.items()
        if isinstance(found, dict)
        else enumerate(found)
        if isinstance(found, list)
        else ()
    )
    return [before, *(path for key, each in listed for path in places(each, (*before, key)))]


PLACES = {name: places(WHOLE[name])[1:] for name in NAMES}


def changed(found: Any, path: tuple[Any, ...], value: Any) -> Any:
    """The document with another value at a path."""
    if not path:
        return value
    key, *rest = path
    copied = found.copy()
    copied[key] = changed(found[key], tuple(rest), value)
    return copied


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_whatever_stands_at_a_place_it_is_read_or_counted(name: str, data: st.DataObject) -> None:
    """Another type, a number too large, an empty name: never a failure, and what is reported can be stored."""
    path = data.draw(st.sampled_from(PLACES[name]))
    document = changed(WHOLE[name], path, data.draw(ODD))
    delivery = raw(name, msgspec.json.encode(document))
    outcome = CHANNELS[name].parse(delivery)
    assert isinstance(outcome, Reported | Ignored | Quarantined)
    for key, event in reports_of(delivery, outcome):
        assert key
        assert codec.decode(codec.encode(event)) == event


@pytest.mark.parametrize("name", NAMES)
def test_a_long_delivery_is_an_event_that_the_bus_takes(name: str) -> None:
    """Texts, ids and addresses are cut or left out; RAW holds the rest."""
    written = msgspec.json.encode(WHOLE[name]).decode()
    for word in (
        "Where is ORD-1234?",
        "https://cdn.example/b",
        "m_files",
        "invoice.pdf",
        "media-1",
    ):
        delivery = raw(name, written.replace(word, "ż" * 90_000).encode())
        for _, event in reports_of(delivery, CHANNELS[name].parse(delivery)):
            assert len(codec.encode(event)) < 256 * 1024


async def test_the_provider_tries_the_door_and_then_delivers(ingest: RunningIngest) -> None:
    """Its challenge comes back to whoever knows the token; a signed delivery is stored, a forged one is refused."""
    asked = "hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token="
    for name in NAMES:
        door, body = ingest.door(name), golden(name)
        tried = await ingest.http.get(f"{door}?{asked}verify-me")
        assert (tried.status_code, tried.text) == (200, "1158201444")
        assert refused(await ingest.http.get(f"{door}?{asked}guess"), 403, "door.signature_invalid")
        forged = await ingest.http.post(door, content=body, headers=by_graph("another", body))
        assert refused(forged, 403, "door.signature_invalid")
        good = await ingest.http.post(door, content=body, headers=by_graph(SECRET, body))
        assert good.status_code == 204
        assert len(await ingest.raw(name)) == 1
