"""How contacts, and what is said on them, change a conversation."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from shared.conversation.state import Contact, ContactStatus, Conversation
from shared.events import (
    CallAnswered,
    CallStarted,
    ContactId,
    ContactQueued,
    ContactWrappedUp,
    FormSubmitted,
    InboundEvent,
    MessageReceived,
)
from shared.events.packet import Done, Said

CALL_CHANNELS = frozenset({"twilio_voice"})
"""Channels whose contacts somebody has to pick up while they last."""
SAID_KEPT = 32
"""Messages kept in full in the fold; older ones are counted."""
SAID_MAX_CHARACTERS = 4_096
DONE_KEPT = 32
MATTER_MAX_CHARACTERS = 160
ERASED = ""
"""What stands where a personal part was erased."""


def begun(it: Conversation, event: InboundEvent) -> Conversation:
    """Return the conversation with the event's contact in it: the first event seen of a contact begins it."""
    opened = event.open
    if opened.contact_id in it.contacts:
        return replace(it, last_activity=event.recorded)
    contact = Contact(
        contact_id=opened.contact_id,
        channel=opened.channel,
        account=opened.account,
        started=event.recorded,
        status=_first_status(it, opened.channel),
    )
    return replace(
        it,
        contacts={**it.contacts, contact.contact_id: contact},
        channels=it.channels if opened.channel in it.channels else (*it.channels, opened.channel),
        last_activity=event.recorded,
    )


def _first_status(it: Conversation, channel: str) -> ContactStatus:
    """A message to an owned conversation is with its owner at once; a call is when somebody answers it."""
    return "waiting" if it.owner is None or channel in CALL_CHANNELS else "accepted"


def answered(it: Conversation, event: CallAnswered) -> Conversation:
    """The provider connected the call: to the owner, or to the voice menu while nobody owns the conversation."""
    contact_id = event.open.contact_id
    it = begun(it, event)
    if it.owner is None:
        return change_contact(it, contact_id, answered=True)
    return change_contact(it, contact_id, answered=True, status="accepted")


def contacted(
    it: Conversation, event: CallStarted | MessageReceived | FormSubmitted
) -> Conversation:
    """The customer is here. What a machine sent is kept with the matter; it is nothing that somebody must answer."""
    automatic = event.open.automatic
    if not (automatic and it.contacts):
        it = begun(it, event)
    if isinstance(event, CallStarted):
        return it
    text = words(event)
    it = say(it, event.recorded, "customer", event.open.channel, text)
    if automatic:
        return it
    reference = event.open.provider_id if event.open.channel == "email" else it.last_reference
    matter = it.matter or " ".join(text.split())[:MATTER_MAX_CHARACTERS] or None
    return replace(it, matter=matter, unanswered=it.unanswered + 1, last_reference=reference)


def words(event: MessageReceived | FormSubmitted) -> str:
    if event.personal is None:
        return ERASED
    if isinstance(event, FormSubmitted):
        return event.personal.text
    return event.personal.reply_text or event.personal.text


def say(it: Conversation, at: datetime, by: str, channel: str, text: str) -> Conversation:
    cut = max(0, len(text) - SAID_MAX_CHARACTERS)
    said = (*it.said, Said(at=at, by=by, channel=channel, text=text[:SAID_MAX_CHARACTERS], cut=cut))
    dropped = max(0, len(said) - SAID_KEPT)
    return replace(it, said=said[dropped:], said_before=it.said_before + dropped)


def change_contact(it: Conversation, contact_id: ContactId, **changes: object) -> Conversation:
    contact = it.contacts.get(contact_id)
    if contact is None:
        return it
    return replace(it, contacts={**it.contacts, contact_id: replace(contact, **changes)})


def queued(it: Conversation, event: ContactQueued) -> Conversation:
    it = change_contact(it, event.open.contact_id, queue=event.open.queue, status="waiting")
    return replace(
        it,
        owner=None,
        queue=event.open.queue,
        first_queue=it.first_queue or event.open.queue,
        waiting_since=it.waiting_since or event.recorded,
        passed_over={},
    )


def lost(it: Conversation, contact_id: ContactId) -> Conversation:
    """The call ended before an agent took it; an open offer of it is void."""
    it = change_contact(it, contact_id, status="lost", over=True)
    if it.offer is None or it.offer.contact_id != contact_id:
        return it
    return replace(it, offer=None)


def wrapped_up(it: Conversation, event: ContactWrappedUp) -> Conversation:
    text = event.personal.summary if event.personal else ERASED
    it = did(it, Done(what="wrap_up", by=event.open.agent, at=event.recorded, text=text))
    return change_contact(it, event.open.contact_id, wrapped_up=True)


def did(it: Conversation, done: Done) -> Conversation:
    all_done = (*it.done, done)
    dropped = max(0, len(all_done) - DONE_KEPT)
    return replace(it, done=all_done[dropped:], done_before=it.done_before + dropped)
