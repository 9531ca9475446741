"""What commands, contact events, timers and the dispatcher share: load a case, arm timers, append."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import structlog

from services.router.domain.agent import Agent
from services.router.domain.decide import OFFER_EXPIRY, TRANSFER_EXPIRY
from services.router.domain.decision import Case
from services.router.store import Store
from shared import events
from shared.clock import Clock
from shared.conversation import Conversation
from shared.errors import SettingInvalid
from shared.policy import Policies
from shared.timers import Timers

log = structlog.get_logger("router")


class Clerk:
    """Files decisions. `secrets`: by name, of which the tenants' lookup keys are used here."""

    def __init__(
        self,
        store: Store,
        timers: Timers,
        policies: Policies,
        secrets: dict[str, str],
        clock: Clock,
    ) -> None:
        self.store = store
        self.policies = policies
        self.clock = clock
        self._timers = timers
        self._keys = {
            tenant: _key(secrets, policies.of(tenant).lookup_secret)
            for tenant in policies.tenants()
        }
        self._versions = {tenant: policies.of(tenant).version for tenant in policies.tenants()}

    def lookup_key(self, tenant: str) -> bytes:
        """Return the key under which the tenant's handles are hashed."""
        return self._keys[tenant]

    def policy_version(self, tenant: str) -> str:
        return self._versions[tenant]

    async def case(
        self,
        tenant: str,
        conversation_id: events.ConversationId,
        *,
        leader: bool = False,
        asked: Sequence[events.AgentId] = (),
    ) -> Case:
        """Load a conversation, its customer, and the agents who own it, are asked, or hand it on."""
        conversation = await self.store.conversation(tenant, conversation_id, leader=leader)
        if conversation.id is None or conversation.customer is None:
            return Case(conversation=conversation)
        customer = await self.store.known_customer(tenant, conversation.customer, leader=leader)
        agents = await self.agents_of(tenant, conversation, asked, leader=leader)
        return Case(conversation=conversation, customer=customer, agents=agents)

    async def agents_of(
        self,
        tenant: str,
        it: Conversation,
        others: Sequence[events.AgentId] = (),
        *,
        leader: bool = False,
    ) -> dict[events.AgentId, Agent]:
        """Load everybody who has to do with a conversation.

        Who owns it or is asked holds a slot: where a lagging replica does not show that yet, the leader is asked,
        or the slot would never be freed.
        """
        holding = {it.ownership.owner, it.ownership.offer.agent if it.ownership.offer else None} - {
            None
        }
        sender = it.ownership.transfer.sender if it.ownership.transfer else None
        agents = await self.store.agents(tenant, [*holding, sender, *others], leader=leader)
        lagging = [each for each in holding if each and it.id not in agents[each].working_on]
        return agents | await self.store.agents(tenant, lagging, leader=True)

    async def change(
        self,
        tenant: str,
        load: Callable[[bool], Awaitable[Case]],
        decide: Callable[[Case], list[events.AnyEvent]],
        *,
        confirm: bool = True,
    ) -> None:
        """Decide and append; timers are armed before, so that none is missing after a crash.

        `confirm`: a refusal or an empty decision is decided once more on a read from the leader.
        Raises: the refusal; LedgerConflict, LedgerUnavailable.
        """

        async def prepare(decided: Sequence[events.AnyEvent]) -> None:
            await self._arm(tenant, decided)

        decided = await self.store.change(tenant, load, decide, prepare, confirm=confirm)
        if decided:
            log.info(
                "decision_recorded",
                cause=decided[0].causation or decided[0].id,
                types=[event.type for event in decided],
                conversation=next(
                    (each.conversation for each in decided if each.conversation), None
                ),
            )

    async def _arm(self, tenant: str, decided: Sequence[events.AnyEvent]) -> None:
        for event in decided:
            if isinstance(event, events.ContactOffered):
                kind, key = OFFER_EXPIRY, event.open.offer_id
                await self._timers.arm(tenant, event.aggregate, kind, key, event.open.expires)
            elif isinstance(event, events.TransferRequested):
                kind, name = TRANSFER_EXPIRY, event.open.transfer_id
                await self._timers.arm(tenant, event.aggregate, kind, name, event.open.expires)


def _key(secrets: dict[str, str], name: str) -> bytes:
    if not secrets.get(name):
        raise SettingInvalid("a secret that the policy names is missing", secret=name)
    return secrets[name].encode()
