"""How each event changes a conversation. Pure: no clock, no id, no failure.

The version below changes whenever the same events would fold to another packet.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from shared import events
from shared.conversation.contacts import (
    answered,
    begun,
    change_contact,
    contacted,
    lost,
    queued,
    wrapped_up,
)
from shared.conversation.matter import (
    callback_changed,
    fact_corrected,
    fact_repeated,
    fact_stated,
    message_outcome,
    message_requested,
    promise_kept,
    promise_made,
)
from shared.conversation.ownership import (
    hop_closed,
    offered,
    owned,
    passed_over,
    returned,
    transfer_rejected,
    transfer_requested,
)
from shared.conversation.state import (
    NEW_CONVERSATION,
    Conversation,
)
from shared.memory import remember

FOLD_VERSION = 2


def evolve(conversation: Conversation, sequence: int, event: events.AnyEvent) -> Conversation:
    """Return the conversation after one event of `conv-<id>`. It never fails; unknown types change nothing."""
    changed = _apply(conversation, sequence, event)
    # What a packet shows is compared before and after: an offer that nobody took costs no new packet.
    shown = isinstance(event, events.ContextPackaged) or (changed.shown and _shows_the_same(event))
    return replace(
        changed, sequence=sequence, shown=shown, seen=remember(conversation.seen, sequence, event)
    )


def fold(
    history: Iterable[tuple[int, events.AnyEvent]], start: Conversation = NEW_CONVERSATION
) -> Conversation:
    """Return the conversation after (sequence, event) pairs in ledger order."""
    for sequence, event in history:
        start = evolve(start, sequence, event)
    return start


_NOT_SHOWN = (
    events.ContactOffered,
    events.ContactRejected,
    events.ContactOfferExpired,
    events.ContactCompleted,
    events.TransferRequested,
    events.TransferOffered,
    events.ChannelSwitched,
    events.CommandNoted,
)
"""They change nothing that a packet shows; a transfer's packet shows the transfer already."""


def _shows_the_same(event: events.AnyEvent) -> bool:
    refused_by_one = isinstance(event, events.TransferRejected) and not event.open.final
    return refused_by_one or isinstance(event, _NOT_SHOWN)


def _packaged(it: Conversation, event: events.ContextPackaged) -> Conversation:
    built_from = event.personal.packet.built_from.customer.sequence if event.personal else 0
    return replace(it, packet_id=event.open.packet_id, packet_customer_sequence=built_from)


def _apply(it: Conversation, sequence: int, event: events.AnyEvent) -> Conversation:  # noqa: C901  the table
    match event:
        case events.ConversationOpened():
            return replace(
                it,
                id=event.conversation,
                customer=event.customer,
                opened=event.recorded,
                correlation=event.causation,
            )
        case events.CallStarted() | events.MessageReceived() | events.FormSubmitted():
            return contacted(it, event)
        case events.CallMenuSelected():
            return begun(it, event)
        case events.CallAnswered():
            return answered(it, event)
        case events.CallHeld():
            return change_contact(begun(it, event), event.open.contact_id, on_hold=True)
        case events.CallResumed():
            return change_contact(begun(it, event), event.open.contact_id, on_hold=False)
        case events.CallEnded() | events.CallMissed():
            return change_contact(begun(it, event), event.open.contact_id, over=True, on_hold=False)
        case events.ConversationJoined():
            return it
        case events.ChannelSwitched():
            return replace(it, handovers=it.handovers + 1)
        case events.ContactQueued():
            return queued(it, event)
        case events.ContactOffered() | events.TransferOffered():
            return replace(it, offer=offered(event))
        case events.ContactAccepted():
            return owned(it, event.open.agent, event.recorded)
        case events.ContactRejected() | events.ContactOfferExpired():
            return passed_over(it, event.open.agent, event.recorded)
        case events.ContactAbandoned() | events.ContactMissed():
            return lost(it, event)
        case events.ContactWrappedUp():
            return wrapped_up(it, event)
        case events.ContactCompleted():
            return change_contact(it, event.open.contact_id, completed=True)
        case events.TransferRequested():
            return transfer_requested(it, event)
        case events.TransferAccepted():
            closed = hop_closed(it, "accepted", event.recorded)
            return owned(closed, event.open.agent, event.recorded)
        case events.TransferRejected():
            return transfer_rejected(it, event)
        case events.TransferCancelled():
            return returned(it, event.open.returned_to, event.recorded, "cancelled")
        case events.TransferExpired():
            return returned(it, event.open.returned_to, event.recorded, "expired")
        case events.ContextPackaged():
            return _packaged(it, event)
        case events.FactStated():
            return fact_stated(it, sequence, event)
        case events.FactRepeated():
            return fact_repeated(it, event)
        case events.FactCorrected():
            return fact_corrected(it, event)
        case events.PromiseMade():
            return promise_made(it, event)
        case events.PromiseKept():
            return promise_kept(it, event)
        case (
            events.CallbackRequested()
            | events.CallbackAttempted()
            | events.CallbackReached()
            | events.CallbackClosed()
        ):
            return callback_changed(it, event)
        case events.MessageRequested():
            return message_requested(it, event)
        case events.MessageSent() | events.MessageFailed() | events.MessageUncertain():
            return message_outcome(it, event)
        case events.ConversationResolved():
            return replace(it, resolved=True, owner=None, queue=None, offer=None, transfer=None)
        case _:
            return it
