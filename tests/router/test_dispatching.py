"""Dispatching is by what changed: what waits without news is not looked at."""

import asyncio
from datetime import timedelta
from random import Random

import pytest
from msgspec.structs import replace

from services.router.dispatcher import Dispatcher
from services.router.domain.asking import candidates, waits
from services.router.domain.pool import Pool, groups_of
from services.router.picture import POSTPONED, Picture
from shared.errors import LedgerUnavailable, StillReading
from shared.events import AgentId, ContactOffered
from shared.ledger import Appended, Guard, Write
from shared.tasks import end
from tests.router.in_memory_router import InMemoryRouter
from tests.router.samples import TENANT, a_policy, call, message
from tests.router.test_histories import Hands
from tests.support.waiting import eventually

CROWD = 40
STEPS = 60


async def crowd(router: InMemoryRouter, size: int = CROWD) -> None:
    """So many strangers call, one a second."""
    for number in range(size):
        router.clock.time += timedelta(seconds=1)
        await router.happens(call("started", f"CA{number}", handles=[], at=router.clock.time))


async def reads_of(router: InMemoryRouter) -> int:
    """Return how many aggregates one round of dispatching reads."""
    await router.dispatch()
    before = router.ledger.reads
    await router.dispatch()
    return router.ledger.reads - before


async def test_what_waits_without_news_is_not_read(router: InMemoryRouter) -> None:
    """With nobody on duty nothing is read, however many wait and whatever else happens to them."""
    await crowd(router)
    assert await reads_of(router) == 0
    await router.happens(call("menu", "CA3", handles=[], digits="2", k=1))
    before = router.ledger.reads
    await router.dispatch()
    assert router.ledger.reads == before


async def test_what_is_decided_here_is_offered_before_the_ledger_gives_it(
    router: InMemoryRouter,
) -> None:
    """Whoever took it in knows it: nobody is asked later because news goes round by the server."""
    await router.on_duty("ewa")
    await router.follow()
    await router.happens(call("started", "CA1", handles=[], at=router.clock.time))
    await router.dispatcher.offering.offer_all()
    assert [each.open.agent for each in await router.all(ContactOffered)] == ["ewa"]


async def test_as_many_are_read_as_there_is_room_for(router: InMemoryRouter) -> None:
    """One agent with two slots signs in: the two who waited longest are read and offered, the others are left alone."""
    await crowd(router)
    await router.dispatch()
    await router.on_duty("ewa")
    before = router.ledger.reads
    await router.dispatch()
    each_reads = 5  # conversation, customer, and the queue's agents, one of them twice at most
    assert router.ledger.reads - before <= 2 * each_reads
    offered = [event.open.contact_id for event in await router.all(ContactOffered)]
    waited = [
        it.contacts.last.contact_id for it in await router.conversations() if it.contacts.last
    ]
    assert offered == waited[:2]
    assert await reads_of(router) == 0


async def test_a_full_agent_costs_nothing(router: InMemoryRouter) -> None:
    """While her slots are taken nobody of her line is read; the next is offered when one is free."""
    await router.on_duty("ewa")
    await crowd(router)
    await router.dispatch()
    assert await reads_of(router) == 0
    first = (await router.conversations())[0]
    assert first.ownership.offer is not None
    await router.does(
        "ewa", "reject_offer", conversation=first.id, offer_id=first.ownership.offer.offer_id
    )
    assert await router.offers() == ["context.packaged", "contact.offered", "agent.reserved"]
    third = (await router.conversations())[2]
    assert (await router.last(ContactOffered)).conversation == third.id


async def test_a_rest_ends_by_its_time(router: InMemoryRouter) -> None:
    """After a refusal the picture names the instant from which she may be asked again, and nothing is read before."""
    await router.on_duty("piotr")
    await router.happens(call("started"))
    await router.offers()
    it, offer = await router.conversation(), await router.offer()
    await router.does("piotr", "reject_offer", conversation=it.id, offer_id=offer.offer_id)
    assert await reads_of(router) == 0
    rest = timedelta(seconds=a_policy().times.offer_seconds)
    assert router.dispatcher.picture.due() == router.clock.time + rest
    router.clock.time += rest
    assert await router.offers() == ["contact.offered", "agent.reserved"]


async def test_an_offer_that_failed_is_tried_again(
    router: InMemoryRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger is away for one append: nothing is read until the time of the next try, then it is offered."""
    append, tries = router.ledger.append, 0

    async def away_once(tenant: str, writes: list[Write], guards: list[Guard]) -> Appended:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise LedgerUnavailable()
        return await append(tenant, writes, guards)

    await router.on_duty("piotr")
    await router.happens(call("started"))
    monkeypatch.setattr(router.ledger, "append", away_once)
    assert await router.offers() == []
    assert tries == 1
    router.clock.time += timedelta(seconds=POSTPONED.first_seconds)
    assert await router.offers() == ["context.packaged", "contact.offered", "agent.reserved"]


async def test_an_agent_with_an_event_of_a_newer_version_keeps_her_queue_going(
    router: InMemoryRouter,
) -> None:
    """She is not asked; her colleagues are."""
    await router.on_duty("ewa", "piotr")
    await router.newer_event_of("ewa")
    await router.happens(call("started"))
    assert await router.offers() == ["context.packaged", "contact.offered", "agent.reserved"]
    assert (await router.last(ContactOffered)).open.agent == "piotr"


async def test_nobody_is_asked_before_the_whole_past_is_known(router: InMemoryRouter) -> None:
    """A dispatcher that has read half of the ledger asks nobody, for what it knows is long over."""
    await router.on_duty("piotr")
    await router.happens(call("started"))
    half = await router.ledger.position()
    await router.happens(call("ended", k=1))
    ledger = HalfRead(router, half)
    dispatcher = Dispatcher(router.cases, ledger, router.snapshots)  # type: ignore[arg-type]
    running = [asyncio.create_task(dispatcher.follow()), asyncio.create_task(dispatcher.dispatch())]
    await eventually(lambda: _true(dispatcher.position == half))
    await eventually(lambda: _true(ledger.waits))
    reads = router.ledger.reads
    with pytest.raises(StillReading):
        await dispatcher.check()
    ledger.rest.set()
    await eventually(lambda: _true(dispatcher.position > half))
    await dispatcher.check()
    assert router.ledger.reads == reads
    await end(running)


async def _true(condition: bool) -> bool:
    return condition


class HalfRead:
    """A ledger whose follower gets the second half when `rest` is set."""

    def __init__(self, router: InMemoryRouter, half: int) -> None:
        self._router, self._half = router, half
        self.rest, self.waits = asyncio.Event(), False

    async def position(self) -> int:
        return await self._router.ledger.position()

    async def follow(self, after: int):  # type: ignore[no-untyped-def]
        recorded = await self._router.recorded()
        yield recorded[: self._half]
        self.waits = True
        await self.rest.wait()
        yield recorded[self._half :]
        await asyncio.Event().wait()


@pytest.mark.parametrize("seed", range(300, 306))
async def test_the_picture_shows_what_the_ledger_holds(seed: int) -> None:
    """Who waits, for whom, and who owns what, are the same as in the whole folds, in a random history.

    So it is in the picture that grew with it, in one that is learned anew, and in one that begins with a snapshot.
    """
    hands = Hands(seed)
    await hands.begin()
    kept_at = Random(seed).randrange(STEPS)
    for number in range(STEPS):
        await hands.step()
        if number == kept_at:
            await hands.router.dispatch()
            await hands.router.dispatcher.keep_now()
    router = hands.router
    await router.dispatch()
    grown = router.dispatcher.picture
    await shows_what_the_ledger_holds(router, grown)
    await shows_what_the_ledger_holds(router, await relearned(router))
    await shows_what_the_ledger_holds(router, await relearned(router, begin=True))


async def shows_what_the_ledger_holds(router: InMemoryRouter, picture: Picture) -> None:
    open_ones = [it for it in await router.conversations() if not it.resolved]
    shown = {it.id: picture.open[TENANT, it.id] for it in open_ones if it.id is not None}
    assert len(picture.open) == len(open_ones)
    agents = sorted(AgentId(name) for name in router.policy.agents)
    for it in open_ones:
        assert it.id is not None
        assert waits(shown[it.id]) == waits(it)
        assert shown[it.id].ownership.offer == it.ownership.offer
        now = router.clock.time
        asked = candidates(router.policy, it, now)
        assert candidates(router.policy, shown[it.id], now) == asked
        assert sorted(picture.shortlist(TENANT, it, now)) == asked
    limits = router.policy.agents
    free = [name for name in agents if picture.agent(TENANT, name).can_take(limits[name])]
    for group in {group for agent in router.policy.agents.values() for group in groups_of(agent)}:
        of_group = [name for name in free if group in groups_of(router.policy.agents[name])]
        assert sorted(picture.free(TENANT, Pool((group,)))) == of_group
    for name in router.policy.agents:
        agent = await router.agent(name)
        known = picture.agent(TENANT, AgentId(name))
        assert (known.status, known.working_on) == (agent.status, agent.working_on)
        owned = {it.id for it in open_ones if it.ownership.owner == name}
        assert picture.owned_by(TENANT, AgentId(name)) == owned


async def relearned(router: InMemoryRouter, *, begin: bool = False) -> Picture:
    """Return the picture of a router that starts now; `begin`: with the snapshot that was kept."""
    router.restart()
    if begin:
        await router.dispatcher.begin()
        assert router.dispatcher.position > 0
    await router.dispatch()
    return router.dispatcher.picture


# -- policies that change ---------------------------------------------------------------------------------


async def test_who_waits_is_offered_to_an_agent_who_comes_by_a_new_policy() -> None:
    """She is on duty and had no queue; nothing else happens meanwhile."""
    router = InMemoryRouter()
    policy, ewa = router.policy, router.policy.agents["ewa"]
    router.cases.policies.take([replace(policy, agents={"ewa": replace(ewa, queues=[])})])
    router.dispatcher.take_up([TENANT])
    await router.on_duty("ewa")
    await router.happens(call("started"))
    assert "contact.offered" not in await router.offers()
    router.cases.policies.take([policy])
    router.dispatcher.take_up([TENANT])
    assert "contact.offered" in await router.offers()


async def test_a_tenant_who_left_goes_on_where_she_was() -> None:
    """Nobody is offered her matters meanwhile, and what happened since is known without reading the ledger again."""
    router = InMemoryRouter()
    await router.happens(call("started"))
    await router.dispatch()
    router.cases.policies.take([])
    router.dispatcher.take_up([TENANT])
    await router.dispatch()
    assert router.dispatcher.picture.open != {}
    router.cases.policies.take([router.policy])
    router.dispatcher.take_up([TENANT])
    await router.on_duty("ewa")
    assert "contact.offered" in await router.offers()


async def test_what_is_opened_again_by_another_router_is_known(router: InMemoryRouter) -> None:
    """A picture forgets what is resolved; whose owner leaves it then, it is taken from her by every router (I14)."""
    conversation = await router.owned_by("piotr", message("hello"))
    said = {"conversation": conversation, "disposition": "solved", "summary": "Done."}
    await router.does("piotr", "wrap_up", **said)
    await router.does("piotr", "resolve", conversation=conversation)
    other, key = (
        Dispatcher(router.new_cases(), router.ledger, router.snapshots),
        (TENANT, conversation),
    )
    following = asyncio.create_task(other.follow())
    await eventually(lambda: _true(other.position > 0))
    assert key not in other.picture.open
    await router.does("piotr", "reopen", conversation=conversation, reason="Too early.")
    await eventually(lambda: _true(key in other.picture.open))
    await router.does("piotr", "set_status", status="signed_out")
    await eventually(lambda: _true(key in other.picture.left))
    await end([following])
