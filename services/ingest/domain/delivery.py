"""A delivery: first as a provider sends it, then as RAW holds it."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from shared import events, ids
from shared.policy import Account

Headers = Sequence[tuple[str, str]]
"""HTTP header fields in the order they came, names in lower case."""


def header(headers: Headers, name: str) -> str | None:
    """Return the first value of a header field; `None` when it is missing. `name` in lower case."""
    return next((value for each, value in headers if each == name), None)


@dataclass(frozen=True, slots=True)
class WebRequest:
    """One request at a door, read whole.

    `method`: in upper case; `url`: path and query as called, percent-encoded; `received`: when its body had come whole.
    """

    method: str
    url: str
    headers: Headers
    body: bytes
    received: datetime

    def header(self, name: str) -> str | None:
        return header(self.headers, name)


@dataclass(frozen=True, slots=True)
class Answer:
    """The door's answer to a delivery stored in RAW: an empty one, or instructions to the provider."""

    body: bytes = b""
    media_type: str | None = None


BY_GET = Answer(media_type="by-get")
"""What a handshake returns where the provider delivers by GET: verified and stored, with the query as the body."""

IMPORT_PATH = "/import/"
"""What the path begins with of what an operator imported: no door's does."""

Secrets = Mapping[str, str]
"""Those secrets of an account that have a value, by what its channel calls each.

`handshake` and `verify` are called only where all of the channel's SECRETS are there.
"""


def no_handshake(request: WebRequest, secrets: Secrets) -> Answer | None:  # noqa: ARG001  the shape all channels share
    """Return no answer: the provider calls a door by POST only."""
    return None


def no_answer(request: WebRequest, rules: Account) -> Answer:  # noqa: ARG001  the shape all channels share
    """Return the empty answer: the provider wants to know only that we have it."""
    return Answer()


class BodyReference(msgspec.Struct, frozen=True, kw_only=True):
    """Where a body stands that is too large for one message: in so many chunks of BODIES, under its SHA-256."""

    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    size_bytes: Annotated[int, Meta(ge=0)]
    chunks: Annotated[int, Meta(ge=1, le=1_024)]


@dataclass(frozen=True)
class RawDelivery:
    """A delivery as RAW holds it, with every input of its events: a second parse gives the same events.

    `account`: the account's short name; `rules`: what the policy says of it; `sequence`: position in RAW;
    `elsewhere`: where its body stands that is not in RAW itself, and `body` is empty until it was read there;
    `lost`: the code of why it cannot be read; `traceparent`: of the trace that its arrival began.
    """

    tenant: str
    channel: str
    account: str
    rules: Account
    sequence: int
    body: bytes
    headers: Headers
    path: str
    received: datetime
    elsewhere: BodyReference | None = None
    lost: str | None = None
    traceparent: str | None = None

    def header(self, name: str) -> str | None:
        return header(self.headers, name)

    @property
    def imported(self) -> bool:
        """Whether it is of an exported history: it was over before it came here."""
        return self.path.startswith(IMPORT_PATH)

    @functools.cached_property
    def sha256(self) -> str:
        """Of the body. Each of its events names it, and there may be thousands."""
        return ids.body_sha256(self.body) if self.elsewhere is None else self.elsewhere.sha256

    @functools.cached_property
    def ref(self) -> str:
        return events.RawRef(sequence=self.sequence, sha256=self.sha256).text()


def portions(deliveries: Sequence[RawDelivery], max_bytes: int) -> Iterator[list[RawDelivery]]:
    """Give deliveries in their order, in portions whose bodies elsewhere are of `max_bytes` in sum, or of one."""
    portion: list[RawDelivery] = []
    taken_bytes = 0
    for each in deliveries:
        size_bytes = 0 if each.elsewhere is None else each.elsewhere.size_bytes
        if portion and taken_bytes + size_bytes > max_bytes:
            yield portion
            portion, taken_bytes = [], 0
        portion.append(each)
        taken_bytes += size_bytes
    if portion:
        yield portion
