"""What stands in the ledger and is no event of ours, and how it is passed over once an operator has rejected it.

Anybody who reaches the server may publish on a subject of the ledger, and nothing is ever removed there. The event
`entry.rejected` names such an entry by sequence and hash, on an aggregate of its own; a reader that cannot read the
entry looks for that event, and takes it in the entry's place.

On a journal nobody waits for an operator: the rejection itself is written to one, and so is what is parked.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence

from msgspec.structs import replace

from shared import aggregates, codec, errors, events, ids, subjects
from shared.bus.deliveries import StoredMessage
from shared.codec import Codec
from shared.ledger.protocol import Recorded

Rejections = Callable[[int], Awaitable[Iterable[bytes]]]
"""Gives the bodies of what was recorded about the entry at a sequence, from the leader."""
Read = Callable[[Codec, Sequence[StoredMessage], Rejections], Awaitable[list[events.AnyEvent]]]
"""How messages of the ledger are read: `read`, or `read_aggregate`."""


async def recorded(
    sealed: Codec,
    messages: Sequence[StoredMessage],
    rejections: Rejections,
    reading: Read | None = None,
) -> list[Recorded]:
    """Return messages of the ledger as it holds them, read by `read` or another such. Raises: as that does."""
    found = await (reading or read)(sealed, messages, rejections)
    return [
        Recorded(
            message.sequence,
            message.stored,
            subjects.aggregate_in(message.subject),
            event,
            message.body,
        )
        for message, event in zip(messages, found, strict=True)
    ]


async def read_aggregate(
    sealed: Codec, messages: Sequence[StoredMessage], rejections: Rejections
) -> list[events.AnyEvent]:
    """Return the events of one aggregate, as `read`; of a journal also where an entry was not rejected yet."""
    if messages and aggregates.is_journal(subjects.aggregate_in(messages[0].subject)):
        return [await _read_or_pass_over(sealed, message) for message in messages]
    return await read(sealed, messages, rejections)


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


async def _read_or_pass_over(sealed: Codec, message: StoredMessage) -> events.AnyEvent:
    """Return the event of a journal's entry; as if it was rejected when it is none that this version knows."""
    try:
        (event,) = await sealed.unseal([message.body])
    except (errors.EventTypeUnknown, errors.NotAnEvent):
        sha256, actor = ids.body_sha256(message.body), f"service:{aggregates.ENTRY.writer}"
        origin = events.Origin(
            tenant=subjects.tenant_in(message.subject),
            service=aggregates.ENTRY.writer,
            actor=actor,
            occurred=message.stored,
            recorded=message.stored,
        )
        passed = events.EntryRejectedOpen(
            sequence=message.sequence, sha256=sha256, reason="no event of ours, on a journal"
        )
        aggregate = subjects.aggregate_in(message.subject)
        own_id = _id_of(message.sequence, sha256)
        return events.make(events.EntryRejected, origin, own_id, aggregate, passed)
    return event


async def stand_in(
    sequence: int, aggregate: str, body: bytes, rejections: Rejections
) -> events.EntryRejected | None:
    """Return what stands in the place of a rejected entry, on the entry's aggregate; `None` when nobody rejected it."""
    sha256 = ids.body_sha256(body)
    for told in await rejections(sequence):
        try:
            event = codec.decode(told)
        except (errors.EventTypeUnknown, errors.NotAnEvent):
            continue
        if isinstance(event, events.EntryRejected) and event.open.sha256 == sha256:
            return replace(event, id=_id_of(sequence, sha256), aggregate=aggregate)
    return None


def _id_of(sequence: int, sha256: str) -> events.EventId:
    """Return the id of what stands in an entry's place."""
    return events.EventId(ids.scoped_id("rejected", str(sequence), sha256))
