"""What the tests of the Graph API's webhooks share: deliveries signed as Meta signs them, in any order and number."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from hypothesis import strategies as st

from services.ingest.channels import CHANNELS
from services.ingest.domain.outcome import reports_of
from tests.ingest.running_ingest import GOLDEN, raw, wire


def by_graph(secret: str, body: bytes) -> dict[str, str]:
    """The header field of a webhook of the Graph API."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"x-hub-signature-256": f"sha256={digest}"}


def golden(name: str) -> bytes:
    return (GOLDEN / f"{name}.json").read_bytes()


def told(channel: str, deliveries: Sequence[Any]) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """What the deliveries of a channel report: id -> routing key and event, without where and when it was stored."""
    found: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for sequence, each in enumerate(deliveries, 1):
        delivery = raw(channel, msgspec.json.encode(each), sequence=sequence)
        for key, event in reports_of(delivery, CHANNELS[channel].parse(delivery)):
            written = wire(event)
            found.setdefault(event.id, (key, {k: v for k, v in written.items() if k != "rawref"}))
    return found


def one_by_one(delivery: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The same, with one element per delivery."""
    return [
        {"object": delivery["object"], "entry": [{"id": entry["id"], name: [each]}]}
        for entry in delivery["entry"]
        for name, listed in entry.items()
        if isinstance(listed, list)
        for each in listed
    ]


def shaken(deliveries: Sequence[Any]) -> st.SearchStrategy[list[Any]]:
    """The deliveries in another order, some of them several times."""
    twice = st.lists(st.sampled_from(list(deliveries)), max_size=len(deliveries))
    return twice.flatmap(lambda again: st.permutations([*deliveries, *again]))


def batched(deliveries: Sequence[Any], size: int) -> list[dict[str, Any]]:
    """Several deliveries as one: the provider gathers what happens at the same time."""
    return [
        {
            "object": deliveries[0]["object"],
            "entry": [entry for each in deliveries[k : k + size] for entry in each["entry"]],
        }
        for k in range(0, len(deliveries), size)
    ]
