"""How each event changes a conversation. Pure: no clock, no id, no failure.

The version below changes whenever the same events would fold to another packet.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

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
from shared.events import (
    AnyEvent,
    CallAnswered,
    CallbackAttempted,
    CallbackClosed,
    CallbackReached,
    CallbackRequested,
    CallEnded,
    CallHeld,
    CallMenuSelected,
    CallMissed,
    CallResumed,
    CallStarted,
    ChannelSwitched,
    CommandNoted,
    ContactAbandoned,
    ContactAccepted,
    ContactCompleted,
    ContactMissed,
    ContactOffered,
    ContactOfferExpired,
    ContactQueued,
    ContactRejected,
    ContactWrappedUp,
    ContextPackaged,
    ConversationJoined,
    ConversationOpened,
    ConversationResolved,
    FactCorrected,
    FactRepeated,
    FactStated,
    FormSubmitted,
    MessageFailed,
    MessageReceived,
    MessageRequested,
    MessageSent,
    MessageUncertain,
    PromiseKept,
    PromiseMade,
    TransferAccepted,
    TransferCancelled,
    TransferExpired,
    TransferOffered,
    TransferRejected,
    TransferRequested,
)
from shared.memory import remember

FOLD_VERSION = 2


def evolve(conversation: Conversation, sequence: int, event: AnyEvent) -> Conversation:
    """Return the conversation after one event of `conv-<id>`. It never fails; unknown types change nothing."""
    changed = _apply(conversation, sequence, event)
    # What a packet shows is compared before and after: an offer that nobody took costs no new packet.
    shown = isinstance(event, ContextPackaged) or (changed.shown and _shows_the_same(event))
    return replace(
        changed, sequence=sequence, shown=shown, seen=remember(conversation.seen, sequence, event)
    )


def fold(
    events: Iterable[tuple[int, AnyEvent]], start: Conversation = NEW_CONVERSATION
) -> Conversation:
    """Return the conversation after (sequence, event) pairs in ledger order."""
    for sequence, event in events:
        start = evolve(start, sequence, event)
    return start


_NOT_SHOWN = (
    ContactOffered,
    ContactRejected,
    ContactOfferExpired,
    ContactCompleted,
    TransferRequested,
    TransferOffered,
    ChannelSwitched,
    CommandNoted,
)
"""They change nothing that a packet shows; a transfer's packet shows the transfer already."""


def _shows_the_same(event: AnyEvent) -> bool:
    refused_by_one = isinstance(event, TransferRejected) and not event.open.final
    return refused_by_one or isinstance(event, _NOT_SHOWN)


def _packaged(it: Conversation, event: ContextPackaged) -> Conversation:
    built_from = event.personal.packet.built_from.customer.sequence if event.personal else 0
    return replace(it, packet_id=event.open.packet_id, packet_customer_sequence=built_from)


def _apply(it: Conversation, sequence: int, event: AnyEvent) -> Conversation:  # noqa: C901  one table of all events
    match event:
        case ConversationOpened():
            return replace(
                it,
                id=event.conversation,
                customer=event.customer,
                opened=event.recorded,
                correlation=event.causation,
            )
        case CallStarted() | MessageReceived() | FormSubmitted():
            return contacted(it, event)
        case CallMenuSelected():
            return begun(it, event)
        case CallAnswered():
            return answered(it, event)
        case CallHeld():
            return change_contact(begun(it, event), event.open.contact_id, on_hold=True)
        case CallResumed():
            return change_contact(begun(it, event), event.open.contact_id, on_hold=False)
        case CallEnded() | CallMissed():
            return change_contact(begun(it, event), event.open.contact_id, over=True, on_hold=False)
        case ConversationJoined():
            return it
        case ChannelSwitched():
            return replace(it, handovers=it.handovers + 1)
        case ContactQueued():
            return queued(it, event)
        case ContactOffered() | TransferOffered():
            return replace(it, offer=offered(event))
        case ContactAccepted():
            return owned(it, event.open.agent, event.recorded)
        case ContactRejected() | ContactOfferExpired():
            return passed_over(it, event.open.agent, event.recorded)
        case ContactAbandoned() | ContactMissed():
            return lost(it, event)
        case ContactWrappedUp():
            return wrapped_up(it, event)
        case ContactCompleted():
            return change_contact(it, event.open.contact_id, completed=True)
        case TransferRequested():
            return transfer_requested(it, event)
        case TransferAccepted():
            closed = hop_closed(it, "accepted", event.recorded)
            return owned(closed, event.open.agent, event.recorded)
        case TransferRejected():
            return transfer_rejected(it, event)
        case TransferCancelled():
            return returned(it, event.open.returned_to, event.recorded, "cancelled")
        case TransferExpired():
            return returned(it, event.open.returned_to, event.recorded, "expired")
        case ContextPackaged():
            return _packaged(it, event)
        case FactStated():
            return fact_stated(it, sequence, event)
        case FactRepeated():
            return fact_repeated(it, event)
        case FactCorrected():
            return fact_corrected(it, event)
        case PromiseMade():
            return promise_made(it, event)
        case PromiseKept():
            return promise_kept(it, event)
        case CallbackRequested() | CallbackAttempted() | CallbackReached() | CallbackClosed():
            return callback_changed(it, event)
        case MessageRequested():
            return message_requested(it, event)
        case MessageSent() | MessageFailed() | MessageUncertain():
            return message_outcome(it, event)
        case ConversationResolved():
            return replace(it, resolved=True, owner=None, queue=None, offer=None, transfer=None)
        case _:
            return it
