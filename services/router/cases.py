"""What commands, contact events, timers and the dispatcher share: where they come from, and what they load."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar

import structlog

from services.router.domain import folds
from services.router.domain.agent import Agent
from services.router.domain.announcements import Announcements
from services.router.domain.decision import SERVICE, KnownCustomer, Loaded, Origin, ResolvedHandle
from services.router.domain.identify import as_handle
from shared import aggregates, errors, events, mail_reference, subjects, tracing
from shared import handles as normal_handles
from shared.clock import Clock
from shared.commands import REMEMBERED
from shared.conversation import Conversation
from shared.customer import Customer
from shared.deciding import Changed, Deciding, Reading
from shared.policies import ByTenant, Policies
from shared.policy import Policy

CONVERSATIONS_CONSIDERED = 8
"""Newest conversations of a customer that a contact may join."""
HERS_CONSIDERED = 16
"""In so many of her newest conversations it is looked whether she was asked how it was."""
TOKENS_KEPT = 1_024
"""A contact asks for the same handles several times."""
MERGES_MAX = 32
"""So often a conversation that went on in another one is followed."""

L = TypeVar("L")

log = structlog.get_logger("router")


class Cases:
    """The router's decisions. `secrets`: by name, of which the tenants' lookup and reply keys are used here."""

    def __init__(
        self, deciding: Deciding, policies: Policies, secrets: Mapping[str, str], clock: Clock
    ) -> None:
        self.deciding = deciding
        self.policies = policies
        self.clock = clock
        self._keys = ByTenant(policies, lambda policy: lookup_key(policy, secrets))
        self.reply_keys = ByTenant(policies, lambda policy: mail_reference.keys_of(policy, secrets))
        self._token = lru_cache(TOKENS_KEPT)(normal_handles.lookup_token)

    def policy_version(self, tenant: str) -> str:
        """Raises: TenantUnknown."""
        return self.policies.version_of(tenant)

    def origin(
        self, tenant: str, cause: str, actor: str, occurred: datetime | None = None, **known: Any
    ) -> Origin:
        """Return where a decision of now comes from. Raises: TenantUnknown."""
        known["traceparent"] = tracing.current() or known.get("traceparent")
        now, policy = self.clock.now(), self.policies.of(tenant)
        return Origin(
            tenant=tenant,
            service=SERVICE,
            cause=cause,
            actor=actor,
            occurred=occurred or now,
            recorded=now,
            policy=policy,
            policy_version=self.policies.version_of(tenant),
            **known,
        )

    def origin_of_any(self, tenant: str, cause: str, actor: str, **known: Any) -> Origin:
        """As `origin`, also for a tenant who has no policy: what comes for her is set aside until she has one."""
        with contextlib.suppress(errors.TenantUnknown):
            return self.origin(tenant, cause, actor, **known)
        now, nothing = self.clock.now(), Policy(tenant=tenant, queues={}, agents={}, accounts={})
        return Origin(
            tenant=tenant,
            service=SERVICE,
            cause=cause,
            actor=actor,
            occurred=now,
            recorded=now,
            policy=nothing,
            policy_version=nothing.version,
            **known,
        )

    def may_be_known(self, event: events.ContactEvent) -> bool:
        """Tell whether the delivery of an event came before the memory of the folds begins, or it was imported."""
        return event.imported or self.clock.now() - event.recorded >= REMEMBERED

    async def load(
        self,
        reading: Reading,
        conversation_id: events.ConversationId,
        asked: Iterable[events.AgentId] = (),
    ) -> Loaded:
        """Load a conversation, its customer, and its agents: the owner, those asked, those who hand the matter on."""
        conversation = await reading.load(folds.CONVERSATION, conversation_id)
        if conversation.id is None or conversation.customer is None:
            return Loaded(conversation, agents=await self.agents(reading, asked))
        customer, agents, said = await asyncio.gather(
            reading.load_named(folds.CUSTOMER, conversation.customer),
            self.agents_of(reading, conversation, asked),
            self.announcements(reading),
        )
        return Loaded(conversation, customer, agents, announcements=said)

    async def announcements(self, reading: Reading) -> Announcements:
        """Load what the desk is to know."""
        return await reading.load(folds.ANNOUNCED, aggregates.split(aggregates.DESK)[1])

    async def going_on(
        self, reading: Reading, conversation_id: events.ConversationId
    ) -> list[Conversation]:
        """Load a conversation and those in which it went on since, in this order."""
        found = [await reading.load_named(folds.CONVERSATION, conversation_id)]
        while len(found) <= MERGES_MAX and (into := found[-1].into) is not None:
            found.append(await reading.load_named(folds.CONVERSATION, into))
        return found

    async def agents(
        self, reading: Reading, wanted: Iterable[events.AgentId | None], *, leader: bool = False
    ) -> dict[events.AgentId, Agent]:
        """Load agents by id; what is no id is nobody's."""
        names = sorted({name for name in wanted if name is not None and subjects.is_token(name)})
        agents = await reading.load_all(folds.AGENT, names, leader=leader)
        return dict(zip(names, agents, strict=True))

    async def agents_of(
        self,
        reading: Reading,
        conversation: Conversation,
        others: Iterable[events.AgentId] = (),
    ) -> dict[events.AgentId, Agent]:
        """Load everybody who has to do with a conversation.

        Who owns it or is asked holds a slot: where a lagging replica does not show that yet, the leader is asked,
        or the slot would never be freed.
        """
        ownership = conversation.ownership
        owner = ownership.owner if conversation.handling.snooze is None else None
        holding = {owner, ownership.offer.agent if ownership.offer else None} - {None}
        sender = ownership.transfer.sender if ownership.transfer else None
        agents = await self.agents(reading, [*holding, ownership.owner, sender, *others])
        lagging = [
            name for name in holding if name and conversation.id not in agents[name].working_on
        ]
        return agents | await self.agents(reading, lagging, leader=True)

    async def with_matter(self, reading: Reading, loaded: Loaded) -> Loaded:
        """Load the conversation in which that of `loaded.whose` goes on: her only open one, with its agents."""
        latest = loaded.whose.conversations[-CONVERSATIONS_CONSIDERED:]
        others = [
            each.conversation for each in latest if each.conversation != loaded.conversation.id
        ]
        found = await reading.load_all_named(folds.CONVERSATION, others)
        still_open = [each for each in found if each.id is not None and not each.resolved]
        if len(still_open) != 1:
            return loaded
        agents = await self.agents_of(reading, still_open[0])
        return replace(loaded, matter=still_open[0], agents={**loaded.agents, **agents})

    async def with_hers(self, reading: Reading, loaded: Loaded) -> Loaded:
        """Load the newest conversations of the customer beside the one that is decided."""
        latest = [each.conversation for each in loaded.customer.conversations[-HERS_CONSIDERED:]]
        names = [name for name in latest if name != loaded.conversation.id]
        return replace(loaded, hers=await reading.load_all_named(folds.CONVERSATION, names))

    async def with_united(
        self, reading: Reading, loaded: Loaded, others: Sequence[Customer]
    ) -> Loaded:
        """Load what is known of a customer and of those who turn out to be her, with all agents."""
        united = [await self._person(reading, each) for each in (loaded.customer, *others)]
        agents = dict(loaded.agents)
        for conversation in (it for person in united for it in person.open):
            agents |= await self.agents_of(reading, conversation)
        return replace(loaded, agents=agents, united=united)

    async def _person(self, reading: Reading, customer: Customer) -> KnownCustomer:
        latest = customer.conversations[-CONVERSATIONS_CONSIDERED:]
        names = [each.conversation for each in latest]
        found = await reading.load_all_named(folds.CONVERSATION, names)
        known = await self.handles(reading, map(as_handle, customer.handles))
        return KnownCustomer(
            [each for each in found if each.id is not None and each.customer == customer.id],
            [each for each in known if each.identity.customer == customer.id],
        )

    async def handles(
        self, reading: Reading, handles: Iterable[events.Handle]
    ) -> list[ResolvedHandle]:
        """Load who holds each handle."""
        key = self._keys[reading.tenant]
        hashed = [(handle, self._token(key, handle)) for handle in handles]
        found = await reading.load_all(folds.IDENTITY, [token for _, token in hashed])
        return [
            ResolvedHandle(handle, token, identity)
            for (handle, token), identity in zip(hashed, found, strict=True)
        ]

    async def change(
        self,
        tenant: str,
        load: Callable[[Reading], Awaitable[L]],
        decide: Callable[[L], Sequence[events.AnyEvent]],
        *,
        confirm: bool = True,
        first: Reading | None = None,
        retries: int | None = None,
    ) -> Changed:
        """Decide and append, see `Deciding.change`; what was decided is logged."""
        changed = await self.deciding.change(
            tenant, load, decide, confirm=confirm, first=first, retries=retries
        )
        by_cause: dict[str, list[events.AnyEvent]] = {}
        for event in changed.events:
            by_cause.setdefault(event.causation or event.id, []).append(event)
        for cause, decided in by_cause.items():
            about = (event.conversation for event in decided if event.conversation)
            log.info(
                "decision_recorded",
                cause=cause,
                types=[event.type for event in decided],
                conversation=next(about, None),
            )
        return changed


def check_keys(policy: Policy, secrets: Mapping[str, str]) -> None:
    """Raises: SettingInvalid for a policy without one of the keys that the router decides by."""
    lookup_key(policy, secrets)
    mail_reference.keys_of(policy, secrets)


def lookup_key(policy: Policy, secrets: Mapping[str, str]) -> bytes:
    """Return the key under which handles are hashed. Raises: SettingInvalid where it has no value."""
    name = policy.lookup_secret
    if not secrets.get(name):
        raise errors.SettingInvalid("a secret that the policy names is missing", secret=name)
    return secrets[name].encode()
