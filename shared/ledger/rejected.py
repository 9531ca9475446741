"""What stands in the ledger and is no event of ours, and how it is passed over once an operator has rejected it.

Anybody who reaches the server may publish on a subject of the ledger, and nothing is ever removed there. The event
`entry.rejected` names such an entry by sequence and hash, on an aggregate of its own; a reader that cannot read the
entry looks for that event, and takes it in the entry's place.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence

from msgspec.structs import replace

from shared import codec, errors, events, ids, subjects
from shared.bus.deliveries import StoredMessage
from shared.codec import Codec

Rejections = Callable[[int], Awaitable[Iterable[bytes]]]
"""Gives the bodies of what was recorded about the entry at a sequence, from the leader."""


async def read(
    sealed: Codec, messages: Sequence[StoredMessage], rejections: Rejections
) -> list[events.AnyEvent]:
    """Return the events in messages of the ledger; `entry.rejected` in the place of one that was rejected.

    Raises: EventTypeUnknown, NotAnEvent for one that was not; its `place` says which.
    """
    try:
        return await sealed.unseal([message.body for message in messages])
    except (errors.EventTypeUnknown, errors.NotAnEvent):
        return [await _read_one(sealed, message, rejections) for message in messages]


async def _read_one(
    sealed: Codec, message: StoredMessage, rejections: Rejections
) -> events.AnyEvent:
    try:
        (event,) = await sealed.unseal([message.body])
    except (errors.EventTypeUnknown, errors.NotAnEvent) as error:
        aggregate = subjects.aggregate_in(message.subject)
        found = await stand_in(message.sequence, aggregate, message.body, rejections)
        if found is not None:
            return found
        sha256 = ids.body_sha256(message.body)
        error.place = {"sequence": message.sequence, "sha256": sha256}
        raise
    return event


async def stand_in(
    sequence: int, aggregate: str, body: bytes, rejections: Rejections
) -> events.EntryRejected | None:
    """Return what stands in the place of a rejected entry, on the entry's aggregate; `None` when nobody rejected it."""
    sha256 = ids.body_sha256(body)
    for recorded in await rejections(sequence):
        try:
            event = codec.decode(recorded)
        except (errors.EventTypeUnknown, errors.NotAnEvent):
            continue
        if isinstance(event, events.EntryRejected) and event.open.sha256 == sha256:
            own_id = events.EventId(ids.scoped_id("rejected", str(sequence), sha256))
            return replace(event, id=own_id, aggregate=aggregate)
    return None
