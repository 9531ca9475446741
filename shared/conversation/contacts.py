"""How contacts, and what is said on them, change a conversation."""

from __future__ import annotations

import re
from datetime import datetime

from msgspec.structs import replace

from shared import events
from shared.conversation.state import Contact, ContactStatus, Conversation
from shared.events.packet import Done, Said

CALL_CHANNELS = frozenset({"twilio_voice"})
"""Channels whose contacts somebody has to pick up while they last."""
SAID_KEPT = 32
"""Messages kept in full in the fold; older ones are counted."""
SAID_MAX_CHARACTERS = 4_096
DONE_KEPT = 32
MATTER_MAX_CHARACTERS = 160
_REPLY = re.compile(r"(re|aw|sv|vs|odp|antw|fw|fwd|wg|pd)\s*(\[\d+\])?\s*:", re.IGNORECASE)
"""How a subject begins that repeats another one, as mail programs of several languages write it."""
ERASED = ""
"""What stands where a personal part was erased."""


def begun(it: Conversation, event: events.InboundEvent) -> Conversation:
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
    """A message to an owned conversation is with its owner at once; a call is when an agent accepts it."""
    return "waiting" if it.owner is None or channel in CALL_CHANNELS else "accepted"


def answered(it: Conversation, event: events.CallAnswered) -> Conversation:
    """The provider connected the call, which may be to a voice menu: only an agent's acceptance takes it."""
    return change_contact(begun(it, event), event.open.contact_id, answered=True)


def contacted(
    it: Conversation, event: events.CallStarted | events.MessageReceived | events.FormSubmitted
) -> Conversation:
    """The customer is here. What a machine sent is kept with the matter; it is nothing that somebody must answer."""
    automatic = event.open.automatic
    if not (automatic and it.contacts):
        it = begun(it, event)
    if isinstance(event, events.CallStarted):
        return it
    text = words(event)
    it = say(it, event.recorded, "customer", event.open.channel, text)
    if automatic:
        return it
    reference = event.open.provider_id if event.open.channel == "email" else it.last_reference
    matter = it.matter or " ".join(text.split())[:MATTER_MAX_CHARACTERS] or None
    return replace(it, matter=matter, unanswered=it.unanswered + 1, last_reference=reference)


def words(event: events.MessageReceived | events.FormSubmitted) -> str:
    """Return what the customer wrote; the title too, unless it is the one of what she answers."""
    if event.personal is None:
        return ERASED
    if isinstance(event, events.FormSubmitted):
        return event.personal.text
    title, text = event.personal.title, event.personal.reply_text or event.personal.text
    if not title or event.open.in_reply_to is not None or _REPLY.match(title):
        return text
    return f"{title}\n{text}" if text else title


def say(it: Conversation, at: datetime, by: str, channel: str, text: str) -> Conversation:
    cut = max(0, len(text) - SAID_MAX_CHARACTERS)
    said = (*it.said, Said(at=at, by=by, channel=channel, text=text[:SAID_MAX_CHARACTERS], cut=cut))
    dropped = max(0, len(said) - SAID_KEPT)
    return replace(it, said=said[dropped:], said_before=it.said_before + dropped)


def change_contact(
    it: Conversation, contact_id: events.ContactId, **changes: object
) -> Conversation:
    contact = it.contacts.get(contact_id)
    if contact is None:
        return it
    return replace(it, contacts={**it.contacts, contact_id: replace(contact, **changes)})


def queued(it: Conversation, event: events.ContactQueued) -> Conversation:
    it = change_contact(it, event.open.contact_id, queue=event.open.queue, status="waiting")
    return replace(
        it,
        owner=None,
        queue=event.open.queue,
        first_queue=it.first_queue or event.open.queue,
        waiting_since=it.waiting_since or event.recorded,
        passed_over={},
    )


def lost(it: Conversation, event: events.ContactAbandoned | events.ContactMissed) -> Conversation:
    """The call ended before an agent took it; an open offer of it is void."""
    contact_id = event.open.contact_id
    it = change_contact(it, contact_id, status="lost", over=True)
    if it.owner is None and it.queue is None:
        it = replace(it, queue=event.open.queue, first_queue=it.first_queue or event.open.queue)
    if it.offer is None or it.offer.contact_id != contact_id:
        return it
    return replace(it, offer=None)


def wrapped_up(it: Conversation, event: events.ContactWrappedUp) -> Conversation:
    text = event.personal.summary if event.personal else ERASED
    it = did(it, Done(what="wrap_up", by=event.open.agent, at=event.recorded, text=text))
    return change_contact(it, event.open.contact_id, wrapped_up=True)


def did(it: Conversation, done: Done) -> Conversation:
    all_done = (*it.done, done)
    dropped = max(0, len(all_done) - DONE_KEPT)
    return replace(it, done=all_done[dropped:], done_before=it.done_before + dropped)
