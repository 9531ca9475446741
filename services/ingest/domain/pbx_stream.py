"""The event streams of a telephone exchange as records: blocks of `Key: Value` lines, or JSON objects, one or many."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import msgspec

from services.ingest.domain import charsets, texts
from shared import codec, strict

RECORDS_MAX = 20_000
"""So many are read of one delivery: each of them takes memory while all of them are joined to calls."""
DEPTH_MAX = 6
VALUE_MAX_CHARACTERS = 1_024
OTHER_BLOCKS = ("response", "action")
"""What a stream holds besides events: the two sides of what somebody asked the exchange."""

_LINE = re.compile(r"([A-Za-z][A-Za-z0-9_-]*):[ \t]?(.*)\Z")
_BLANK = re.compile(r"\n[ \t]*\n")
_values = msgspec.json.Decoder(Any)


@dataclass(frozen=True, slots=True)
class Record:
    """One record. `name`: the event's, empty for what is none; `fields`: by name, in lower case.

    In JSON the name of an inner field follows its object's name and a dot; a list of texts is one text, with blanks.
    """

    name: str
    fields: Mapping[str, str]

    def first(self, *names: str) -> str:
        """Return the first of some fields that says something; empty when none does."""
        return next((value for name in names if (value := self.fields.get(name))), "")


def read(body: bytes) -> tuple[Sequence[Record], bool] | None:
    """Return the first RECORDS_MAX records of a delivery, and whether these are all; `None` for another format."""
    text = _text(body)
    if text.lstrip().startswith(("{", "[")):
        return _objects(text)
    found = (record for block in _BLANK.split(text) if (record := _block(block)) is not None)
    blocks = list(islice(found, RECORDS_MAX))
    return (blocks, next(found, None) is None) if blocks else None


def block(body: bytes) -> Record | None:
    """Return one block as a record; `None` for one that is neither an event nor something asked or answered."""
    return _block(_text(body))


def object_of(body: bytes) -> Record | None:
    """Return one JSON object as a record; `None` for what is no event."""
    found = _objects(_text(body))
    return found[0][0] if found and found[0] else None


def _text(body: bytes) -> str:
    return texts.clean(charsets.decode(body)).removeprefix("\ufeff").replace("\r\n", "\n")


def _block(block: str) -> Record | None:
    """Return a block as a record; `None` for one that is neither an event nor something asked or answered."""
    fields: dict[str, str] = {}
    for line in block.split("\n"):
        found = _LINE.match(line)
        if found is not None:
            fields.setdefault(found[1].lower(), found[2].strip()[:VALUE_MAX_CHARACTERS])
    if "event" in fields:
        return Record(fields["event"], fields)
    return Record("", fields) if any(name in fields for name in OTHER_BLOCKS) else None


def _objects(text: str) -> tuple[Sequence[Record], bool] | None:
    """Return the events among JSON objects: one, a list of them, or one a line."""
    found = _json(text)
    if found is None:
        lines = [_json(line) for line in text.split("\n") if line.strip()]
        found = lines if all(line is not None for line in lines) else None
    if found is None:
        return None
    objects = found if isinstance(found, list) else [found]
    records = [
        Record(each["type"], dict(_flat(each, "", 0)))
        for each in objects[:RECORDS_MAX]
        if isinstance(each, dict) and isinstance(each.get("type"), str)
    ]
    return records, len(objects) <= RECORDS_MAX


def _json(text: str) -> Any:
    try:
        return strict.read_json(text.encode(), _values)
    except codec.UNREADABLE:
        return None


def _flat(value: Any, name: str, depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and depth < DEPTH_MAX:
        for inner, each in value.items():
            yield from _flat(each, f"{name}.{inner}".strip(".").lower(), depth + 1)
    elif isinstance(value, list) and all(isinstance(each, str) for each in value):
        yield name, " ".join(value)[:VALUE_MAX_CHARACTERS]
    elif isinstance(value, str | int | float):
        yield name, str(value)[:VALUE_MAX_CHARACTERS]
