"""What was agreed and made good, and what colleagues noted, as the packet shows it among what was done."""

from collections.abc import Iterable

from msgspec.structs import replace

from shared import events
from shared.events.packet import Done

LASTING = frozenset({"agreed", "apologised", "compensated", "promise_broken"})
"""What whoever has her next matter is to know as well."""
LASTING_KEPT = 8
"""So many of them, the newest, go along into her next matter."""


def done(event: events.AgreementEvent) -> Done:
    """Return what an event says was done."""
    match event:
        case events.AgreementMade():
            return replace(
                _done("agreed", event),
                contact_id=event.open.contact_id,
                recording=event.open.recording,
            )
        case events.ApologyMade():
            return replace(_done("apologised", event), contact_id=event.open.contact_id)
        case events.CompensationOffered():
            return replace(
                _done("compensated", event),
                contact_id=event.open.contact_id,
                kind=event.open.kind,
                amount_minor=event.open.amount_minor,
                currency=event.open.currency,
                code=event.personal.code if event.personal else None,
            )
        case events.NoteAdded():
            return _done("noted", event)


def _done(what: str, event: events.AgreementEvent) -> Done:
    text = event.personal.text if event.personal else events.ERASED
    return Done(what=what, by=event.open.agent, at=event.recorded, text=text)


def heard(each: Done, event: events.AttachmentStored) -> Done:
    """Return what was done with the recording in which one hears it."""
    if event.open.medium != "call" or each.what != "agreed":
        return each
    if each.contact_id != event.open.contact_id or each.recording is not None:
        return each
    return replace(each, recording=event.open.attachment_id)


def lasting(conversation: events.ConversationId, was_done: Iterable[Done]) -> list[Done]:
    """Return what of a conversation whoever has her next matter is to know, and where it was."""
    return [
        replace(each, conversation=each.conversation or conversation)
        for each in was_done
        if each.what in LASTING
    ]
