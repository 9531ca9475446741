"""Messenger and Instagram, as webhooks of the Graph API: what a person writes to a page, and what became of answers.

Sources, read 2026-11 (developers.facebook.com/docs):
- messenger-platform/reference/webhook-events, each of its pages: messages, message_echoes, message_edits,
  message_reactions, message_deliveries, message_reads, messaging_postbacks, messaging_optins, standby and the others
- instagram-platform/webhooks: `is_deleted`, `is_unsupported`, `read.mid`, a `changes` list whose value is such an event

Everything under `entry` is read, whichever app has the conversation (`standby`). One delivery may be of many people.
A person is known by her id with the page, and all that she does with it is one contact.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from services.ingest.channels.shapes import graph_fields as fields
from services.ingest.channels.shapes import graph_webhooks as graph
from services.ingest.channels.shapes import messenger_words as words
from services.ingest.channels.shapes.graph_webhooks import SECRETS, Node, Words, handshake, verify
from services.ingest.domain import delivery, outcome, texts
from services.ingest.domain.delivery import no_answer as answer
from services.ingest.domain.outcome import Ignored, Parsed, Reported
from shared import events, handles, message_reference

__all__ = ["KINDS", "MEDIUM", "NAME", "SECRETS", "answer", "handshake", "parse", "verify"]

NAME = "messenger"
MEDIUM: events.Medium = "message"
IGNORED = "ignored"

KINDS: Mapping[str, str] = {
    "message": "message.received",
    "echo": "message.echoed",
    "own_echo": "message.sent",
    "echo_deleted": IGNORED,
    "is_deleted": "message.deleted",
    "message_edit": "message.edited",
    "reaction": "message.reacted",
    "postback": "message.received",
    "messaging_feedback": "message.received",
    "messaging_customer_information": "message.received",
    "optin": "consent.given",
    "optin_stopped": "consent.withdrawn",
    "delivery": "message.delivered",
    "read": "message.read",
    # What only says how the conversation is led, or how the person came to it.
    "account_linking": IGNORED,
    "app_roles": IGNORED,
    "branded_camera": IGNORED,
    "calls": IGNORED,
    "checkout_update": IGNORED,
    "game_play": IGNORED,
    "message_request": IGNORED,
    "pass_thread_control": IGNORED,
    "payment": IGNORED,
    "policy_enforcement": IGNORED,
    "policy-enforcement": IGNORED,
    "pre_checkout": IGNORED,
    "referral": IGNORED,
    "request_thread_control": IGNORED,
    "response_feedback": IGNORED,
    "take_thread_control": IGNORED,
    # Lists beside `messaging`, and fields of `changes` that are no conversation.
    "changed_fields": IGNORED,
    "hop_context": IGNORED,
    **dict.fromkeys(sorted(fields.PAGE | fields.INSTAGRAM), IGNORED),
}

ENVELOPE = frozenset({"sender", "recipient", "timestamp"})
MESSAGING = frozenset({"messaging", "standby"})
GUEST = "guest/"
"""Stands before the name that a page gives somebody who writes without an account: no id has it."""
STOPPED = "STOP"
"""How a person's choice begins that no more notifications are sent to her."""
TAKEN_BACK = "unreact"


def parse(raw: delivery.RawDelivery) -> Parsed:
    """Return what the people of a delivery did, in the order in which it stands there."""
    document = graph.read(raw.body)
    found = [_listed(raw, *each) for each in graph.entries(document)]
    return graph.no_delivery(document) or outcome.together(raw, found)


def _listed(raw: delivery.RawDelivery, name: str, element: Node) -> Parsed:
    if name in MESSAGING:
        return _item(raw, element)
    if name != "changes":
        return _unheard(name)
    value = graph.node(element, "value")
    return _item(raw, value) if "sender" in value else _unheard(graph.word(element, "field"))


def _unheard(kind: str) -> Parsed:
    return Ignored(kind) if KINDS.get(kind) == IGNORED else outcome.unknown(kind)


def _item(raw: delivery.RawDelivery, item: Node) -> Parsed:
    """Return what one element of `messaging` says; what it is about stands under the name of its kind."""
    names = [name for name in item if name not in ENVELOPE]
    kind = next((name for name in KINDS if name in names), None)
    reader = READERS.get(kind or "")
    if reader is not None:
        return reader(raw, item)
    return _unheard(kind or names[0]) if names else outcome.not_an_event()


# -- what she writes --------------------------------------------------------------------------------


def _message(raw: delivery.RawDelivery, item: Node) -> Parsed:
    message = graph.node(item, "message")
    mid = graph.identity(message, "mid")
    if message.get("is_echo") is True:
        return _echo(raw, item, message, mid)
    if message.get("is_deleted") is True:
        return _changed(raw, item, events.MessageDeleted, mid)
    return _said(raw, item, "message", words.of_message(message), mid)


def _postback(raw: delivery.RawDelivery, item: Node) -> Parsed:
    postback = graph.node(item, "postback")
    mid = graph.identity(postback, "mid")
    return _said(raw, item, "postback", words.of_postback(postback), mid)


def _feedback(raw: delivery.RawDelivery, item: Node) -> Parsed:
    given = graph.node(item, "messaging_feedback")
    return _said(raw, item, "messaging_feedback", words.of_feedback(given), "")


def _information(raw: delivery.RawDelivery, item: Node) -> Parsed:
    given = graph.node(item, "messaging_customer_information")
    said = words.of_customer_information(given)
    return _said(raw, item, "messaging_customer_information", said, "")


def _said(raw: delivery.RawDelivery, item: Node, kind: str, said: Words, mid: str) -> Parsed:
    """Return what a person wrote or chose. `mid`: the provider's id of it; empty where it has none."""
    person = graph.identity(item, "sender", "id") or _guest(item)
    if not person:
        return outcome.unreadable(kind)
    quoted = graph.identity(item, kind, "reply_to", "mid") or None
    opened, personal = _spoken(raw, item, person, graph.fact(item, mid), said, quoted)
    told = [said.text.encode()]
    return _one(person, outcome.contact_event(raw, events.MessageReceived, opened, personal, told))


def _guest(item: Node) -> str:
    """Return by what the contact of somebody is known who wrote on a page without an account; empty for nobody."""
    named = graph.identity(item, "sender", "user_ref")
    return f"{GUEST}{named}" if named else ""


def _edit(raw: delivery.RawDelivery, item: Node) -> Parsed:
    edit, person = graph.node(item, "message_edit"), graph.identity(item, "sender", "id")
    mid = graph.identity(edit, "mid")
    if not person or not mid:
        return outcome.unreadable("message_edit")
    said = Words(texts.fit(graph.word(edit, "text")))
    opened, personal = _spoken(raw, item, person, mid, said, mid)
    told = [graph.word(edit, "num_edit").encode(), said.text.encode()]
    event = outcome.contact_event(raw, events.MessageEdited, opened, personal, told)
    return _one(person, event)


def _reaction(raw: delivery.RawDelivery, item: Node) -> Parsed:
    reaction = graph.node(item, "reaction")
    mid, done = graph.identity(reaction, "mid"), graph.word(reaction, "action")
    sign = graph.word(reaction, "emoji") or graph.word(reaction, "reaction")
    told = [each.encode() for each in (done, graph.word(item, "timestamp"), sign)]
    shown = None if done == TAKEN_BACK else texts.line(sign)
    return _changed(raw, item, events.MessageReacted, mid, told, shown)


def _changed(
    raw: delivery.RawDelivery,
    item: Node,
    kind: type[events.MessageDeleted] | type[events.MessageReacted],
    mid: str,
    told: Iterable[bytes] = (),
    sign: str | None = None,
) -> Parsed:
    """Return what a person did to a message. `told`: what tells it from what else was done to the same one."""
    person = graph.identity(item, "sender", "id")
    if not person or not mid:
        return outcome.unreadable("message" if kind is events.MessageDeleted else "reaction")
    opened = events.MessageChangedOpen(**_about(raw, item, person, mid), refers_to=mid)
    if kind is events.MessageDeleted:
        gone = outcome.contact_event(raw, events.MessageDeleted, opened, _personal(person))
        return _one(person, gone)
    shown = events.MessageReactedPersonal(handles=_handles(person), reaction=sign)
    return _one(person, outcome.contact_event(raw, events.MessageReacted, opened, shown, told))


def _optin(raw: delivery.RawDelivery, item: Node) -> Parsed:
    """Return whether a person wants to be written to. One who is known only to a form on a page has no id yet."""
    optin, person = graph.node(item, "optin"), graph.identity(item, "sender", "id")
    if not person:
        return Ignored("optin")
    status = graph.word(optin, "notification_messages_status") or graph.word(optin, "type")
    said = texts.line(status) or "optin"
    named = graph.fact(item, person, said, graph.word(item, "timestamp"))
    opened = events.ConsentOpen(**_about(raw, item, person, named), said=said)
    kind = events.ConsentWithdrawn if said.startswith(STOPPED) else events.ConsentGiven
    return _one(person, outcome.contact_event(raw, kind, opened, _personal(person)))


# -- what became of ours ----------------------------------------------------------------------------


def _echo(raw: delivery.RawDelivery, item: Node, message: Node, mid: str) -> Parsed:
    """Return what was written for the page: by an agent in the provider's own inbox, or by us."""
    person = graph.identity(item, "recipient", "id")
    if not person:
        return outcome.unreadable("echo")
    if message.get("is_deleted") is True:
        return Ignored("echo_deleted")
    ours = message_reference.read(message.get("metadata"))
    if ours is not None:
        about = _about(raw, item, person, graph.fact(item, mid))
        sent = events.MessageOutcomeOpen(**about, message_id=ours.message, refers_to=mid or None)
        event = outcome.contact_event(
            raw, events.MessageSent, sent, _personal(person), conversation=ours.conversation
        )
        return _one(person, event)
    quoted = graph.identity(message, "reply_to", "mid") or None
    said = words.of_message(message)
    opened, personal = _spoken(raw, item, person, graph.fact(item, mid), said, quoted)
    return _one(person, outcome.contact_event(raw, events.MessageEchoed, opened, personal))


def _delivery(raw: delivery.RawDelivery, item: Node) -> Parsed:
    """Return what has reached a person's device: messages by name, else all before a time."""
    delivered = graph.node(item, "delivery")
    listed = delivered.get("mids")
    mids = (
        [graph.identity({"mid": each}, "mid") for each in listed]
        if isinstance(listed, list)
        else []
    )
    return _reached(raw, item, events.MessageDelivered, [mid for mid in mids if mid])


def _read(raw: delivery.RawDelivery, item: Node) -> Parsed:
    """Return what a person has seen: of Messenger all before a time, of Instagram a message by name."""
    mid = graph.identity(item, "read", "mid")
    return _reached(raw, item, events.MessageRead, [mid] if mid else [])


def _reached(
    raw: delivery.RawDelivery,
    item: Node,
    kind: type[events.MessageDelivered] | type[events.MessageRead],
    mids: list[str],
) -> Parsed:
    word = "read" if kind is events.MessageRead else "delivery"
    person, until = graph.identity(item, "sender", "id"), graph.time(item, word, "watermark")
    if not person or not (mids or until):
        return outcome.unreadable(word)
    if mids:
        found = [
            events.MessageOutcomeOpen(**_about(raw, item, person, mid, until), refers_to=mid)
            for mid in dict.fromkeys(mids)
        ]
    else:
        named = f"{person}/{word}/{graph.word(item, word, 'watermark')}"
        found = [events.MessageOutcomeOpen(**_about(raw, item, person, named, until), until=until)]
    return Reported(
        [(person, outcome.contact_event(raw, kind, each, _personal(person))) for each in found]
    )


# -- what all of them share -------------------------------------------------------------------------


def _one(person: str, event: events.ContactEvent) -> Reported:
    return Reported([(person, event)])


def _about(
    raw: delivery.RawDelivery,
    item: Node,
    person: str,
    named: str,
    otherwise: datetime | None = None,
) -> dict[str, Any]:
    about = outcome.about(raw, MEDIUM, person, texts.fit(named, graph.FACT_MAX_BYTES))
    return {**about, "provider_time": graph.time(item, "timestamp") or otherwise}


def _spoken(
    raw: delivery.RawDelivery,
    item: Node,
    person: str,
    named: str,
    said: Words,
    refers_to: str | None,
) -> tuple[events.MessageReceivedOpen, events.MessageReceivedPersonal]:
    opened = events.MessageReceivedOpen(
        **_about(raw, item, person, named), attachments=said.attachments, refers_to=refers_to
    )
    personal = events.MessageReceivedPersonal(
        handles=_handles(person), text=said.text, files=list(said.files), quoted=said.quoted
    )
    return opened, personal


def _personal(person: str) -> events.ContactPersonal:
    return events.ContactPersonal(handles=_handles(person))


def _handles(person: str) -> list[events.Handle]:
    if person.startswith(GUEST):
        return [handles.of("visitor", person.removeprefix(GUEST), "claimed")]
    return [handles.account(NAME, person)]


READERS: Mapping[str, Callable[[delivery.RawDelivery, Node], Parsed]] = {
    "message": _message,
    "message_edit": _edit,
    "reaction": _reaction,
    "postback": _postback,
    "messaging_feedback": _feedback,
    "messaging_customer_information": _information,
    "optin": _optin,
    "delivery": _delivery,
    "read": _read,
}
