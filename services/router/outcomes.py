"""Reports of what became of messages to customers: find the conversation of each, record what is new, once.

A provider may report on a message before notify has said under which id it went. Such a report waits on the journal of
its account. Whichever of the two comes second finds the other: each writes first and looks afterwards.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from services.router.cases import Cases
from services.router.domain import folds
from services.router.domain.decision import Decision, Loaded
from services.router.domain.identify import claim
from services.router.domain.outcomes import name_of, news_of
from services.router.resolving import references_to
from shared import aggregates, deciding, errors, events
from shared.conversation import NEW_CONVERSATION, Conversation

Noting = Callable[[events.ContactEvent], Awaitable[bool]]
"""Records an event on its account; returns whether it was recorded now."""


class Outcomes:
    """Takes reports of what became of messages. `on_account`: for what tells nothing, or nothing yet."""

    def __init__(self, cases: Cases, on_account: Noting) -> None:
        self._cases = cases
        self._on_account = on_account

    async def take(self, event: events.OutcomeEvent) -> None:
        """Record a report where its matter goes on: there somebody has it.

        A report from outside that tells nothing new, or names no message of ours, stands on its account instead.
        Raises: NotAnEvent for one of ours that names none.
        """
        told = await self._tell(event)
        if not told and event.raw is not None:
            noted = await self._on_account(event)
            if noted and name_of(event) is not None:
                await self._tell(event)
        if told and isinstance(event, events.MessageSent):
            for early in await self._early(event):
                await self._tell(early)

    async def _tell(self, event: events.OutcomeEvent) -> bool:
        """Record what is new in its conversation; return whether it was or is there."""
        matter: list[Conversation] = []
        origin = self._cases.origin(
            event.tenant,
            event.id,
            event.actor,
            event.occurred,
            raw=event.raw,
            traceparent=event.traceparent,
        )
        repeated = False

        async def load(reading: deciding.Reading) -> Loaded:
            nonlocal matter
            matter = await self._matter(reading, event)
            if not matter:
                return Loaded(NEW_CONVERSATION)
            loaded = await self._cases.load(reading, events.ConversationId(matter[-1].id or ""))
            named = [name] if (name := name_of(event)) else []
            return replace(loaded, handles=await self._cases.handles(reading, named))

        def decide(loaded: Loaded) -> list[events.AnyEvent]:
            nonlocal repeated
            repeated = any(event.id in each.seen for each in matter)
            news = [] if repeated else news_of(matter, event)
            decision = Decision(loaded, origin)
            for each in news:
                decision.repeat(each)
            if news and isinstance(event, events.MessageSent):
                _lead_here(decision)
            return decision.events

        changed = await self._cases.change(event.tenant, load, decide)
        return repeated or bool(changed.events)

    async def _matter(
        self, reading: deciding.Reading, event: events.OutcomeEvent
    ) -> list[Conversation]:
        """Return the conversation in which the message was written, and those in which that went on."""
        written_in = event.conversation or await self._written_in(reading, event)
        if written_in is None:
            return []
        found = await self._cases.going_on(reading, written_in)
        return [each for each in found if each.id is not None]

    async def _written_in(
        self, reading: deciding.Reading, event: events.OutcomeEvent
    ) -> events.ConversationId | None:
        name, opened = name_of(event), event.open
        if name is None and opened.until is None:
            if event.raw is None:
                raise errors.NotAnEvent(type=event.type)
            return None
        asked = references_to(event)[:1] if name is None else [name]
        (resolved,) = await self._cases.handles(reading, asked)
        return resolved.identity.conversation

    async def _early(self, event: events.OutcomeEvent) -> list[events.OutcomeEvent]:
        """Return the reports that came before their message was known, as they came."""
        if event.open.refers_to is None:
            return []
        account = aggregates.account(event.open.channel, event.open.account)
        reading = deciding.Reading(self._cases.deciding, event.tenant, leader=True)
        journal = await reading.load(folds.ACCOUNT, aggregates.split(account)[1])
        return [each for each in journal.early if each.open.refers_to == event.open.refers_to]


def _lead_here(decision: Decision) -> None:
    """From now on the provider's id of the message leads to its conversation."""
    conversation = decision.conversation
    for each in decision.loaded.handles:
        if conversation.customer is not None:
            claim(decision, each, conversation.customer, conversation.id)
