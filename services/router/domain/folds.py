"""How the router folds each kind of aggregate that it writes."""

from collections.abc import Mapping

import msgspec

from services.router.domain import agent, announcements, identity, lane
from shared import aggregates, conversation, customer, events, memory

EARLY_MAX = 64


class Journal(msgspec.Struct, frozen=True, kw_only=True):
    """An aggregate of which only the memory matters, such as a channel account's quarantine.

    `parked`: what is parked here and neither done nor given up, by its id; `early`: the latest EARLY_MAX reports on
    messages of which nobody had said yet that they were sent.
    """

    seen: memory.Memory = {}
    parked: Mapping[str, events.ParkedOpen] = {}
    early: tuple[events.OutcomeEvent, ...] = ()
    sequence: int = 0


def _noted(journal: Journal, sequence: int, event: events.AnyEvent) -> Journal:
    return Journal(
        seen=memory.remember(journal.seen, sequence, event),
        parked=_still_parked(journal.parked, event),
        early=_still_early(journal.early, event),
        sequence=sequence,
    )


def _still_early(
    early: tuple[events.OutcomeEvent, ...], event: events.AnyEvent
) -> tuple[events.OutcomeEvent, ...]:
    if not isinstance(event, events.OutcomeEvent):
        return early
    by_time = event.open.until is not None and event.open.message_id is not None
    return (*early, event)[-EARLY_MAX:] if by_time or event.open.refers_to is not None else early


def _still_parked(
    parked: Mapping[str, events.ParkedOpen], event: events.AnyEvent
) -> Mapping[str, events.ParkedOpen]:
    match event:
        case events.ContactParked(open=opened) | events.WorkParked(open=opened):
            return {**parked, opened.parked_id: opened}
        case (
            events.ContactRetried(open=settled)
            | events.WorkRetried(open=settled)
            | events.ContactSkipped(open=settled)
            | events.WorkSkipped(open=settled)
        ):
            return {name: each for name, each in parked.items() if name != settled.parked_id}
        case _:
            return parked


CONVERSATION = aggregates.Folded(
    aggregates.CONVERSATION,
    conversation.NEW_CONVERSATION,
    conversation.evolve,
    over=lambda it: it.resolved,
)
CUSTOMER = aggregates.Folded(aggregates.CUSTOMER, customer.UNKNOWN_CUSTOMER, customer.evolve)
AGENT = aggregates.Folded(aggregates.AGENT, agent.ABSENT, agent.evolve)
IDENTITY = aggregates.Folded(aggregates.IDENTITY, identity.UNCLAIMED, identity.evolve)
ACCOUNT = aggregates.Folded(aggregates.ACCOUNT, Journal(), _noted)
POLICY = aggregates.Folded(aggregates.POLICY, Journal(), _noted)
WORK = aggregates.Folded(aggregates.WORK, Journal(), _noted)
ENTRY = aggregates.Folded(aggregates.ENTRY, Journal(), _noted)
ANNOUNCED = aggregates.Folded(
    aggregates.ANNOUNCED, announcements.NOTHING_SAID, announcements.evolve
)
LANE = aggregates.Folded(aggregates.LANE, lane.IN_TIME, lane.evolve)

PARKED_ON = {each.kind.prefix: each for each in (ACCOUNT, WORK)}
"""The journals on which something may be parked, by the prefix of their kind."""

JOURNALS = {**PARKED_ON, aggregates.ENTRY.prefix: ENTRY}
"""Those that operators' commands are recorded on."""
