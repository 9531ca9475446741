"""Every aggregate remembers its commands, so that a repeated command decides nothing."""

from collections import ChainMap
from collections.abc import Mapping
from datetime import datetime
from itertools import islice

import msgspec

from shared.commands import REMEMBERED, SKEW, EventSummary
from shared.errors import CommandIdReused
from shared.events import AnyEvent


class RememberedCommand(msgspec.Struct, frozen=True, kw_only=True):
    """A command (or contact event) and its events on this aggregate."""

    sha256: str | None
    recorded: datetime
    events: tuple[EventSummary, ...]


Memory = Mapping[str, RememberedCommand]
"""What was seen in the last 24 hours, by command id or contact event id, oldest first; REMEMBERED_MAX_IDS at most.

Never changed: states share it. After the first event it is a `ChainMap` of two dicts, the young ids and the old ones:
each event copies the young ones only.
"""

REMEMBERED_MAX_IDS = 16_384
"""More than people can give to one conversation, or as one agent, in a day: beyond, the oldest are forgotten."""
FORGET_EVERY = 256
"""So many young ids join the old ones, and what is too old is swept out then, not at every event."""


def remember(memory: Memory, sequence: int, event: AnyEvent) -> Memory:
    """Return `memory` with the event under its cause, or under its own id when it reports a contact."""
    cause = event.causation or event.id
    before = memory.get(cause)
    summary = EventSummary(
        id=event.id,
        type=event.type,
        aggregate=event.aggregate,
        sequence=sequence,
        open=msgspec.to_builtins(event.open),
    )
    seen = RememberedCommand(
        sha256=event.causation_sha256,
        recorded=event.recorded,
        events=(*(before.events if before else ()), summary),
    )
    young, old = memory.maps if isinstance(memory, ChainMap) else (dict(memory), {})
    if len(young) >= FORGET_EVERY:
        young, old = {}, _still_wanted({**old, **young}, event.recorded)
    return ChainMap({**young, cause: seen}, old)


def recall(
    memory: Memory, command_id: str, sha256: str | None, older_sha256: str | None = None
) -> RememberedCommand | None:
    """Return what a command wrote before; `None` when it is new. Raises: CommandIdReused.

    `older_sha256`: its hash as 0.1 wrote it; nobody writes such a hash any more, so it is never another verb's.
    """
    seen = memory.get(command_id)
    if seen is not None and seen.sha256 not in (sha256, older_sha256 or sha256):
        raise CommandIdReused(command_id=command_id)
    return seen


def _still_wanted(memory: Memory, now: datetime) -> dict[str, RememberedCommand]:
    horizon = now - REMEMBERED - SKEW
    newest = islice(memory.items(), max(0, len(memory) - REMEMBERED_MAX_IDS), None)
    return {cause: seen for cause, seen in newest if seen.recorded >= horizon}
