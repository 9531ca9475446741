"""The tables that a projection writes: their columns in order, and how a batch changes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from shared.conversation import FOLD_VERSION, Conversation
from shared.customer import Customer

Row = tuple[Any, ...]
Key = tuple[str, str]
"""(tenant, id)"""

TABLES_VERSION = 3
"""Raise it whenever the same events would make other rows, for example with a new column."""

VERSION = FOLD_VERSION * 1_000 + TABLES_VERSION
"""Of the code that makes the rows: tables of a lower one are built anew when a projector starts."""

APPENDED = ("event", "timeline", "packet", "request")
"""Tables whose rows are only added, by COPY. Their order is the order of writing."""

REPLACED = ("conversation", "fact", "promise", "callback", "customer", "handle", "notification")
"""Tables whose rows change in place, one statement per table and batch."""

DIGESTED = ("checkpoint", *APPENDED, *REPLACED)
"""Every table of a generation."""

COLUMNS: dict[str, tuple[str, ...]] = {
    "event": (
        "sequence",
        "id",
        "tenant",
        "aggregate",
        "type",
        "conversation",
        "customer",
        "occurred",
        "recorded",
        "stored",
        "settled",
        "raw",
        "body",
    ),
    "timeline": (
        "sequence",
        "tenant",
        "conversation",
        "customer",
        "occurred",
        "recorded",
        "type",
        "contact_id",
        "channel",
        "actor",
        "text",
        "open",
    ),
    "packet": ("sequence", "tenant", "packet_id", "conversation", "sha256"),
    "request": (
        "sequence",
        "tenant",
        "id",
        "conversation",
        "contact_id",
        "kind",
        "queue",
        "callback_id",
        "asked",
    ),
}
"""Columns of the appended tables, in the order of their rows."""

NUL_STANDS_AS = "\N{SYMBOL FOR NULL}"
"""Postgres text holds no NUL byte; the ledger does."""


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `notification`. `state`: `requested`, `sent`, `acknowledged` or `escalated`.

    `settled_by`: the agent who acknowledged, or whom it was escalated to.
    """

    tenant: str
    id: str
    sequence: int
    conversation: str | None
    about: str
    reason: str
    recipient: str
    transport: str
    state: str
    requested: datetime
    escalates: datetime | None
    settled_by: str | None


@dataclass(slots=True)
class Views:
    """What stands before a batch, as far as the batch touches it."""

    conversations: dict[Key, Conversation] = field(default_factory=dict)
    customers: dict[Key, Customer] = field(default_factory=dict)
    notifications: dict[Key, Notification] = field(default_factory=dict)


@dataclass(slots=True)
class Changes:
    """What a batch changes: rows to add and rows to replace (by key: the last one counts)."""

    appended: dict[str, list[Row]] = field(
        default_factory=lambda: {table: [] for table in APPENDED}
    )
    replaced: dict[str, dict[Row, Row]] = field(
        default_factory=lambda: {table: {} for table in REPLACED}
    )


def text_of(text: str | None) -> str | None:
    """Return `text` as Postgres can hold it; `None` for `None`."""
    return text if text is None or "\0" not in text else text.replace("\0", NUL_STANDS_AS)


def plain(text: str) -> str:
    """Return `text` as Postgres can hold it."""
    return text if "\0" not in text else text.replace("\0", NUL_STANDS_AS)
