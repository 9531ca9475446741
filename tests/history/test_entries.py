"""The query for the ledger itself: by it whoever has no right to a consumer follows, page by page."""

from typing import Any

import msgspec

from services.history.pool import Pool
from services.history.positions import Positions
from services.history.projection import Projection
from services.history.tables.event import PAGE_MAX_BYTES
from shared.ledger import Recorded
from tests.history.caller import Caller, answers_over
from tests.history.handwritten_ledger import HandwrittenLedger
from tests.history.parcel_story import ParcelStory
from tests.history.projecting import projecting
from tests.history.test_rejected import plant, rejects
from tests.support.published import schema


async def followed(ask: Caller, after: int = 0, **asked: Any) -> list[dict[str, Any]]:
    """Return the entries after a place, by as many pages as it takes."""
    entries: list[dict[str, Any]] = []
    place: int | None = after
    while place is not None:
        answer = await ask("entries", after=place, min_seq=place, **asked)
        entries += answer["entries"]
        place = answer["next"]
    return entries


def as_stored(recorded: Recorded) -> dict[str, Any]:
    return {"sequence": recorded.sequence, "event": msgspec.json.decode(recorded.body)}


async def test_pages_of_the_ledger_join_without_a_gap(ask: Caller, parcel: ParcelStory) -> None:
    """Every event as it was stored, in order, from any place on; each follows its schema."""
    every = [as_stored(each) for each in await parcel.handwritten.all()]
    assert await followed(ask) == every
    assert await followed(ask, limit=2) == every
    assert await followed(ask, after=every[4]["sequence"], limit=7) == every[5:]
    assert await followed(ask, after=every[-1]["sequence"]) == []
    for entry in every:
        schema(f"events/{entry['event']['type']}").validate(entry["event"])


async def test_a_page_of_the_ledger_fits_into_an_answer(
    pool: Pool, parcel: ParcelStory, projection: Projection
) -> None:
    """Long mails make a page shorter; each comes all the same."""
    text = await parcel.long_mails()
    every = await parcel.handwritten.all()
    await projection.apply(every[projection.position :])
    ask = Caller(answers_over(pool, parcel.handwritten, Positions(agreed=True)))
    long = await ask("entries", after=every[-9].sequence)
    assert PAGE_MAX_BYTES < len(msgspec.json.encode(long)) < PAGE_MAX_BYTES + 2 * len(text)
    assert long["next"] == long["entries"][-1]["sequence"]
    assert await followed(ask) == [as_stored(each) for each in every]


async def test_nobody_follows_another_tenant(
    pool: Pool, parcel: ParcelStory, projection: Projection
) -> None:
    """What another shop's customers do is passed over, and leaves no hole."""
    mine = await parcel.handwritten.all()
    other = HandwrittenLedger(parcel.handwritten.ledger, "other")
    await other.write("agent-ewa", other.event("agent-ewa", "agent.signed_in", {"agent": "ewa"}))
    await projection.apply((await parcel.handwritten.all())[projection.position :])
    ask = Caller(answers_over(pool, parcel.handwritten, Positions(agreed=True)))
    assert [each["sequence"] for each in await followed(ask)] == [each.sequence for each in mine]


async def test_what_was_rejected_is_an_entry_without_an_event(
    dsn: str, handwritten: HandwrittenLedger
) -> None:
    """It may be no JSON at all; that an operator rejected it is an event like any other."""
    place = await handwritten.ledger.position() + 1
    plant(handwritten, b"foreign")
    await rejects(handwritten, place, b"foreign")
    async with projecting(dsn, handwritten.ledger) as running:
        await running.until(await handwritten.ledger.position())
    pool = Pool(dsn)
    ask = Caller(answers_over(pool, handwritten, Positions(agreed=True)))
    foreign, rejected = await followed(ask)
    await pool.close()
    assert foreign == {"sequence": place, "event": None}
    assert rejected["event"]["type"] == "entry.rejected"
