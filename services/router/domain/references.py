"""What leads to a contact: its references, each within its account, and how older ledgers have them (docs/adr/0046)."""

from dataclasses import dataclass

from msgspec.structs import replace

from shared import events, handles, mail_reference

OWN_WORDS = frozenset({"contact", "customer", "fact", "sent"})
"""What stands before `=` in references of the router's own; the number of a fact of such a name is one of `fact`."""


@dataclass(frozen=True, slots=True)
class Answered:
    """Which conversation an answer names. `proved`: by us, or by its provider; else anybody may have written it.

    `messages`: which messages of that conversation it names.
    """

    conversation: events.ConversationId
    proved: bool
    messages: frozenset[events.MessageId] = frozenset()


def answered(event: events.InboundEvent, keys: mail_reference.ReplyKeys) -> Answered | None:
    """Return the conversation whose message an event answers: what is proved before what is not, the nearest first."""
    if not isinstance(event, events.MessageReceived) or event.open.in_reply_to is None:
        return None
    given = event.personal.references if event.personal else []
    ours = [each for each in map(mail_reference.read, given) if each is not None]
    proved = next((each.conversation for each in ours if keys.prove(each)), None)
    if proved is not None:
        return Answered(proved, proved=True)
    named = event.open.in_reply_to
    told_by_provider = event.open.medium != "mail" or not keys.keys
    messages = frozenset(each.message for each in ours if each.conversation == named)
    return Answered(named, proved=told_by_provider, messages=messages)


def told_in(contact_id: events.ContactId) -> events.Handle:
    """Return what leads to where a contact was told, whoever it is."""
    return handles.own_reference("contact", contact_id)


def itself(event: events.InboundEvent) -> events.Handle:
    """Return the reference that a contact is to itself where nothing says who it is."""
    return handles.reference(event.open.channel, event.open.account, event.open.contact_id)


def within_account(event: events.InboundEvent, handle: events.Handle) -> events.Handle:
    """Return a handle of a contact, a reference within the account by which it came: older events lack that."""
    if handle.kind != "reference" or handle.value.startswith(_scope(event)):
        return handle
    return handles.reference(event.open.channel, event.open.account, handle.value)


def as_before(event: events.InboundEvent, handle: events.Handle) -> events.Handle:
    """Return a reference as ledgers had it before it named an account."""
    return replace(handle, value=handle.value.removeprefix(_scope(event)))


def _scope(event: events.InboundEvent) -> str:
    return handles.reference(event.open.channel, event.open.account, "").value
