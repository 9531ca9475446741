"""An exported history: its talks, one delivery each, and the mark by which RAW knows how far an import has come."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from services.ingest.domain import texts
from services.ingest.domain.delivery import IMPORT_PATH
from shared import codec, errors, ids, instants, strict

_json: msgspec.json.Decoder[Any] = msgspec.json.Decoder()
_MARK = re.compile(rf"{IMPORT_PATH}(?P<sha256>[0-9a-f]{{64}})/(?P<number>[0-9]{{1,12}})\Z")


@dataclass(frozen=True, slots=True)
class Talk:
    """One talk with a customer. `body`: as it is stored; `at`: when it began, where the export says so."""

    body: bytes
    at: datetime | None


@dataclass(frozen=True, slots=True)
class ImportMark:
    """How far an import has come: `number` of its talks, from 1, are stored. `sha256`: of all of them."""

    sha256: str
    number: int

    @property
    def path(self) -> str:
        """The mark as RAW keeps it, in the place of a request's path."""
        return f"{IMPORT_PATH}{self.sha256}/{self.number}"


def mark(path: str) -> ImportMark | None:
    """Return the mark of a delivery; `None` for one that was not imported."""
    found = _MARK.match(path)
    return None if found is None else ImportMark(found["sha256"], int(found["number"]))


def in_order(talks: Sequence[Talk]) -> list[Talk]:
    """Return talks as they began, each once; what says no time comes first. The same talks have the same order."""
    once = {each.body: each for each in talks}
    return sorted(once.values(), key=lambda each: (each.at or instants.EARLIEST, each.body))


def sha256_of(talks: Sequence[Talk]) -> str:
    """Return by what an import of these is known again."""
    return ids.body_sha256(b"".join(ids.body_sha256(each.body).encode() for each in talks))


def values(content: bytes) -> Iterator[Any]:
    """Give the JSON values of a file: one, or one a line. Raises: PayloadUnreadable."""
    lines = [line for line in content.splitlines() if line.strip()]
    for part in (content,) if _is_json(content) else lines:
        try:
            yield strict.read_json(texts.whole_json(part.decode()), _json)
        except codec.UNREADABLE as error:
            raise errors.PayloadUnreadable("the file holds no JSON") from error


def _is_json(content: bytes) -> bool:
    try:
        _json.decode(content.removeprefix(b"\xef\xbb\xbf"))
    except codec.UNREADABLE:
        return False
    return True
