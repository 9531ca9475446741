"""What was known at a time: folded from the ledger, the same for ever."""

from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from services.history.answering import CLOCKS_APART_MAX_SECONDS
from services.history.pool import Pool
from services.history.positions import Positions
from services.history.projection import Projection
from services.history.store import Session
from shared.errors import (
    ConversationUnknown,
    PositionNotReached,
)
from tests.history.caller import Caller, answers_over
from tests.history.handwritten_ledger import TENANT, TickingClock, handwritten_in_memory
from tests.history.parcel_story import CONV, CONVERSATION, ParcelStory


async def test_as_of_is_the_same_after_ten_later_events(
    ask: Caller, parcel: ParcelStory, projection: Projection
) -> None:
    """The answer for a position never changes, and nothing later shows."""
    asked: dict[str, Any] = {"conversation": CONVERSATION, "sequence": parcel.at["ewa"]}
    before = await ask("as_of", **asked)
    await parcel.go_on()
    await projection.apply((await parcel.handwritten.all())[projection.position :])
    assert await ask("as_of", **asked) == before
    assert before["position"] == before["sequence"] == parcel.at["ewa"]
    assert before["digest"]
    assert len(before["packet"]["facts"]) == 2
    assert before["packet"]["open"]["promises"] == []
    now: dict[str, Any] = {
        "conversation": CONVERSATION,
        "sequence": await parcel.handwritten.ledger.position(),
    }
    assert len((await ask("as_of", **now))["packet"]["facts"]) == 12


async def test_as_of_shows_what_people_really_saw(ask: Caller, parcel: ParcelStory) -> None:
    """The packet stored last at or before the position comes with it, byte for byte."""
    shown = {
        name: (await ask("as_of", conversation=CONVERSATION, sequence=parcel.at[name]))["shown"]
        for name in ("queued", "accepted", "ewa")
    }
    assert shown["queued"] is None
    assert shown["accepted"]["packet_id"] == "packet1"
    assert shown["accepted"]["packet"]["facts"] == []
    assert shown["ewa"]["packet_id"] == "packet2"
    facts = {each["name"]: each["value"] for each in shown["ewa"]["packet"]["facts"]}
    assert facts == {"locker": "KRA01M", "parcel_number": "6" * 24}


async def test_as_of_folds_with_the_policy_of_its_time(ask: Caller, parcel: ParcelStory) -> None:
    """The policy is the one that the last packet named; before the first, that which opened the matter."""
    versions = [
        (await ask("as_of", conversation=CONVERSATION, sequence=parcel.at[name]))["packet"][
            "built_from"
        ]["policy_version"]
        for name in ("queued", "accepted")
    ]
    assert versions == ["policy-1", "policy-7"]


async def test_as_of_reads_the_ledger_and_not_the_tables(
    ask: Caller, parcel: ParcelStory, dsn: str
) -> None:
    """A table changed by hand changes nothing of what was known."""
    asked: dict[str, Any] = {"conversation": CONVERSATION, "sequence": parcel.at["ewa"]}
    before = await ask("as_of", **asked)
    server = await asyncpg.connect(dsn)
    for table in ("fact", "conversation", "event", "timeline", "packet", "customer"):
        await server.execute(f"DELETE FROM history_g1.{table}")
    await server.close()
    assert await ask("as_of", **asked) == before


async def test_as_of_by_a_recorded_time(pool: Pool, session: Session) -> None:
    """The largest sequence whose running maximum of store times is not later."""
    clock = TickingClock()
    handwritten = handwritten_in_memory(clock)
    parcel = ParcelStory(handwritten)
    begin = clock.now()
    steps = [parcel.register, parcel.call, parcel.offer_and_accept, parcel.tell_facts]
    for number, step in enumerate(steps):
        clock.set(begin + timedelta(seconds=10 * number))
        await step()
    clock.set(begin + timedelta(seconds=60))
    projection = await Projection.take_over(session)
    await projection.apply(await handwritten.all())
    ask = Caller(answers_over(pool, handwritten, Positions(agreed=True), clock=clock))
    at = begin + timedelta(seconds=20)
    answer = await ask("as_of", conversation=CONVERSATION, recorded=at)
    assert answer["sequence"] == parcel.at["accepted"] + 1
    same = await ask("as_of", conversation=CONVERSATION, sequence=parcel.at["accepted"])
    assert answer["digest"] == same["digest"]
    just_before = at - timedelta(microseconds=1)
    earlier = await ask("as_of", conversation=CONVERSATION, recorded=just_before)
    assert earlier["packet"]["contact"] == "call1"
    assert earlier["shown"] is None
    with pytest.raises(ConversationUnknown):
        await ask("as_of", conversation=CONVERSATION, recorded=begin)
    with pytest.raises(PositionNotReached):
        await ask("as_of", conversation=CONVERSATION, recorded=clock.now())


async def test_as_of_by_a_recorded_time_is_not_answered_while_it_may_gain_events(
    pool: Pool, session: Session
) -> None:
    """The store's clock is half a minute behind ours: what it stores next bears a time that has passed here."""
    behind, ours = TickingClock(), TickingClock()
    handwritten = handwritten_in_memory(behind)
    parcel = ParcelStory(handwritten)
    await parcel.register()
    await parcel.call()
    projection = await Projection.take_over(session)
    ask = Caller(answers_over(pool, handwritten, Positions(agreed=True), clock=ours))
    begin = ours.now()
    ours.set(begin + timedelta(seconds=31))
    asked: dict[str, Any] = {
        "conversation": CONVERSATION,
        "recorded": begin + timedelta(seconds=5),
    }
    await projection.apply(await handwritten.all())
    for instant in (begin, asked["recorded"]):
        with pytest.raises(PositionNotReached) as refused:
            await ask("as_of", conversation=CONVERSATION, recorded=instant)
        assert refused.value.details["reason"] == "not_settled"
    behind.set(begin + timedelta(seconds=5))
    await parcel.offer_and_accept()
    behind.set(begin + timedelta(seconds=6))
    await parcel.tell_facts()
    await projection.apply((await handwritten.all())[projection.position :])
    first = await ask("as_of", **asked)
    assert first["sequence"] == parcel.at["accepted"] + 1
    await parcel.go_on()
    await projection.apply((await handwritten.all())[projection.position :])
    assert await ask("as_of", **asked) == first


async def test_as_of_by_a_recorded_time_is_answered_after_a_minute_of_silence(
    pool: Pool, session: Session
) -> None:
    """A quiet ledger does not refuse for ever."""
    clock = TickingClock()
    handwritten = handwritten_in_memory(clock)
    parcel = ParcelStory(handwritten)
    await parcel.register()
    await parcel.call()
    await (await Projection.take_over(session)).apply(await handwritten.all())
    ask = Caller(answers_over(pool, handwritten, Positions(agreed=True), clock=clock))
    asked: dict[str, Any] = {"conversation": CONVERSATION, "recorded": clock.now()}
    clock.set(clock.now() + timedelta(seconds=CLOCKS_APART_MAX_SECONDS))
    with pytest.raises(PositionNotReached):
        await ask("as_of", **asked)
    clock.set(clock.now() + timedelta(microseconds=1))
    assert (await ask("as_of", **asked))["sequence"] == await handwritten.ledger.position()


async def test_as_of_by_a_recorded_time_waits_for_the_whole_ledger(
    pool: Pool, session: Session, parcel: ParcelStory
) -> None:
    """While the projection lags, a time may still gain events: no answer before they are there."""
    every = await parcel.handwritten.all()
    await (await Projection.take_over(session)).apply(every[:-1])
    clock = TickingClock()
    clock.set(clock.now() + timedelta(hours=1))
    answers = answers_over(pool, parcel.handwritten, Positions(agreed=True), clock=clock)
    with pytest.raises(PositionNotReached):
        await Caller(answers)("as_of", conversation=CONVERSATION, recorded=every[-1].stored)


async def test_as_of_by_an_occurred_time(ask: Caller, parcel: ParcelStory) -> None:
    """All events of the matter before the first that happened later."""
    events = await parcel.handwritten.ledger.read(TENANT, CONV)
    accepted = next(each for each in events if each.sequence == parcel.at["accepted"])
    answer = await ask("as_of", conversation=CONVERSATION, occurred=accepted.event.occurred)
    assert answer["sequence"] == parcel.at["accepted"]
    same = await ask("as_of", conversation=CONVERSATION, sequence=parcel.at["accepted"])
    assert answer == same


async def test_as_of_a_position_that_is_not_there_yet_is_refused(
    ask: Caller, parcel: ParcelStory
) -> None:
    """Its answer would change; and a matter that did not exist then is unknown."""
    end = await parcel.handwritten.ledger.position()
    with pytest.raises(PositionNotReached):
        await ask("as_of", conversation=CONVERSATION, sequence=end + 1)
    for conversation, sequence in ((CONVERSATION, 1), ("nosuch", end), ("No.Such", end)):
        with pytest.raises(ConversationUnknown):
            await ask("as_of", conversation=conversation, sequence=sequence)


async def test_a_time_beyond_the_calendar_is_answered(ask: Caller) -> None:
    """The first hours of year 1 are before everything, the last ones of 9999 not settled, whatever their zone."""
    with pytest.raises(ConversationUnknown):
        await ask("as_of", conversation=CONVERSATION, recorded="0001-01-01T00:00:00+23:59")
    with pytest.raises(PositionNotReached):
        await ask("as_of", conversation=CONVERSATION, recorded="9999-12-31T23:59:59-23:59")
