"""The tables follow a ledger that an operator has adopted, in a new process and in one that followed the lost one."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import uuid4

from shared import aggregates
from shared.errors import StreamDrift
from shared.ledger import Ledger, Recorded
from tests.history.handwritten_ledger import HandwrittenLedger, handwritten_in_memory
from tests.history.parcel_story import ParcelStory
from tests.history.projecting import digests_agree, live_digest, projecting
from tests.support.waiting import eventually


class OneClient:
    """A client of a ledger that may be replaced: what it followed once it follows no other for, until it forgets."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._followed: Ledger | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.ledger, name)

    def forget(self) -> None:
        self._followed = None

    async def follow(self, after: int) -> AsyncIterator[Sequence[Recorded]]:
        if self._followed not in {None, self.ledger}:
            raise StreamDrift(stream="LEDGER", field="sequence")
        self._followed = self.ledger
        async with contextlib.aclosing(self.ledger.follow(after)) as batches:  # type: ignore[type-var]
            async for batch in batches:
                yield batch


async def adopted_ledger() -> HandwrittenLedger:
    """A ledger that holds the story's first events and an operator's word."""
    adopted = handwritten_in_memory()
    await ParcelStory(adopted).register()
    word = adopted.event(
        aggregates.LEDGER_IDENTITY,
        "ledger.adopted",
        {"position": 2, "against": ["projection:shorter"]},
        {"reason": "the night's backup"},
        id_=uuid4().hex,
    )
    await adopted.write(aggregates.LEDGER_IDENTITY, word)
    return adopted


async def test_a_process_that_followed_the_lost_ledger_follows_the_adopted_one(
    dsn: str, parcel: ParcelStory
) -> None:
    """It need not be started anew: what it remembers is of the ledger that is gone."""
    client = OneClient(parcel.handwritten.ledger)
    async with projecting(dsn, client) as first:
        await first.until(parcel.at["missed"])
    client.ledger = (await adopted_ledger()).ledger
    async with projecting(dsn, client) as second:
        await second.until(await client.ledger.position())
        assert second.sign.said == [True]


async def test_the_tables_follow_a_ledger_that_was_adopted(dsn: str, parcel: ParcelStory) -> None:
    """An operator's word stands in the shorter ledger: they are built anew from it, once for each such word."""
    async with projecting(dsn, parcel.handwritten.ledger) as first:
        await first.until(parcel.at["missed"])
    adopted = handwritten_in_memory()
    for _ in range(2):
        adopted = await adopted_ledger()
        end = await adopted.ledger.position()
        async with projecting(dsn, adopted.ledger) as second:
            await second.until(end)
            assert second.sign.said == [True]
        assert (await live_digest(dsn)).position == end
    stranger = handwritten_in_memory()
    await ParcelStory(stranger).register()
    async with projecting(dsn, stranger.ledger) as third:

        async def halted() -> bool:
            return third.sign.said == [False]

        await eventually(halted)
    await digests_agree(dsn, adopted)
