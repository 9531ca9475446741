"""Comparing how a stream or consumer is with how it has to be, and one filter with another. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

Config = Mapping[str, Any]

KEEPS_EVERYTHING: Config = {
    "max_msgs": -1,
    "max_bytes": -1,
    "max_msgs_per_subject": -1,
    "no_ack": False,
    "sealed": False,
    "mirror": None,
    "sources": None,
    "subject_transform": None,
    "republish": None,
    "persist_mode": None,
}
"""How the server leaves what a stream's configuration does not name, and how it has to stay: otherwise messages would
be dropped, changed or added, or lost after they were acknowledged."""
GIVES_EVERYTHING: Config = {
    "pause_until": None,
    "headers_only": False,
    "backoff": None,
    "inactive_threshold": 0,
    "mem_storage": False,
    "replay_policy": "instant",
    "max_batch": 0,
    "max_expires": 0,
    "max_bytes": 0,
    "priority_groups": None,
}
"""Likewise of a consumer: otherwise messages would be held back or emptied, or its position forgotten."""


def drift(wanted: Config, actual: Config, *, ignored: frozenset[str] = frozenset()) -> list[str]:
    """Return the names of the fields of `wanted` that `actual` has otherwise."""
    return [
        field
        for field, value in wanted.items()
        if field not in ignored and actual.get(field, _absent(value)) != value
    ]


def _absent(value: object) -> object:
    """The server leaves out what is zero or empty."""
    return False if isinstance(value, bool) else 0 if isinstance(value, int) else None


def covers(wide: str, narrow: str) -> bool:
    """Tell whether a filter gives everything that another one gives."""
    given, asked = wide.split("."), narrow.split(".")
    if given[-1] == ">" and len(asked) >= len(given):
        given, asked = given[:-1], asked[: len(given) - 1]
    pairs = list(zip(given, asked, strict=False))
    return len(given) == len(asked) and all(w in {"*", n} and n != ">" for w, n in pairs)


def covered(narrow: set[str], wide: set[str]) -> bool:
    return all(any(covers(w, n) for w in wide) for n in narrow)


def widest(filters: set[str]) -> set[str]:
    """Return the filters that no other one covers: the server takes none that overlap."""
    return {each for each in filters if not covered({each}, filters - {each})}


def matching(filters: Iterable[str]) -> dict[str, object]:
    """Return `filter_subject` for one filter, `filter_subjects` for several: the server knows them apart."""
    several = sorted(filters)
    return {"filter_subject": several[0]} if len(several) == 1 else {"filter_subjects": several}


def filters(config: Config) -> set[str]:
    """Return the subjects that a consumer gives; the reverse of `matching`."""
    return {*config.get("filter_subjects", ()), config.get("filter_subject", "")} - {""}
