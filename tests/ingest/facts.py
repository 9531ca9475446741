"""What deliveries come to, in whatever order and however often they are made."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from services.ingest.channels import CHANNELS
from services.ingest.domain.outcome import reports_of
from tests.ingest.running_ingest import RECEIVED, raw


def told_of(reference: str, account: str) -> list[dict[str, object]]:
    """Return the handles of somebody in a chat of a provider, as they stand on the wire."""
    return [
        {"kind": "reference", "value": reference, "verified": False, "proof": None},
        {"kind": "account", "value": account, "verified": True, "proof": "proved"},
    ]


def facts(channel: str, bodies: Sequence[bytes]) -> dict[str, tuple[Any, ...]]:
    """Return the events of deliveries by their ids, each as it was told: the first one of an id is kept."""
    found: dict[str, tuple[Any, ...]] = {}
    for position, body in enumerate(bodies):
        received = RECEIVED + timedelta(seconds=7 * position)
        delivery = replace(raw(channel, body, sequence=position + 1), received=received)
        for key, event in reports_of(delivery, CHANNELS[channel].parse(delivery)):
            told = (key, event.type, event.open, event.personal)
            assert found.setdefault(event.id, told) == told
    return found


def disorder(bodies: Sequence[bytes]) -> st.SearchStrategy[list[bytes]]:
    """Draw an order of deliveries in which each comes at least once, and some again."""
    again = st.lists(st.sampled_from(list(bodies)), max_size=len(bodies))
    return again.flatmap(lambda more: st.permutations([*bodies, *more]))
