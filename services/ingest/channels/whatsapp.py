"""WhatsApp Business, as webhooks of the Cloud API: what a person writes to a number, and what became of answers.

Sources, read 2026-11 (developers.facebook.com/documentation/business-messaging/whatsapp):
- webhooks/reference: messages with the page of each type, status messages, smb_message_echoes, user_preferences
- business-scoped-user-ids: `user_id` and `from_user_id` name a person where her number is not told; `user_id_update`
- support/error-codes: what `statuses.errors` means

A person is known by her WhatsApp id, which is her number, and by the id that she has with this business. What became of
a message is told again and out of order; each is a fact of its own, and the ledger keeps the one that says most.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from services.ingest.channels.shapes import graph_fields as fields
from services.ingest.channels.shapes import graph_webhooks as graph
from services.ingest.channels.shapes import whatsapp_people as people
from services.ingest.channels.shapes import whatsapp_words as words
from services.ingest.channels.shapes.graph_webhooks import SECRETS, Node, Words, handshake, verify
from services.ingest.channels.shapes.whatsapp_people import Contacts, Customer
from services.ingest.domain import delivery, outcome, texts
from services.ingest.domain.delivery import no_answer as answer
from services.ingest.domain.outcome import Ignored, Parsed, Reported
from shared import events, message_reference

__all__ = ["KINDS", "MEDIUM", "NAME", "SECRETS", "answer", "handshake", "parse", "verify"]

NAME = "whatsapp"
MEDIUM: events.Medium = "message"
IGNORED = "ignored"

KINDS: Mapping[str, str] = {
    # Types of messages. Of the last three WhatsApp says only that something was written.
    **dict.fromkeys(words.READERS, "message.received"),
    **dict.fromkeys(words.FILES, "message.received"),
    "ephemeral": "message.received",
    "unsupported": "message.received",
    "unknown": "message.received",
    "edit": "message.edited",
    "revoke": "message.deleted",
    "reaction": "message.reacted",
    "call_permission_reply": IGNORED,
    "request_welcome": IGNORED,
    # What was written on the business's own telephone.
    "message_echoes": "message.echoed",
    "echo_reacted": IGNORED,
    "echo_revoked": IGNORED,
    # Statuses of our messages.
    "sent": "message.sent",
    "delivered": "message.delivered",
    "read": "message.read",
    "played": "message.read",
    "failed": "message.failed",
    "accepted": IGNORED,
    "captured": IGNORED,
    "deleted": IGNORED,
    "pending": IGNORED,
    "warning": IGNORED,
    # Preferences.
    "stop": "consent.withdrawn",
    "resume": "consent.given",
    "signup": "consent.given",
    # Ids that changed.
    "user_id_update": "message.received",
    "user_changed_number": "message.received",
    "user_changed_user_id": "message.received",
    "customer_changed_number": "message.received",
    "customer_identity_changed": IGNORED,
    "user_identity_changed": IGNORED,
    # Lists and fields that are no conversation.
    "metadata": IGNORED,
    **dict.fromkeys(sorted(fields.WHATSAPP), IGNORED),
}

OUTCOMES: Mapping[str, type[events.OutcomeEvent]] = {
    "message.sent": events.MessageSent,
    "message.delivered": events.MessageDelivered,
    "message.read": events.MessageRead,
    "message.failed": events.MessageFailed,
}
REASONS: Mapping[str, str] = {"131047": "window_closed"}
"""Why a message failed, where we have a word for it: more than 24 hours after the person last wrote."""
CONSENTS: Mapping[str, type[events.ConsentGiven] | type[events.ConsentWithdrawn]] = {
    "consent.given": events.ConsentGiven,
    "consent.withdrawn": events.ConsentWithdrawn,
}
ECHOES_IGNORED: Mapping[str, str] = {"revoke": "echo_revoked", "reaction": "echo_reacted"}
"""What the business does on its telephone that says nothing to her: a sign is no answer."""
CODE_MAX_DIGITS = 12
LISTS_IGNORED = frozenset({"calls", "errors", "groups", "history", "state_sync"})
CHANGES = frozenset({"user_changed_number", "customer_changed_number", "user_changed_user_id"})


def parse(raw: delivery.RawDelivery) -> Parsed:
    """Return what the people of a delivery did, in the order in which it stands there."""
    document = graph.read(raw.body)
    found = [
        parsed
        for name, element in graph.entries(document)
        for parsed in (_change(raw, element) if name == "changes" else [outcome.unknown(name)])
    ]
    return graph.no_delivery(document) or outcome.together(raw, found)


def _change(raw: delivery.RawDelivery, change: Node) -> Iterator[Parsed]:
    field, value = graph.word(change, "field"), graph.node(change, "value")
    if field != "messages" and KINDS.get(field) == IGNORED:
        yield Ignored(field)
        return
    contacts = Contacts(value)
    told = [name for name in value if name in READERS or name in LISTS_IGNORED]
    for name in told:
        reader = READERS.get(name)
        if reader is None:
            yield Ignored(name)
            continue
        listed = graph.nodes(value, name)
        yield from (reader(raw, contacts, each) for each in listed)
        if not listed:
            yield Ignored("metadata")
    if not told:
        yield _nothing(field, value)


def _nothing(field: str, value: Node) -> Parsed:
    """Return the outcome of a change that holds no list we know: at most it says for which number it is."""
    if "metadata" in value and not any(isinstance(each, list) for each in value.values()):
        return Ignored("metadata")
    return outcome.unknown(field) if field else outcome.not_an_event()


# -- what she writes --------------------------------------------------------------------------------


def _message(raw: delivery.RawDelivery, contacts: Contacts, message: Node) -> Parsed:
    kind = words.kind_of(message)
    ours = KINDS.get(kind)
    answered = graph.word(message, kind, "type")
    if IGNORED in {ours, KINDS.get(answered)}:
        return Ignored(kind if ours == IGNORED else answered)
    if kind == "system":
        return _system(raw, contacts, message)
    who = people.sender(contacts, message)
    if who is None:
        return outcome.unreadable(kind)
    match ours:
        case "message.received":
            return _said(raw, message, who, words.of_message(kind, message))
        case "message.edited":
            return _edit(raw, message, who)
        case "message.deleted":
            return _revoke(raw, message, who)
        case "message.reacted":
            return _reaction(raw, message, who)
        case _:
            return outcome.unknown(kind)


def _said(
    raw: delivery.RawDelivery,
    message: Node,
    who: Customer,
    said: Words,
    *,
    automatic: bool = False,
) -> Parsed:
    """Return what a person wrote or chose; `automatic`: what WhatsApp says of her."""
    quoted = graph.identity(message, "context", "id") or None
    about = {**_about(raw, message, who), "automatic": automatic}
    opened, personal = _spoken(about, who, said, quoted)
    told = [said.text.encode()]
    event = outcome.contact_event(raw, events.MessageReceived, opened, personal, told)
    return Reported([(who.id, event)])


def _edit(raw: delivery.RawDelivery, message: Node, who: Customer) -> Parsed:
    edited, written = _edited(message)
    if not edited:
        return outcome.unreadable("edit")
    said = words.of_message(words.kind_of(written), written)
    opened, personal = _spoken(_about(raw, message, who), who, said, edited)
    event = outcome.contact_event(raw, events.MessageEdited, opened, personal)
    return Reported([(who.id, event)])


def _edited(message: Node) -> tuple[str, Node]:
    """Return which message was written anew, and how."""
    original = graph.identity(message, "edit", "original_message_id")
    return original, graph.node(message, "edit", "message")


def _revoke(raw: delivery.RawDelivery, message: Node, who: Customer) -> Parsed:
    original = graph.identity(message, "revoke", "original_message_id")
    if not original:
        return outcome.unreadable("revoke")
    opened = events.MessageChangedOpen(**_about(raw, message, who), refers_to=original)
    event = outcome.contact_event(raw, events.MessageDeleted, opened, _personal(who))
    return Reported([(who.id, event)])


def _reaction(raw: delivery.RawDelivery, message: Node, who: Customer) -> Parsed:
    reaction = graph.node(message, "reaction")
    original = graph.identity(reaction, "message_id") or graph.identity(reaction, "messsage_id")
    if not original:
        return outcome.unreadable("reaction")
    opened = events.MessageChangedOpen(**_about(raw, message, who), refers_to=original)
    sign = texts.line(graph.word(reaction, "emoji"))
    shown = events.MessageReactedPersonal(handles=list(who.handles), name=who.name, reaction=sign)
    event = outcome.contact_event(raw, events.MessageReacted, opened, shown)
    return Reported([(who.id, event)])


def _system(raw: delivery.RawDelivery, contacts: Contacts, message: Node) -> Parsed:
    """Return that a person has other ids now, which nobody has to answer."""
    system = graph.node(message, "system")
    kind = graph.word(system, "type")
    if kind not in CHANGES:
        return outcome.unknown(kind)
    previous = graph.identity(message, "from_user_id") or graph.identity(system, "previous_user_id")
    number = graph.identity(system, "new_wa_id") or graph.identity(system, "wa_id")
    before = people.person(contacts, graph.identity(message, "from"), previous)
    after = people.person(contacts, number, graph.identity(system, "user_id"))
    who = people.renamed(before, after)
    if who is None:
        return outcome.unreadable(kind)
    return _said(raw, message, who, words.of_message("system", message), automatic=True)


def _user_id_update(raw: delivery.RawDelivery, contacts: Contacts, update: Node) -> Parsed:
    number = graph.identity(update, "wa_id")
    before = people.person(contacts, number, graph.identity(update, "user_id", "previous"))
    after = people.person(contacts, number, graph.identity(update, "user_id", "current"))
    who = people.renamed(before, after)
    if who is None:
        return outcome.unreadable("user_id_update")
    said = Words(graph.text([graph.word(update, "detail")]))
    return _said(raw, update, who, said, automatic=True)


def _preference(raw: delivery.RawDelivery, contacts: Contacts, preference: Node) -> Parsed:
    """Return whether a person wants to be written to for advertising."""
    said = graph.word(preference, "value")
    number, user_id = graph.identity(preference, "wa_id"), graph.identity(preference, "user_id")
    who = people.person(contacts, number, user_id)
    if who is None:
        return outcome.unreadable("user_preferences")
    kind = CONSENTS.get(KINDS.get(said, ""))
    if kind is None:
        return outcome.unknown(said)
    named = graph.fact(preference, who.id, said, graph.word(preference, "timestamp"))
    about = _about(raw, preference, who, named)
    opened = events.ConsentOpen(**about, said=said, advertising=True)
    return Reported([(who.id, outcome.contact_event(raw, kind, opened, _personal(who)))])


# -- what became of ours ----------------------------------------------------------------------------


def _echo(raw: delivery.RawDelivery, contacts: Contacts, message: Node) -> Parsed:
    """Return what was written on the business's own telephone, or written anew there."""
    kind = words.kind_of(message)
    who = people.addressee(contacts, message)
    if who is None:
        return outcome.unreadable("message_echoes")
    if kind in ECHOES_IGNORED:
        return Ignored(ECHOES_IGNORED[kind])
    edited, written = _edited(message)
    quoted = edited or graph.identity(message, "context", "id") or None
    told = written if edited else message
    said = words.of_message(words.kind_of(told), told)
    opened, personal = _spoken(_about(raw, message, who), who, said, quoted)
    return Reported([(who.id, outcome.contact_event(raw, events.MessageEchoed, opened, personal))])


def _status(raw: delivery.RawDelivery, contacts: Contacts, status: Node) -> Parsed:
    """Return what became of a message of ours; it names the conversation if it went from here."""
    word, wamid = graph.word(status, "status"), graph.identity(status, "id")
    kind = KINDS.get(word, "")
    if kind == IGNORED:
        return Ignored(word)
    if kind not in OUTCOMES:
        return outcome.unknown(word)
    if not wamid:
        return outcome.unreadable(word)
    who = people.recipient(contacts, status) or Customer(wamid, ())
    ours = message_reference.read(status.get("biz_opaque_callback_data"))
    opened = events.MessageOutcomeOpen(
        **_about(raw, status, who, wamid),
        message_id=None if ours is None else ours.message,
        refers_to=wamid,
        reason=_reason(status) if word == "failed" else None,
    )
    event: events.ContactEvent = outcome.contact_event(
        raw,
        OUTCOMES[kind],
        opened,
        _personal(who),
        _status_told(status, word, who),
        conversation=None if ours is None else ours.conversation,
    )
    return Reported([(who.id, event)])


def _status_told(status: Node, word: str, who: Customer) -> list[bytes]:
    """Return what tells a status from others of its message: who of a group has it, that a voice message was heard."""
    in_group = graph.word(status, "recipient_type") == "group"
    heard = [word] if word == "played" else []
    return [each.encode() for each in [*([who.id] if in_group else []), *heard]]


def _reason(status: Node) -> str:
    codes = [graph.word(each, "code") for each in graph.nodes(status, "errors")]
    code = next((each for each in codes if each.isdigit()), "")[:CODE_MAX_DIGITS]
    return REASONS.get(code, f"whatsapp_{code}" if code else "whatsapp_failed")


# -- what all of them share -------------------------------------------------------------------------


def _about(
    raw: delivery.RawDelivery, told: Node, who: Customer, named: str | None = None
) -> dict[str, Any]:
    fact = graph.fact(told, graph.identity(told, "id")) if named is None else named
    about = outcome.about(raw, MEDIUM, who.id, texts.fit(fact, graph.FACT_MAX_BYTES))
    return {**about, "provider_time": graph.time(told, "timestamp")}


def _spoken(
    about: Mapping[str, Any], who: Customer, said: Words, refers_to: str | None
) -> tuple[events.MessageReceivedOpen, events.MessageReceivedPersonal]:
    opened = events.MessageReceivedOpen(**about, attachments=said.attachments, refers_to=refers_to)
    personal = events.MessageReceivedPersonal(
        handles=list(who.handles),
        name=who.name,
        text=said.text,
        files=list(said.files),
        quoted=said.quoted,
    )
    return opened, personal


def _personal(who: Customer) -> events.ContactPersonal:
    return events.ContactPersonal(handles=list(who.handles), name=who.name)


READERS: Mapping[str, Callable[[delivery.RawDelivery, Contacts, Node], Parsed]] = {
    "messages": _message,
    "message_echoes": _echo,
    "statuses": _status,
    "user_preferences": _preference,
    "user_id_update": _user_id_update,
}
"""By the lists of a value."""
