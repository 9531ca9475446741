"""What stands in a thread of LiveChat, be it told by a webhook or exported: who wrote, and what.

Sources, read 2026-11: platform.text.com/docs/agent-chat-api/data-structures (events, users, threads) and the payloads
in the tests of github.com/livechat/lc-sdk-go (webhooks/testdata).

A chat is one customer's for good, and each of its threads is one talk. An author is told apart by the users that stand
beside, else by the form of the id: an agent's is an address, a bot's 32 hexadecimal digits without a dash.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from services.ingest.domain import delivery, loose, media_types, outcome, texts
from services.ingest.domain.outcome import Ignored, Parsed, Reported
from shared import events, handles, message_reference

NAME = "livechat"
MEDIUM: events.Medium = "chat"
IGNORED = "ignored"
EVENT_KINDS: Mapping[str, str] = {
    "event/message": "message.received",
    "event/file": "message.received",
    "event/filled_form": "form.submitted",
    "event/own": "message.echoed",
    "event/rich_message": "message.echoed",
    "event/for_agents": IGNORED,
    "event/system_message": IGNORED,
    "event/annotation": IGNORED,
    "event/custom": IGNORED,
    "event/form": IGNORED,
}
"""What stands in a thread, by its type; `own` is what one of ours wrote, `for_agents` what no customer sees.

An annotation is a rating. A form without answers is a question of the vendor's own.
"""

FOR_AGENTS = "agents"
AFTER_THE_CHAT = frozenset({"postchat"})
"""A survey after the chat: it asks for nothing."""
QUESTIONS = frozenset({"question", "textarea"})
"""Fields in which a customer writes what she wants."""
FIELDS_MAX = 64
FIELD_MAX_BYTES = 4_096
NAME_MAX_BYTES = 512
SOURCE_MAX_CHARACTERS = 4_096
_BOT = re.compile(r"[0-9a-f]{32}\Z")

Told = Mapping[str, Any]
"""An object of the API."""


@dataclass(frozen=True, slots=True)
class Thread:
    """Where something was said. `users`: whom the payload tells of, see `users_of`."""

    chat: str
    thread: str | None = None
    users: Mapping[str, Told] = field(default_factory=dict)

    def about(self, raw: delivery.RawDelivery, provider_id: str) -> dict[str, Any]:
        """Return the open fields of a fact. What was exported is over: each of its threads is a contact of its own."""
        contact = f"{self.chat}/{self.thread}" if raw.imported and self.thread else self.chat
        return outcome.about(raw, MEDIUM, contact, provider_id)

    def is_ours(self, author: str) -> bool:
        """Tell whether an id is of an agent or a bot."""
        known = loose.text(self.users.get(author, {}).get("type"))
        return known != "customer" if known else "@" in author or _BOT.match(author) is not None

    def customer(self) -> Told:
        """Return the customer, as far as the payload tells of her."""
        first = next(iter(self.users.values()), {})
        return first if _is_customer(first) else {}

    def who(self, raw: delivery.RawDelivery) -> dict[str, Any]:
        """Return the customer's handles and name. LiveChat vouches for her browser, not for who sits there."""
        names = [] if raw.imported else [self.chat]
        names += [] if self.thread is None else [f"{self.chat}/{self.thread}"]
        led = [handles.reference(NAME, raw.account, each) for each in names]
        known = [*led, handles.of("account", f"{NAME}:{self.chat}", "delivered")]
        person = self.customer()
        address = handles.email(loose.text(person.get("email")))
        if address is not None:
            vouched = person.get("email_verified") is True
            known.append(handles.of("email", address, "delivered" if vouched else "claimed"))
        return {"handles": known, "name": texts.line(loose.text(person.get("name")))}


def users_of(found: Any) -> dict[str, Told]:
    """Return users by their id, customers first: each event of a long thread asks who she is."""
    listed = sorted(loose.tables(found), key=lambda each: not _is_customer(each))
    named = ((loose.identity(each.get("id")), each) for each in listed)
    return {known: each for known, each in named if known is not None}


def _is_customer(user: Told) -> bool:
    return user.get("type") == "customer"


def instant(found: Any) -> datetime | None:
    """Return a time that the API tells, in UTC with up to microseconds; `None` for what is none."""
    try:
        told = datetime.fromisoformat(loose.text(found))
    except ValueError:
        return None
    return told if told.tzinfo is not None else None


def _time(event: Told) -> datetime | None:
    """Return when an event was; before version 3.1 in seconds since 1970."""
    return instant(event.get("created_at")) or loose.instant(event.get("timestamp"))


def said(raw: delivery.RawDelivery, thread: Thread, event: Told, *, edited: bool = False) -> Parsed:
    """Return what an event of a thread reports."""
    kind, named = f"event/{loose.text(event.get('type'))}", loose.identity(event.get("id"))
    if FOR_AGENTS in (event.get("visibility"), event.get("recipients")):
        return Ignored("event/for_agents")
    if kind not in EVENT_KINDS:
        return outcome.unknown(kind)
    if EVENT_KINDS[kind] == IGNORED:
        return Ignored(kind)
    author = loose.identity(event.get("author_id"))
    if named is None or author is None:
        return outcome.unreadable(kind)
    if kind == "event/filled_form":
        return _form(raw, thread, event, named)
    if thread.is_ours(author):
        return _own(raw, thread, event, named, edited=edited)
    kind_of_hers = events.MessageEdited if edited else events.MessageReceived
    return _message(raw, thread, event, named, kind_of_hers)


def _message(
    raw: delivery.RawDelivery,
    thread: Thread,
    event: Told,
    named: str,
    kind: type[events.MessageReceived | events.MessageEdited | events.MessageEchoed],
    version: str | None = None,
) -> Parsed:
    """Return a message. When it was written anew nobody says; then its words tell it from its other versions."""
    edited = kind is events.MessageEdited or version is not None
    files, text = _files(event), _text(event)
    opened = events.MessageReceivedOpen(
        **thread.about(raw, named),
        provider_time=None if edited else _time(event),
        attachments=len(files),
        refers_to=named if kind is events.MessageEdited else None,
    )
    personal = events.MessageReceivedPersonal(**thread.who(raw), text=text, files=files)
    words = [text.encode(), *(str(each.source).encode() for each in files)] if edited else []
    made: events.ContactEvent = outcome.contact_event(raw, kind, opened, personal, words)
    return Reported([(thread.chat, made)])


def _own(
    raw: delivery.RawDelivery, thread: Thread, event: Told, named: str, *, edited: bool
) -> Parsed:
    """Return what one of ours wrote there; of what an agent wrote here, that it has arrived."""
    ours = message_reference.read(event.get("custom_id"))
    if ours is None:
        version = "edited" if edited else None
        return _message(raw, thread, event, named, events.MessageEchoed, version)
    opened = events.MessageOutcomeOpen(
        **thread.about(raw, named),
        provider_time=_time(event),
        message_id=ours.message,
        refers_to=named,
    )
    personal = events.ContactPersonal(**thread.who(raw))
    made = outcome.contact_event(
        raw, events.MessageSent, opened, personal, conversation=ours.conversation
    )
    return Reported([(thread.chat, made)])


def _form(raw: delivery.RawDelivery, thread: Thread, event: Told, named: str) -> Parsed:
    """Return a form with its answers. What she types about herself is claimed."""
    who, pairs, asked = thread.who(raw), [], []
    for each in loose.tables(event.get("fields"))[:FIELDS_MAX]:
        kind, value = loose.text(each.get("type")), _answer(each)
        if kind == "email" and (address := handles.email(value)) is not None:
            who["handles"].append(handles.of("email", address, "claimed"))
        if kind == "name":
            who["name"] = texts.line(value) or who["name"]
        if kind in QUESTIONS:
            asked.append(value)
        elif value:
            label = loose.text(each.get("label")).strip(" :*")
            fitted = texts.fit(label, NAME_MAX_BYTES), texts.fit(value, FIELD_MAX_BYTES)
            pairs.append(fitted)
    opened = events.FormSubmittedOpen(
        **thread.about(raw, named),
        provider_time=_time(event),
        automatic=_form_type(event) in AFTER_THE_CHAT,
    )
    text = texts.fit("\n".join(each for each in asked if each))
    personal = events.FormSubmittedPersonal(**who, fields=pairs, text=text)
    made = outcome.contact_event(raw, events.FormSubmitted, opened, personal)
    return Reported([(thread.chat, made)])


def _form_type(event: Told) -> str:
    older = loose.table(loose.table(event.get("properties")).get("lc2"))
    return loose.text(event.get("form_type")) or loose.text(older.get("form_type"))


def _answer(told: Told) -> str:
    """Return what was written, chosen, or ticked in a field."""
    found = told.get("answer", told.get("answers", told.get("value")))
    ticked = [one for one in loose.tables(told.get("options")) if one.get("checked") is True]
    each = found if isinstance(found, list) else [found] if found is not None else ticked
    labels = [one.get("label", one.get("value")) if isinstance(one, dict) else one for one in each]
    return ", ".join(str(one) for one in labels if isinstance(one, str | int) and one != "").strip()


def _text(event: Told) -> str:
    """Return the message's text; of cards and quick replies what they show."""
    shown = [loose.text(event.get("text"))]
    for element in loose.tables(event.get("elements")):
        shown += [loose.text(element.get(each)) for each in ("title", "subtitle")]
        shown += [loose.text(each.get("text")) for each in loose.tables(element.get("buttons"))]
    return texts.fit("\n".join(each for each in shown if each))


def _files(event: Told) -> list[events.AttachedFile]:
    """Return the file of an event; `source` is its address at LiveChat."""
    source = texts.clean(loose.text(event.get("url")))
    if event.get("type") != "file" or not 0 < len(source) <= SOURCE_MAX_CHARACTERS:
        return []
    name = loose.text(event.get("name"))
    media_type = texts.line(loose.text(event.get("content_type")), NAME_MAX_BYTES)
    return [
        events.AttachedFile(
            name=texts.line(name, NAME_MAX_BYTES),
            media_type=media_type or media_types.of(name or source),
            size_bytes=loose.whole(event.get("size")),
            source=source,
        )
    ]
