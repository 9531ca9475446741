"""The query `measures`: the same figures as from the whole ledger, read from rows, for any range and scope."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from services.history.domain.measures import HandledWork, Scope, measured
from services.history.pool import Pool
from services.history.positions import Positions
from services.history.projection import Projection
from services.history.store import Session
from services.history.tables import handled as handled_table
from shared import errors
from shared.codec import encode
from shared.ledger import Recorded
from tests.history.caller import Caller, answers_over
from tests.history.handwritten_ledger import BEGIN, HandwrittenLedger
from tests.router.in_memory_router import InMemoryRouter
from tests.router.test_histories import Hands
from tests.router.test_missed_balance import Callers, two_who_are_one
from tests.simulation.world import Plan, World

STEPS, TOGETHER = 150, 37
A_DAY = Plan(days=1, contacts_a_day=60)
LONG = timedelta(days=60)


def figures(recorded: list[Recorded], **scope: Any) -> dict[str, Any]:
    """Return what the whole ledger says, as the command line computes it."""
    handled = HandledWork()
    for each in recorded:
        handled.see(each)
    found: dict[str, Any] = msgspec.to_builtins(measured(handled, Scope(**scope)))
    return found


def ranges(recorded: list[Recorded]) -> list[tuple[datetime, datetime]]:
    """Return all of the time, its halves, and a part in its middle."""
    times = sorted(each.event.recorded for each in recorded)
    quarter, middle, late = (times[len(times) * part // 4] for part in (1, 2, 3))
    ever, never = times[0] - LONG, times[-1] + LONG
    return [(ever, never), (ever, middle), (middle, never), (quarter, late), (never, never + LONG)]


async def random_play(player: type[Hands], seed: int) -> list[Recorded]:
    """Return what a random play wrote: with merges, losses and transfers."""
    hands = player(seed)
    await hands.begin()
    for _ in range(STEPS):
        await hands.step()
    return await hands.router.recorded()


async def one_person() -> list[Recorded]:
    """Return how two who called turned out to be one, and what both were owed was done where their matter goes on."""
    router = InMemoryRouter()
    await two_who_are_one(router)
    it = next(each for each in await router.conversations() if not each.resolved)
    assert it.matter.owed is not None
    said = {"conversation": it.id, "callback_id": it.matter.owed.callback_id}
    await router.does("piotr", "attempt_callback", **said, outcome="reached")
    return await router.recorded()


async def a_day(seed: int) -> list[Recorded]:
    """Return a day of the simulated shop, as the ledger would hold it: people come again, promises are kept."""
    world = World(seed, A_DAY)
    await world.run()
    return [replace(each, body=encode(each.event)) for each in world.seen]


LEDGERS: dict[str, Callable[[], Awaitable[list[Recorded]]]] = {
    "calls 1": lambda: random_play(Callers, 1),
    "calls 2": lambda: random_play(Callers, 2),
    "all 3": lambda: random_play(Hands, 3),
    "one person": one_person,
    "a day": lambda: a_day(7),
}


@pytest.mark.parametrize("ledger", LEDGERS)
async def test_rows_say_what_the_whole_ledger_says(
    ledger: str, pool: Pool, session: Session, handwritten: HandwrittenLedger
) -> None:
    """Whatever was played, in ranges that cut through it, of queues, agents and channels."""
    recorded = await LEDGERS[ledger]()
    projection = await Projection.take_over(session)
    for first in range(0, len(recorded), TOGETHER):
        await projection.apply(recorded[first : first + TOGETHER])
    ask = Caller(answers_over(pool, handwritten, Positions(agreed=True)))
    measured_contacts = 0
    for since, until in ranges(recorded):
        for scope in (
            dict[str, str](),
            {"queue": "hotline"},
            {"agent": "piotr"},
            {"channel": "chat"},
        ):
            answer = await ask("measures", since=since, until=until, **scope)
            assert answer["position"] == recorded[-1].sequence
            assert answer["measures"] == figures(recorded, since=since, until=until, **scope)
            measured_contacts += answer["measures"]["contacts"]
    assert measured_contacts > 0


async def test_a_range_of_too_many_conversations_is_refused(
    ask: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The story has two; a range without them is small enough."""
    whole: dict[str, Any] = {"since": BEGIN - LONG, "until": BEGIN + LONG}
    assert (await ask("measures", **whole))["measures"]["contacts"] == 2
    monkeypatch.setattr(handled_table, "CONVERSATIONS_MAX", 1)
    with pytest.raises(errors.RangeTooLarge) as refused:
        await ask("measures", **whole)
    assert refused.value.details == {"conversations_max": 1}
    earlier = await ask("measures", since=BEGIN - LONG, until=BEGIN - LONG / 2)
    assert earlier["measures"]["contacts"] == 0
