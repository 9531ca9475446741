"""Smartsupp: webhooks of an app.

Sources, read 2026-11: docs.smartsupp.com/rest-api/webhooks (X-Smartsupp-Hmac, the body's members, its events). The
fields of a message are from programs that take them (github.com/onpaj/Anela.Heblo, docs/integrations), those of a file
from memory. Older versions called what was said `message.created`, and gave its words as a text.

A conversation is the contact. Smartsupp vouches for who it calls a contact, or a visitor where nobody has said who she
is, as for a browser, not for what she typed.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from services.ingest.domain import delivery, loose, media_types, outcome, texts
from services.ingest.domain.delivery import no_answer as answer
from services.ingest.domain.delivery import no_handshake as handshake
from services.ingest.domain.outcome import Ignored, Parsed, Reported
from shared import codec, errors, events, handles

__all__ = ["KINDS", "MEDIUM", "NAME", "SECRETS", "answer", "handshake", "parse", "verify"]

NAME = "smartsupp"
MEDIUM: events.Medium = "chat"
SECRETS = ("signing",)
"""`signing`: the app's secret."""

IGNORED = "ignored"
KINDS: Mapping[str, str] = {
    "conversation.contact_replied": "message.received",
    "conversation.agent_replied": "message.echoed",
    "conversation.bot_replied": "message.echoed",
    "conversation.message_delivered": "message.delivered",
    "conversation.message_delivery_failed": "message.failed",
    "message.created": "message.received",
    **dict.fromkeys(
        (
            "contact.acquired",
            "contact.banned",
            "contact.created",
            "contact.deleted",
            "contact.unbanned",
            "contact.updated",
            "conversation.agent_assigned",
            "conversation.agent_joined",
            "conversation.agent_left",
            "conversation.agent_unassigned",
            "conversation.closed",
            "conversation.closed_by_contact",
            "conversation.created",
            "conversation.opened",
            "conversation.rated",
            "conversation.updated",
            "conversation.visitor_closed",
            "visitor.connected",
            "visitor.disconnected",
            "visitor.triggered",
            "visitor.typing",
            "visitor.updated",
        ),
        IGNORED,
    ),
    "said/system": IGNORED,
}
HERS = frozenset({"contact", "visitor"})
OURS = frozenset({"agent", "bot", "trigger"})
FAILED = "refused_by_provider"
FILES_MAX = 16
NAME_MAX_BYTES = 512
SOURCE_MAX_CHARACTERS = 4_096

Told = Mapping[str, Any]
"""An object of the API."""


# -- the door -----------------------------------------------------------------------------------------


def verify(request: delivery.WebRequest, secrets: delivery.Secrets, public_url: str) -> None:  # noqa: ARG001  the shared shape
    """Check X-Smartsupp-Hmac over the raw body. Raises: SignatureInvalid."""
    given = (request.header("x-smartsupp-hmac") or "").lower()
    expected = hmac.new(secrets["signing"].encode(), request.body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(given.encode(errors="replace"), expected.encode()):
        raise errors.SignatureInvalid


# -- normalising --------------------------------------------------------------------------------------


def parse(raw: delivery.RawDelivery) -> Parsed:
    """Return what an event tells: what was said, or what became of it."""
    try:
        told = loose.table(loose.read(raw.body))
    except codec.UNREADABLE:
        return outcome.unreadable()
    kind, data = loose.text(told.get("event")), loose.table(told.get("data"))
    if not kind:
        return outcome.not_an_event()
    if kind not in KINDS:
        return outcome.unknown(kind)
    if kind not in _READERS:
        return Ignored(kind)
    message = loose.table(data.get("message")) or data
    return _READERS[kind](raw, kind, {**told, **data, "message": message})


def instant(found: Any) -> datetime | None:
    """Return a time that Smartsupp tells; `None` for what is none."""
    try:
        told = datetime.fromisoformat(loose.text(found))
    except ValueError:
        return None
    return told if told.tzinfo is not None else None


def said(raw: delivery.RawDelivery, conversation: Told, message: Told, at: Any = None) -> Parsed:
    """Return a message of a conversation. `at`: when it was told of, where the message says no time."""
    named, its = loose.identity(message.get("id")), _conversation(conversation, message)
    by = loose.text(message.get("sub_type"))
    if named is None or its is None:
        return outcome.unreadable("message")
    if by not in HERS | OURS:
        return Ignored("said/system") if by == "system" else outcome.unknown(f"said/{by}")
    files = _files(message)
    opened = events.MessageReceivedOpen(
        **outcome.about(raw, MEDIUM, its, named),
        provider_time=instant(message.get("created_at")) or instant(at),
        attachments=len(files),
    )
    personal = events.MessageReceivedPersonal(
        **who(raw, its, conversation, message), text=_text(message), files=files[:FILES_MAX]
    )
    kind = events.MessageReceived if by in HERS else events.MessageEchoed
    return Reported([(its, outcome.contact_event(raw, kind, opened, personal))])


def who(raw: delivery.RawDelivery, its: str, *told: Told) -> dict[str, Any]:
    """Return the customer's handles and name, from the conversation and the message; what she typed is claimed."""
    known = [handles.reference(NAME, raw.account, its)]
    ids = (loose.identity(each.get(kind)) for kind in ("contact_id", "visitor_id") for each in told)
    person = next((each for each in ids if each), None)
    if person is not None:
        known.append(handles.of("account", f"{NAME}:{person}", "delivered"))
    people = [loose.table(each.get(kind)) for kind in ("contact", "visitor") for each in told]
    card = next((each for each in people if each), {})
    address = handles.email(loose.text(card.get("email")))
    number = handles.phone(loose.text(card.get("phone")), raw.rules.region)
    known += [] if address is None else [handles.of("email", address, "claimed")]
    known += [] if number is None else [handles.of("phone", number, "claimed")]
    by_her = next((each for each in told if each.get("sub_type") in HERS), {})
    name = loose.text(card.get("name")) or loose.text(by_her.get("author_name"))
    return {"handles": known, "name": texts.line(name)}


def _conversation(conversation: Told, message: Told) -> str | None:
    return loose.identity(conversation.get("id")) or loose.identity(message.get("conversation_id"))


def _said(raw: delivery.RawDelivery, kind: str, told: Told) -> Parsed:  # noqa: ARG001  the readers' shape
    conversation = {"contact": told.get("contact"), **loose.table(told.get("conversation"))}
    return said(raw, conversation, loose.table(told.get("message")), told.get("timestamp"))


def _became(raw: delivery.RawDelivery, kind: str, told: Told) -> Parsed:
    """Return what became of a message of ours."""
    message, conversation = loose.table(told.get("message")), loose.table(told.get("conversation"))
    named = loose.identity(told.get("message_id")) or loose.identity(message.get("id"))
    its = _conversation(conversation, message) or loose.identity(told.get("conversation_id"))
    if named is None or its is None:
        return outcome.unreadable(kind)
    failed = KINDS[kind] == "message.failed"
    opened = events.MessageOutcomeOpen(
        **outcome.about(raw, MEDIUM, its, named),
        provider_time=instant(told.get("timestamp")),
        refers_to=named,
        reason=FAILED if failed else None,
    )
    personal = events.ContactPersonal(**who(raw, its, conversation, message))
    event_type = events.MessageFailed if failed else events.MessageDelivered
    return Reported([(its, outcome.contact_event(raw, event_type, opened, personal))])


_READERS: Mapping[str, Callable[[delivery.RawDelivery, str, Told], Parsed]] = {
    "conversation.contact_replied": _said,
    "conversation.agent_replied": _said,
    "conversation.bot_replied": _said,
    "message.created": _said,
    "conversation.message_delivered": _became,
    "conversation.message_delivery_failed": _became,
}


def _text(message: Told) -> str:
    """Return the words, which older versions gave as they stand."""
    content = message.get("content")
    written = loose.text(content) or loose.text(loose.table(content).get("text"))
    return texts.fit(written)


def _files(message: Told) -> list[events.AttachedFile]:
    """Return the files of a message; `source` is an address at Smartsupp."""
    found = []
    for each in loose.tables(message.get("attachments")):
        source = texts.clean(loose.text(each.get("url")))
        if not 0 < len(source) <= SOURCE_MAX_CHARACTERS:
            continue
        name = loose.text(each.get("file_name")) or loose.text(each.get("name"))
        kind = texts.line(loose.text(each.get("content_type")), NAME_MAX_BYTES)
        file = events.AttachedFile(
            name=texts.line(name, NAME_MAX_BYTES),
            media_type=kind or media_types.of(name or source),
            size_bytes=loose.whole(each.get("size")),
            source=source,
        )
        found.append(file)
    return found
