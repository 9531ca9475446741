"""Queries about the house itself: the projected position, the known events, every delivery's outcome, stored files."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from shared.queries.base import Answer, Id, Position, Question

IDS_MAX = 1_000
"""Event ids in one question."""


class AskPosition(Question[Answer], frozen=True, kw_only=True):
    """How far history is."""

    name = "position"


class KnownEvent(msgspec.Struct, frozen=True, kw_only=True):
    """`raw`: the delivery that became the fact, `<sequence in RAW>:<sha256>`."""

    sequence: int
    raw: str | None


SetAsideState = Literal["parked", "skipped"]


class SetAsideEvent(msgspec.Struct, frozen=True, kw_only=True):
    """`state`: an operator may still have it decided, or has given it up; `raw`: as in `KnownEvent`."""

    state: SetAsideState
    raw: str | None


class KnownAnswer(Answer, frozen=True, kw_only=True):
    """Only ids that are known stand here. `set_aside`: contact events that were parked and became no facts."""

    known: dict[str, KnownEvent]
    set_aside: dict[str, SetAsideEvent] = {}


class AskKnown(Question[KnownAnswer], frozen=True, kw_only=True):
    """Which of these event ids became facts, and which are set aside."""

    name = "known"
    ids: Annotated[list[Id], Meta(max_length=IDS_MAX)]


class LedgerEntry(msgspec.Struct, frozen=True, kw_only=True):
    """`event`: as it was stored, byte for byte; `null` for what an operator rejected."""

    sequence: int
    event: msgspec.Raw


class Entries(Answer, frozen=True, kw_only=True):
    """In the ledger's order. `next`: `after` of the next page; `None` when up to `position` there is no more.

    Whoever goes on follows from `position` then: nobody has to look through what other tenants did meanwhile.
    """

    entries: list[LedgerEntry]
    next: int | None


class AskEntries(Question[Entries], frozen=True, kw_only=True):
    """The tenant's events, to follow them: those after a place in the ledger, as many as an answer holds.

    `after`: the sequence of the last one that was dealt with, and the least that `min_seq` should be: a ledger that
    does not hold it is another one. `limit`: events at most.
    """

    name = "entries"
    after: Position = 0
    limit: Annotated[int, Meta(ge=1, le=10_000)] | None = None


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """How many deliveries were received and what became of them; without a loss `missing` is 0.

    `parked`: could not be decided, and wait for an operator; `skipped`: those that an operator gave up.
    """

    received: int = 0
    accepted: int = 0
    duplicate: int = 0
    ignored: int = 0
    quarantined: int = 0
    parked: int = 0
    skipped: int = 0
    missing: int = 0


class AccountBalance(Counts, frozen=True, kw_only=True, rename={"last": "to"}):
    """The counts of one account. `to`: the last RAW position counted."""

    last: int = 0


class Balance(Counts, frozen=True, kw_only=True, rename={"first": "from", "last": "to"}):
    """`position`: the ledger position it is true for; `from`, `to`: the first and the last RAW position counted.

    `end`: the last RAW position there is; while `to` is less, what lies between is not counted yet.
    `accounts`: the same counts by `<channel>/<account>`, also of accounts that have left the policy.
    """

    position: int
    first: int
    last: int
    end: int
    accounts: dict[str, AccountBalance]


class AskBalance(
    Question[Balance], frozen=True, kw_only=True, rename={"first": "from", "last": "to"}
):
    """Outcomes of the deliveries of a channel and an account (or all).

    Without `from` and `to` it answers what was counted as deliveries were normalised. With one of them it parses RAW
    again between the two positions, both included; the answer's `to` says how far it came.
    `min_seq`: the ledger position that history must have reached; without it, the ledger's end at this moment.
    """

    name = "balance"
    served_by = "ingest"
    channel: str | None = None
    account: str | None = None
    first: Position | None = None
    last: Position | None = None


class AttachmentAddress(Answer, frozen=True, kw_only=True):
    """Whoever calls `url` by GET before `expires` is given the file. `sha256`: what it must be; `media_type`: as it was
    declared, checked by nobody."""

    url: str
    expires: datetime
    name: str | None
    media_type: str
    size_bytes: int
    sha256: str


class AskAttachment(Question[AttachmentAddress], frozen=True, kw_only=True):
    """The address of a file that came with a message, for some minutes."""

    name = "attachment"
    served_by = "ingest"
    attachment_id: Id


DELIVERY_QUERIES = (AskPosition, AskEntries, AskKnown, AskBalance, AskAttachment)
