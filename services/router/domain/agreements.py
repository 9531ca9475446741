"""What was agreed with the customer and made good to her, and what colleagues note: it stands on record.

A resolved matter takes it too: a letter may be answered, and an apology be made, after the end.
"""

from services.router.domain.decision import Decision, goes_on
from shared import commands, errors, events
from shared.conversation import Contact, Conversation
from shared.fitting import cut
from shared.packet import NAME_MAX_BYTES, check_text


def record_agreement(decision: Decision, command: commands.RecordAgreement) -> None:
    """Raises: TextTooLong, TextHasNul, ConversationResolved for one that goes on elsewhere."""
    contact = _contact(decision, command.contact_id)
    recordings = decision.conversation.matter.recordings
    decision.on_conversation(
        events.AgreementMade,
        events.AgreementMadeOpen(
            agreement_id=events.AgreementId(decision.new_id("agreement")),
            agent=decision.by,
            contact_id=contact.contact_id if contact else None,
            channel=contact.channel if contact else None,
            recording=recordings.get(contact.contact_id) if contact else None,
        ),
        events.AgreementMadePersonal(
            text=check_text(command.text),
            name=cut(contact.name, NAME_MAX_BYTES) if contact else None,
            handle=next(iter(contact.handles), None) if contact else None,
        ),
    )


def record_apology(decision: Decision, command: commands.RecordApology) -> None:
    """Raises: TextTooLong, TextHasNul, ConversationResolved for one that goes on elsewhere."""
    contact = _contact(decision, command.contact_id)
    decision.on_conversation(
        events.ApologyMade,
        events.ApologyMadeOpen(
            apology_id=events.ApologyId(decision.new_id("apology")),
            agent=decision.by,
            contact_id=contact.contact_id if contact else None,
        ),
        events.ApologyMadePersonal(text=check_text(command.text)),
    )


def offer_compensation(decision: Decision, command: commands.OfferCompensation) -> None:
    """Raises: TextTooLong, TextHasNul, ConversationResolved for one that goes on elsewhere."""
    contact, amount = _contact(decision, command.contact_id), command.amount
    decision.on_conversation(
        events.CompensationOffered,
        events.CompensationOfferedOpen(
            compensation_id=events.CompensationId(decision.new_id("compensation")),
            agent=decision.by,
            contact_id=contact.contact_id if contact else None,
            kind=command.kind,
            amount_minor=amount.minor if amount else None,
            currency=amount.currency if amount else None,
        ),
        events.CompensationOfferedPersonal(text=check_text(command.text), code=command.code),
    )


def add_note(decision: Decision, command: commands.AddNote) -> None:
    """Raises: TextTooLong, TextHasNul, ConversationResolved for one that goes on elsewhere."""
    _still_here(decision.conversation)
    decision.on_conversation(
        events.NoteAdded,
        events.NoteAddedOpen(note_id=events.NoteId(decision.new_id("note")), agent=decision.by),
        events.NoteAddedPersonal(text=check_text(command.text)),
    )


def _contact(decision: Decision, contact_id: events.ContactId | None) -> Contact | None:
    """Return the contact that a command names, else in which she was heard last. Raises: ConversationResolved."""
    _still_here(decision.conversation)
    contacts = decision.conversation.contacts
    return contacts.by_id.get(contact_id) if contact_id else contacts.latest


def _still_here(conversation: Conversation) -> None:
    """Raises: ConversationResolved, which names where a merged one goes on: what is written here nobody reads."""
    if conversation.into is not None:
        raise errors.ConversationResolved(**goes_on(conversation))
