"""The replies to commands, and the refusals of commands and queries."""

from typing import Any, Literal

import msgspec


class EventSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What a reply tells of an event: no personal data. `open`: the event's open part."""

    id: str
    type: str
    aggregate: str
    sequence: int
    open: Any


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """The reply to a command that was carried out (or had been already).

    `events`: those of the command's own aggregate; `position`: a ledger position that holds them.
    """

    ok: Literal[True] = True
    events: list[EventSummary]
    position: int


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    code: str
    message: str
    retryable: bool
    details: dict[str, Any] = {}


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """The reply to a command or query that was refused."""

    error: Problem
