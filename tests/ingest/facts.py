"""What deliveries come to, in whatever order and however often they are made."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from services.ingest.channels import CHANNELS
from services.ingest.domain.outcome import reports_of
from shared import codec, ids
from tests.ingest.running_ingest import RECEIVED, raw

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
"""Any JSON value, for a field of which the provider's documents promise another."""


def told_of(reference: str, account: str) -> list[dict[str, object]]:
    """Return the handles of somebody in a chat of a provider, as they stand on the wire."""
    return [
        {"kind": "reference", "value": reference, "verified": False, "proof": None},
        {"kind": "account", "value": account, "verified": True, "proof": "proved"},
    ]


def told_call(channel: str, call: str, caller: str, **opened: object) -> dict[str, object]:
    """Return what an event tells of a call as it stands on the wire. `opened`: what it has of its own kind."""
    return {
        "open": {
            "contact_id": ids.scoped_id("contact", "demo", f"{channel}/main", call),
            "medium": "call",
            "channel": channel,
            "account": "main",
            "provider_id": call,
            "provider_time": None,
            "automatic": False,
            "numbered": None,
            **opened,
        },
        "personal": {
            "handles": [
                {
                    "kind": "reference",
                    "value": f"{channel}/main/{call}",
                    "verified": False,
                    "proof": None,
                },
                {"kind": "phone", "value": caller, "verified": False, "proof": "delivered"},
            ],
            "name": None,
        },
    }


def facts(channel: str, bodies: Sequence[bytes]) -> dict[str, tuple[Any, ...]]:
    """Return the events of deliveries by their ids, each as it was told; all of them fit the bus."""
    found: dict[str, tuple[Any, ...]] = {}
    for position, body in enumerate(bodies):
        received = RECEIVED + timedelta(seconds=7 * position)
        delivery = replace(raw(channel, body, sequence=position + 1), received=received)
        for key, event in reports_of(delivery, CHANNELS[channel].parse(delivery)):
            assert codec.decode(codec.encode(event)) == event
            told = (key, event.type, event.open, event.personal)
            assert found.setdefault(event.id, told) == told
    return found


def disorder(bodies: Sequence[bytes]) -> st.SearchStrategy[list[bytes]]:
    """Draw an order of deliveries in which each comes at least once, and some again."""
    again = st.lists(st.sampled_from(list(bodies)), max_size=len(bodies))
    return again.flatmap(lambda more: st.permutations([*bodies, *more]))
