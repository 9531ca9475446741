"""How a contact went, and the end of the matter."""

from services.router.domain.callbacks import close_callbacks
from services.router.domain.decision import Decision
from services.router.domain.discontent import note_discontent
from services.router.domain.offers import release
from services.router.domain.reviews import complete
from services.router.domain.service_levels import note_resolution
from services.router.domain.transfers import take_back
from shared import commands, errors, events
from shared.conversation import Contact
from shared.packet import check_text

RESOLVED = "resolved"
"""Why a callback ends that is still owed when the owner closes the matter."""


def wrap_up(decision: Decision, command: commands.WrapUp) -> None:
    """The agent says how the contacts went; already wrapped up: decide nothing.

    A call that still rings went nowhere yet. Raises: DispositionUnknown, NextStepMissing, TextTooLong, TextHasNul.
    """
    _check_disposition(decision, command)
    check_text(command.summary)
    if command.next_step is not None:
        check_text(command.next_step)
    contacts = decision.conversation.contacts.by_id.values()
    wanted = [
        each
        for each in contacts
        if not each.wrapped_up
        and command.contact_id in (None, each.contact_id)
        and not _rings(each)
    ]
    for contact in wanted:
        _wrap_up_one(decision, contact, command)


def _check_disposition(decision: Decision, command: commands.WrapUp) -> None:
    """Raises: DispositionUnknown, NextStepMissing."""
    listed, said = decision.policy.dispositions, command.disposition
    if listed and said not in listed:
        raise errors.DispositionUnknown(disposition=said)
    if listed and listed[said].next_step and command.next_step is None:
        raise errors.NextStepMissing(disposition=said)


def _rings(contact: Contact) -> bool:
    return contact.medium == "call" and contact.live and contact.status == "waiting"


def _wrap_up_one(decision: Decision, contact: Contact, command: commands.WrapUp) -> None:
    decision.on_conversation(
        events.ContactWrappedUp,
        events.ContactWrappedUpOpen(
            contact_id=contact.contact_id,
            agent=decision.by,
            disposition=command.disposition,
            confirmed_by_customer=command.confirmed_by_customer,
        ),
        events.ContactWrappedUpPersonal(summary=command.summary, next_step=command.next_step),
    )
    if contact.over or contact.medium != "call":
        complete(decision, contact.contact_id)


def resolve(decision: Decision, command: commands.Resolve) -> None:
    """The owner closes the matter: nothing stays open that nobody could close any more.

    A transfer under way is taken back, callbacks still owed are closed for this reason.
    Raises: ConversationNotWrappedUp.
    """
    contacts = decision.conversation.contacts.by_id.values()
    missing = sum(not each.wrapped_up and each.status != "lost" for each in contacts)
    if missing:
        raise errors.ConversationNotWrappedUp(contacts=missing)
    if decision.conversation.ownership.transfer is not None:
        take_back(decision, decision.conversation.ownership.transfer)
    close_callbacks(decision, RESOLVED)
    note_resolution(decision)
    note_discontent(decision)
    decision.on_conversation(
        events.ConversationResolved,
        events.ConversationResolvedOpen(
            agent=decision.by, confirmed_by_customer=command.confirmed_by_customer
        ),
    )
    release(decision, decision.by, "resolved")
