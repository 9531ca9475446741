"""How each event changes a conversation, part by part. Pure: no clock, no id, no failure.

The version below changes whenever the same events would fold to another packet.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from shared import events, memory
from shared.conversation import (
    contacts,
    handling,
    last_escalation,
    last_packet,
    levels,
    live_wait,
    matter,
    ownership,
    people,
    reviews,
    satisfaction,
    talk,
)
from shared.conversation.state import NEW_CONVERSATION, Announced, Conversation
from shared.events.packet import Visit

FOLD_VERSION = 16


def evolve(conversation: Conversation, sequence: int, event: events.AnyEvent) -> Conversation:
    """Return the conversation after one event of `conv-<id>`. It never fails; unknown types change nothing."""
    seen = memory.remember(conversation.seen, sequence, event)
    return replace(evolve_parts(conversation, sequence, event), seen=seen)


def evolve_parts(conversation: Conversation, sequence: int, event: events.AnyEvent) -> Conversation:
    """Return the same without the memory of commands: enough for a service that answers none."""
    answers = event.id in conversation.satisfaction.answers
    return (_answered if answers else _changed)(conversation, sequence, event)


def _changed(conversation: Conversation, sequence: int, event: events.AnyEvent) -> Conversation:
    """Return it after an event that is what its type says."""
    before = conversation.ownership
    after = ownership.evolve(before, event)
    owned = after.owner is not None
    contacts_after = contacts.evolve(conversation.contacts, event, before)
    changed = replace(
        conversation,
        ownership=after,
        contacts=contacts_after,
        levels=levels.evolve(conversation.levels, event, contacts_after),
        matter=matter.evolve(conversation.matter, sequence, event, before.handovers),
        talk=talk.evolve(conversation.talk, event),
        people=people.evolve(conversation.people, event),
        handling=handling.evolve(conversation.handling, event, before, after),
        reviewing=reviews.evolve(conversation.reviewing, event),
        satisfaction=satisfaction.evolve(conversation.satisfaction, event),
        packet=last_packet.evolve(conversation.packet, event),
        escalation=last_escalation.evolve(conversation.escalation, event),
        visit=_visit(conversation.visit, event),
        announced=_announced(conversation.announced, event),
        live_wait=live_wait.evolve(conversation.live_wait, event, owned=owned),
        sequence=sequence,
    )
    match event:
        case events.ConversationOpened():
            return replace(
                changed,
                id=event.conversation,
                customer=event.customer,
                opened=event.happened if event.imported else event.recorded,
                imported=event.imported,
                correlation=event.causation,
                after=event.personal.after if event.personal else None,
            )
        case (
            events.CallStarted()
            | events.CallMissed()
            | events.MessageReceived()
            | events.FormSubmitted()
        ) if not (event.open.automatic or event.imported):
            return replace(changed, heard=sequence)
        case events.CallVoicemailLeft() if event.open.refers_to is not None:
            return changed
        case events.CallAbandoned() | events.CallVoicemailLeft() if not event.open.automatic:
            return replace(changed, heard=sequence)
        case events.ConversationMerged():
            return replace(changed, heard=sequence)
        case events.ConversationLinked():
            return replace(changed, customer=event.open.customer)
        case events.ConversationAbsorbed():
            return replace(changed, resolved=True, into=event.open.into)
        case events.ConversationResolved():
            return replace(changed, resolved=True)
        case events.ConversationReopened():
            return replace(changed, resolved=False)
        case _:
            return changed


def _answered(conversation: Conversation, sequence: int, event: events.AnyEvent) -> Conversation:
    """Return it with a message that says how it was, and asks for nothing: it is said, and changes nothing else."""
    said = talk.evolve(conversation.talk, event)
    return replace(
        conversation,
        talk=replace(said, unanswered=conversation.talk.unanswered),
        packet=last_packet.evolve(conversation.packet, event),
        sequence=sequence,
    )


def _visit(visit: Visit | None, event: events.AnyEvent) -> Visit | None:
    """Return the last visit to the shop's pages that is known after an event."""
    if not isinstance(event, events.VisitNoted):
        return visit
    return event.personal.visit if event.personal else None


def _announced(announced: Announced, event: events.AnyEvent) -> Announced:
    if not isinstance(event, events.ContextAnnounced):
        return announced
    shown = event.personal.announcements if event.personal else []
    return Announced(shown=tuple(shown), more=event.open.more)


def fold(
    history: Iterable[tuple[int, events.AnyEvent]], start: Conversation = NEW_CONVERSATION
) -> Conversation:
    """Return the conversation after (sequence, event) pairs in ledger order."""
    for sequence, event in history:
        start = evolve(start, sequence, event)
    return start
