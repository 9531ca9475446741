"""Reports of what became of messages to customers: find the conversation of each, record what is new, once.

A provider may report on a message before notify has said under which id it went. Such a report waits on the journal of
its account. Whichever of the two comes second finds the other: each writes first and looks afterwards.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from services.router.cases import Cases
from services.router.domain import folds, references
from services.router.domain.decision import Decision, Loaded
from services.router.domain.identify import claim
from services.router.domain.outcomes import name_of, news_of, waiting_of
from shared import aggregates, deciding, errors, events
from shared.conversation import NEW_CONVERSATION, Conversation


@dataclass(frozen=True, slots=True)
class Told:
    """What a report came to. `known`: it stands in a conversation; `waiting`: see `waiting_of`."""

    known: bool
    waiting: Sequence[events.OutcomeEvent]


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
        if event.raw is not None:
            for each in told.waiting if told.known else [event, *told.waiting]:
                if await self._on_account(each):
                    await self._tell(each)
        if told.known and event.open.message_id is not None:
            for early in await self._early(event):
                await self._tell(early)

    async def _tell(self, event: events.OutcomeEvent) -> Told:
        """Record what is new in its conversation."""
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
            handles = await self._cases.handles(reading, named)
            return replace(loaded, handles=handles, journal=await journal_of(reading, event))

        def decide(loaded: Loaded) -> list[events.AnyEvent]:
            nonlocal repeated
            repeated = any((event.causation or event.id) in each.seen for each in matter)
            noted = event.id in loaded.journal.seen
            news = [] if repeated else news_of(matter, event, noted=noted)
            decision = Decision(loaded, origin)
            for each in news:
                decision.repeat(each)
            if news:
                _lead_here(decision)
            return decision.events

        changed = await self._cases.change(event.tenant, load, decide)
        return Told(repeated or bool(changed.events), waiting_of(matter, event))

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
        told = event.personal.handles if event.personal else []
        session = [each for each in told if each.kind == "reference"]
        asked = [name] if name else [references.told_in(opened.contact_id), *session]
        found = await self._cases.handles(reading, asked)
        return next(
            (each.identity.conversation for each in found if each.identity.conversation), None
        )

    async def _early(self, event: events.OutcomeEvent) -> list[events.OutcomeEvent]:
        """Return the reports that came before their message was known, as they came."""
        wanted = event.open
        reading = deciding.Reading(self._cases.deciding, event.tenant, leader=True)
        journal = await journal_of(reading, event)
        return [
            each
            for each in journal.early
            if each.open.message_id == wanted.message_id
            or (each.open.refers_to is not None and each.open.refers_to == wanted.refers_to)
        ]


async def journal_of(reading: deciding.Reading, event: events.ContactEvent) -> folds.Journal:
    """Load the journal of the account that an event came by."""
    account = aggregates.account(event.open.channel, event.open.account)
    return await reading.load(folds.ACCOUNT, aggregates.split(account)[1])


def _lead_here(decision: Decision) -> None:
    """From now on the provider's id of the message leads to its conversation."""
    conversation = decision.conversation
    for each in decision.loaded.handles:
        if conversation.customer is not None:
            claim(decision, each, conversation.customer, conversation.id)
