"""An agent's years are not read for her next offer: the picture knows how she stands, the ledger her last day."""

from datetime import timedelta

import pytest
from msgspec.structs import replace as changed

from services.router.domain import folds
from services.router.hours import Hours, Mark
from shared import aggregates
from shared.errors import CommandIdReused
from shared.ledger import Recorded
from tests.router.in_memory_router import InMemoryRouter
from tests.router.samples import NOON, TENANT, call


@pytest.fixture
def read_after(router: InMemoryRouter, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Where the last reading of each aggregate began."""
    found: dict[str, int] = {}
    read, read_leader = router.ledger.read, router.ledger.read_leader

    async def noting(tenant: str, aggregate: str, *, after: int = 0) -> list[Recorded]:
        found[aggregate] = after
        return await read(tenant, aggregate, after=after)

    async def noting_leader(tenant: str, aggregate: str, *, after: int = 0) -> list[Recorded]:
        found[aggregate] = after
        return await read_leader(tenant, aggregate, after=after)

    monkeypatch.setattr(router.ledger, "read", noting)
    monkeypatch.setattr(router.ledger, "read_leader", noting_leader)
    return found


async def worked(router: InMemoryRouter) -> int:
    """Ewa works on three days; return where yesterday ended."""
    await router.on_duty("ewa")
    ends = 0
    for day in range(3):
        ends = await router.ledger.position()
        await router.does("ewa", "set_status", status="away", id=f"pause-{day}")
        await router.does("ewa", "set_status", status="available", id=f"back-{day}")
        await router.follow()
        router.clock.time += timedelta(days=1, hours=2)
    return ends


async def test_a_router_that_starts_reads_an_agents_last_day_only(
    router: InMemoryRouter, read_after: dict[str, int]
) -> None:
    """And makes its first offer of that."""
    yesterday = await worked(router)
    await router.dispatcher.keep_now()
    router.restart()
    await router.dispatcher.begin()
    await router.happens(call("started", handles=[]))
    assert "contact.offered" in await router.offers()
    assert read_after[aggregates.AGENT.of("ewa")] >= yesterday


async def test_what_begins_in_the_picture_is_what_the_whole_ledger_gives(
    router: InMemoryRouter,
) -> None:
    """How she stands, and the commands of her last day; those before are remembered by nobody who needs them."""
    await worked(router)
    router.clock.time -= timedelta(hours=20)
    whole = folds.AGENT.empty
    name = aggregates.AGENT.of("ewa")
    for recorded in await router.ledger.read(TENANT, name):
        whole = folds.AGENT.evolve(whole, recorded.sequence, recorded.event)
    router.restart()
    await router.follow()
    begun = await router.agent("ewa")
    assert (begun.status, begun.since, begun.working_on) == (
        whole.status,
        whole.since,
        whole.working_on,
    )
    assert (begun.idle_since, begun.sequence) == (whole.idle_since, whole.sequence)
    assert {"pause-2", "back-2"} <= begun.seen.keys() < whole.seen.keys()
    assert all(whole.seen[cause] == seen for cause, seen in begun.seen.items())


async def test_a_command_of_today_is_told_again_after_a_start(router: InMemoryRouter) -> None:
    """Although how she stands was not read: `does` gives each command to a second router, which answers the same."""
    await worked(router)
    await router.dispatcher.keep_now()
    router.restart()
    await router.dispatcher.begin()
    await router.does("ewa", "set_status", status="away", id="today")
    with pytest.raises(CommandIdReused):
        await router.commands.handle(
            "set_status", TENANT, router.body("ewa", "set_status", status="available", id="today")
        )


async def test_a_replica_that_is_behind_the_picture_hides_no_command(
    router: InMemoryRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the picture has folded is not all there yet: the leader has it, or a command would be carried out again."""
    await worked(router)
    router.restart()
    await router.follow()
    router.clock.time -= timedelta(hours=20)
    read = router.ledger.read

    async def behind(tenant: str, aggregate: str, *, after: int = 0) -> list[Recorded]:
        return (await read(tenant, aggregate, after=after))[:-1]

    monkeypatch.setattr(router.ledger, "read", behind)
    monkeypatch.setattr(router.ledger, "read_leader", read)
    begun = await router.cases.deciding.load(TENANT, folds.AGENT, "ewa")
    assert {"pause-2", "back-2"} <= begun.seen.keys()


async def an_hour(router: InMemoryRouter, sequence: int, hours: float) -> Recorded:
    """Return an event that was recorded so many hours after noon."""
    known = (await router.recorded())[0]
    event = changed(known.event, recorded=NOON + timedelta(hours=hours))
    return changed(known, sequence=sequence, event=event)


async def test_marks_are_an_hour_apart_and_reach_one_day_back(router: InMemoryRouter) -> None:
    """However many events there were; what was recorded within the day stands behind the mark that is given."""
    await router.on_duty("ewa")
    hours = Hours()
    for sequence in range(1, 1_001):
        hours.see(await an_hour(router, sequence, sequence / 10))
    assert len(hours.marks) <= 27
    now = NOON + timedelta(hours=100)
    assert hours.after(now) in range(740, 760)
    again = Hours()
    again.begin(hours.kept())
    assert again.after(now) == hours.after(now)
    assert again.kept()[-1] == Mark(now, 1_000)


async def test_a_clock_that_was_set_back_hides_nothing(router: InMemoryRouter) -> None:
    """Behind a mark stands everything that was recorded later, also what stands before it was recorded later still."""
    await router.on_duty("ewa")
    hours = Hours()
    for sequence, recorded in enumerate((0.0, 30.0, 2.0, 31.5), 1):
        hours.see(await an_hour(router, sequence, recorded))
    assert hours.after(NOON + timedelta(hours=40)) == 1
