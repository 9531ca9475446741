"""JSON of providers, read loosely: what is of another kind than its documents say is none, and costs nothing else.

Ids come as numbers or as texts, and are texts here: a number of 64 bits loses its last digits in many a reader.
"""

from datetime import UTC, datetime
from typing import Any

import msgspec

from services.ingest.domain import charsets, texts
from shared import ids, strict

ID_MAX_CHARACTERS = 128
SECONDS_MAX = 4_102_444_800
"""2100-01-01: a larger number counts something else than seconds since 1970."""
MILLISECONDS = 1_000

_json: msgspec.json.Decoder[Any] = msgspec.json.Decoder()


def read(body: bytes) -> Any:
    """Return what a body says. Raises: as `codec.UNREADABLE`, also for an object that has a name twice."""
    return strict.read_json(texts.whole_json(charsets.decode(body)), _json)


def table(found: Any) -> dict[str, Any]:
    """Return an object; an empty one for anything else."""
    return found if isinstance(found, dict) else {}


def tables(found: Any) -> list[dict[str, Any]]:
    """Return the objects of a list, in order; [] for anything else."""
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def text(found: Any) -> str:
    """Return a text; an empty one for anything else."""
    return found if isinstance(found, str) else ""


def whole(found: Any) -> int | None:
    """Return a whole number that is not negative, also one written as a text; `None` for anything else."""
    if isinstance(found, str) and found.isascii() and found.isdigit() and len(found) < 20:
        found = int(found)
    return found if type(found) is int and 0 <= found < 2**63 else None


def identity(found: Any) -> str | None:
    """Return an id as a text; of an endless one, or one that no store keeps, its hash; `None` for what is none."""
    if type(found) is int:
        found = str(found)
    if not isinstance(found, str) or not found:
        return None
    fits = (
        len(found) <= ID_MAX_CHARACTERS and found.isprintable() and texts.REPLACEMENT not in found
    )
    return found if fits else ids.body_sha256(texts.clean(found).encode())


def instant(found: Any, per_second: int = 1) -> datetime | None:
    """Return a time since 1970, counted in seconds or parts of them; `None` for what is none.

    Parts of seconds that would lie in the first weeks of 1970 are whole seconds: some programs send them instead.
    """
    counted = whole(found)
    per_second = 1 if counted and counted < SECONDS_MAX else per_second
    if not counted or counted >= SECONDS_MAX * per_second:
        return None
    return datetime.fromtimestamp(counted // per_second, UTC).replace(
        microsecond=counted % per_second * (1_000_000 // per_second)
    )
