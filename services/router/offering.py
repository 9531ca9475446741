"""Makes the offers that can be made: several in one decision, and each by itself where that is refused.

Whom to ask is chosen by the picture, which follows the ledger; whoever is chosen is looked at for the decision, and the
append proves that conversations, customers and agents stood as they were taken to stand.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace as with_more

import structlog
from msgspec.structs import replace

from services.router.cases import Cases
from services.router.domain import folds
from services.router.domain.agent import Agent
from services.router.domain.asking import choose
from services.router.domain.decide import decide_offer
from services.router.domain.decision import Loaded, Origin
from services.router.domain.pool import medium_of
from services.router.lines import Key
from services.router.picture import Picture
from shared import deciding, errors, events, ids

AT_ONCE = 16
"""So many offers stand in one append at most: what is written for one of them by somebody else refuses all."""
RULE = "dispatch"

Taken = dict[events.AgentId, dict[events.ConversationId, events.Medium | None]]
"""What the earlier offers of a decision take of each agent, and on which medium."""

log = structlog.get_logger("router.offering")


class Offering:
    """Offers waiting conversations, longest waiting first."""

    def __init__(self, cases: Cases, picture: Picture) -> None:
        self._cases = cases
        self._picture = picture

    async def offer_all(self) -> None:
        """Make the offers that can be made now: fewer at once after a refusal, until one stands alone."""
        width, clock = AT_ONCE, self._cases.clock
        while keys := self._picture.next(clock.now(), width):
            if await self._offer(keys):
                width = min(AT_ONCE, 2 * len(keys))
            elif len(keys) > 1:
                width = len(keys) // 2
            else:
                self._picture.postpone(keys[0], clock.now())

    async def _offer(self, keys: Sequence[Key]) -> bool:
        """Offer conversations of one tenant in one decision; tell whether anything was written.

        Several are tried once. One alone is tried again after a conflict, and the leader has to say that it cannot be
        offered.
        """
        tenant, alone = keys[0][0], len(keys) == 1
        first = deciding.Reading(self._cases.deciding, tenant, leader=False, remembered=True)

        async def load(reading: deciding.Reading) -> list[tuple[Loaded, Origin]]:
            return await self._load(reading, [conversation for _, conversation in keys])

        def decide(loaded: Sequence[tuple[Loaded, Origin]]) -> list[events.AnyEvent]:
            decided = (decide_offer(each, origin) for each, origin in loaded)
            return [event for offered in decided for event in offered]

        try:
            changed = await self._cases.change(
                tenant, load, decide, first=first, confirm=alone, retries=None if alone else 0
            )
        except errors.TellonceError as error:
            log.warning(
                "offer_postponed" if alone else "offers_parted",
                conversations=[conversation for _, conversation in keys],
                code=error.code,
            )
            return False
        except Exception:
            # A fault of ours in one decision is not to keep everybody else waiting.
            log.exception("offer_failed", conversations=[name for _, name in keys])
            return False
        return bool(changed.events)

    def _origin(self, tenant: str, loaded: Loaded) -> Origin:
        sequence = str(loaded.conversation.sequence)
        cause = ids.scoped_id(RULE, tenant, loaded.conversation.id or "", sequence)
        return self._cases.origin(
            tenant, cause, f"rule:{RULE}@{self._cases.policy_version(tenant)}"
        )

    async def _load(
        self, reading: deciding.Reading, names: Sequence[events.ConversationId]
    ) -> list[tuple[Loaded, Origin]]:
        """Load conversations for their offers, in turn: what one takes of an agent the next does not have."""
        found = await reading.load_all(folds.CONVERSATION, names)
        customers = dict.fromkeys(each.customer for each in found if each.customer)
        await reading.load_all_named(folds.CUSTOMER, customers)
        taken: Taken = {}
        return [await self._with_agents(reading, name, taken) for name in names]

    async def _with_agents(
        self, reading: deciding.Reading, name: events.ConversationId, taken: Taken
    ) -> tuple[Loaded, Origin]:
        """Load a conversation with whoever is chosen; the others are as the picture shows them.

        Who may be chosen, and what is decided, is by the policy of this moment: another one may come meanwhile.
        """
        tenant, loaded = reading.tenant, await self._cases.load(reading, name)
        origin = self._origin(tenant, loaded)
        policy, now = origin.policy, origin.recorded
        names = self._picture.shortlist(tenant, loaded.conversation, now)
        agents = {
            each: _without(self._picture.agent(tenant, each), taken.get(each)) for each in names
        }
        looked_at = set[events.AgentId]()
        while True:
            chosen = choose(policy, loaded.conversation, names, agents.__getitem__, now).agent
            if chosen is None or chosen in looked_at:
                break
            looked_at.add(chosen)
            agents[chosen] = _without(await reading.load(folds.AGENT, chosen), taken.get(chosen))
        if chosen is not None:
            taken.setdefault(chosen, {})[name] = medium_of(loaded.conversation)
        return with_more(loaded, agents={**loaded.agents, **agents}, shortlist=names), origin


def _without(
    agent: Agent, taken: Mapping[events.ConversationId, events.Medium | None] | None
) -> Agent:
    """Return an agent with less room, as the offers before leave it."""
    if not taken:
        return agent
    media = {key: medium for key, medium in taken.items() if medium is not None}
    return replace(agent, working_on=agent.working_on | set(taken), media={**agent.media, **media})
