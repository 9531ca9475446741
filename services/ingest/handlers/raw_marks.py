"""Finds in RAW how far an account's provider was read: the last delivery whose path says so."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Generic, NamedTuple, TypeVar

from services.ingest.handlers.raw_store import PATH_FIELD
from shared import streams
from shared.bus import Bus, gets
from shared.bus.deliveries import StoredMessage

LOOKED_BACK = 256
"""Positions that are looked at first for the last one with a mark; then ever more."""
LOOK_BATCH = 256

M = TypeVar("M")


class MarkedDelivery(NamedTuple, Generic[M]):
    """A delivery with a mark, and where it stands."""

    sequence: int
    mark: M


async def last(
    bus: Bus, subject: str, mark: Callable[[str], M | None]
) -> tuple[int, MarkedDelivery[M] | None]:
    """Return where a subject's last delivery stands (0: nowhere), and its last one with a mark.

    `mark`: what a path says; `None` for one that says nothing. Raises: BusUnavailable, JetStreamRefused.
    """
    newest = await bus.leader_get(streams.RAW, last_by_subject=subject)
    if newest is None:
        return 0, None
    found = _marked(newest, mark)
    for first, end in stretches(newest.sequence):
        if found is not None:
            break
        async for each in between(bus, subject, first, end):
            found = _marked(each, mark) or found
    return newest.sequence, found


def stretches(end: int) -> Iterator[tuple[int, int]]:
    """Give the stretches of RAW before a position, each with its end left out: the last one first, ever longer ones."""
    span = LOOKED_BACK
    while end > 1:
        first = max(1, end - span)
        yield first, end
        end, span = first, span * 2


async def between(bus: Bus, subject: str, first: int, end: int) -> AsyncIterator[StoredMessage]:
    """Give the deliveries of a stretch of RAW, its end left out; other accounts' deliveries lie between.

    Raises: BusUnavailable, JetStreamRefused.
    """
    stretch = gets.between(bus, streams.RAW, subject, first, end - 1, batch=LOOK_BATCH)
    async for page in stretch:
        for each in page:
            yield each


def _marked(message: StoredMessage, mark: Callable[[str], M | None]) -> MarkedDelivery[M] | None:
    found = mark(message.headers.get(PATH_FIELD, ""))
    return None if found is None else MarkedDelivery(message.sequence, found)
