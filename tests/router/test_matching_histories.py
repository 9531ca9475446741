"""Whatever happens under a policy that asks for much: nobody is overlooked, and nobody has too much."""

import pytest
import yaml

from services.router.domain import agent as agents
from services.router.domain.asking import candidates, choose, waits
from shared import aggregates, policy
from shared.events import AgentId, AgentReserved
from tests.router.in_memory_router import InMemoryRouter
from tests.router.invariants import check
from tests.router.samples import POLICY_TEXT
from tests.router.test_histories import DAYS_MAX, STEPS, Hands

DEMANDING = yaml.safe_load("""
queues:
  hotline:
    title: Hotline
    supervisor: piotr
    skills: {talk: 3}
    sticky_seconds: 25
    priority_seconds: 10
    relaxes:
      - {after_seconds: 20, level: 1}
      - {after_seconds: 40, level: 0, any_language: true}
      - {after_seconds: 60, overflow: warehouse}
  warehouse: {title: Warehouse, skills: {lift: 1}}
agents:
  piotr: {name: Piotr, queues: [hotline], teams: [desk], skills: {talk: 4}, languages: [pl], slots_by_medium: {call: 1}}
  ewa: {name: Ewa, queues: [hotline], teams: [desk], slots: 2, skills: {talk: 1}}
  marek: {name: Marek, queues: [warehouse], teams: [store], skills: {lift: 2}, slots_by_medium: {call: 1, chat: 2}}
""")


def demanding() -> policy.Policy:
    """Return the samples' policy that asks for skills, counts calls apart, and waits for who had her last."""
    merged = yaml.safe_load(POLICY_TEXT)
    merged["accounts"]["chat/shop"]["language"] = "sk"
    merged["accounts"]["email/shop"]["priority_seconds"] = 100
    merged["accounts"]["twilio_voice/hotline"]["menu"]["2"] |= {"queue": "warehouse"}
    return policy.parse(yaml.safe_dump(merged | DEMANDING).encode())


async def nobody_is_overlooked(router: InMemoryRouter) -> None:
    """Of all who wait after a round of dispatching nobody could be offered: by a look at every pair."""
    await router.dispatch()
    now = router.clock.time
    stands = {AgentId(name): await router.agent(name) for name in router.policy.agents}
    for it in await router.conversations():
        if waits(it):
            names = candidates(router.policy, it, now)
            choice = choose(router.policy, it, names, stands.__getitem__, now)
            assert choice.agent is None, (it.id, choice)


async def no_line_is_taken_twice(router: InMemoryRouter) -> None:
    """When somebody is asked, what she has of the medium then is within what she takes at once."""
    for name, limits in router.policy.agents.items():
        state = agents.ABSENT
        for each in await router.recorded():
            if each.aggregate != aggregates.AGENT.of(name):
                continue
            state = agents.evolve_parts(state, each.sequence, each.event)
            event = each.event
            if isinstance(event, AgentReserved) and event.open.until and event.open.medium:
                taken = [it for it in state.media.values() if it == event.open.medium]
                assert len(taken) <= limits.slots_by_medium[event.open.medium], (name, event.id)


@pytest.mark.parametrize("seed", [400, 401, 404])
async def test_nobody_is_overlooked_and_nobody_has_too_much(seed: int) -> None:
    """In a random history; at its end everything can be ended, whatever was asked for."""
    hands = Hands(seed, policy=demanding())
    await hands.begin()
    for _ in range(STEPS):
        await hands.step()
        await nobody_is_overlooked(hands.router)
    await no_line_is_taken_twice(hands.router)
    assert any(each.open.medium for each in await hands.router.all(AgentReserved))
    await hands.everybody_hangs_up()
    for _ in range(DAYS_MAX):
        await hands.everybody_works()
        if all(it.resolved for it in await hands.router.conversations()):
            break
    await check(hands.router)
    left = [it for it in await hands.router.conversations() if not it.resolved]
    assert [(it.ownership.owner, it.ownership.queue, it.ownership.needs) for it in left] == []
