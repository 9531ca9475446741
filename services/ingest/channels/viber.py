"""Viber: callbacks of a bot (a public account) as webhooks.

Sources, read 2026-11 (developers.viber.com/docs/api/rest-bot-api): "Callbacks" (X-Viber-Content-Signature: HMAC-SHA256
of the body under the account's token; each event's data), "Receive message from user" (each type of message),
"Sending a welcome message", "tracking_data" (comes back with what the customer writes next).

A message token is a number of 64 bits: here it is a text. It names the message, hers as well as ours. To begin a
conversation is no message and no consent, the welcome is all that may be answered: the account's `reply`.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from services.ingest.domain import delivery, loose, media_types, outcome, texts
from services.ingest.domain.delivery import no_handshake as handshake
from services.ingest.domain.outcome import Ignored, Parsed, Reported
from shared import codec, errors, events, handles, message_reference
from shared.policy import Account

__all__ = ["KINDS", "MEDIUM", "NAME", "SECRETS", "answer", "handshake", "parse", "verify"]

NAME = "viber"
MEDIUM: events.Medium = "message"
SECRETS = ("signing",)
"""`signing`: the account's authentication token, with which Viber signs and agents' messages are sent."""

IGNORED = "ignored"
KINDS: Mapping[str, str] = {
    "message": "message.received",
    "delivered": "message.delivered",
    "seen": "message.read",
    "failed": "message.failed",
    "subscribed": "consent.given",
    "unsubscribed": "consent.withdrawn",
    "conversation_started": IGNORED,
    "webhook": IGNORED,
    "action": IGNORED,
    "client_status": IGNORED,
}
FAILED = "refused_by_provider"
"""Why a message failed: Viber says it in a sentence that may name anything; it stays in RAW."""
BEGUN = "conversation_started"

MILLISECONDS = 1_000
SENDER_MAX_CHARACTERS = 28
FILE_NAME_MAX_BYTES = 512
SOURCE_MAX_CHARACTERS = 4_096

FILE_KINDS: Mapping[str, str] = {
    "picture": "image/jpeg",
    "video": "video/mp4",
    "file": media_types.UNKNOWN,
    "sticker": "image/png",
}
"""The types of message that bring a file, and of which media type it is where its name does not say so."""

PICTURED = frozenset({"rich_media", "sticker"})
"""The types whose words are those of what is shown: a text beside them says it already."""

Told = Mapping[str, Any]
"""An object of the API."""


# -- the door -----------------------------------------------------------------------------------------


def verify(request: delivery.WebRequest, secrets: delivery.Secrets, public_url: str) -> None:  # noqa: ARG001  the shared shape
    """Check X-Viber-Content-Signature over the raw body. Raises: SignatureInvalid."""
    given = (request.header("x-viber-content-signature") or "").lower()
    expected = hmac.new(secrets["signing"].encode(), request.body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(given.encode(errors="replace"), expected.encode()):
        raise errors.SignatureInvalid


def answer(request: delivery.WebRequest, rules: Account) -> delivery.Answer:
    """Return the account's welcome to who begins a conversation; nothing otherwise, or if it has no `reply`."""
    try:
        begun = loose.table(loose.read(request.body)).get("event") == BEGUN
    except codec.UNREADABLE:
        begun = False
    if not begun or rules.reply is None:
        return delivery.Answer()
    sender = {"name": (rules.title or rules.queue)[:SENDER_MAX_CHARACTERS]}
    welcome = {"sender": sender, "type": "text", "text": rules.reply}
    return delivery.Answer(msgspec.json.encode(welcome), "application/json")


# -- normalising --------------------------------------------------------------------------------------


def parse(raw: delivery.RawDelivery) -> Parsed:
    """Return what a callback reports: what a customer said, agreed to, or what became of a message to her."""
    try:
        told = loose.table(loose.read(raw.body))
    except codec.UNREADABLE:
        return outcome.unreadable()
    kind = loose.text(told.get("event"))
    if not kind:
        return outcome.not_an_event()
    if kind not in KINDS:
        return outcome.unknown(kind)
    if kind not in _READERS:
        return Ignored(kind)
    person = _person(told)
    named = loose.identity(person.get("id"))
    return outcome.unreadable(kind) if named is None else _READERS[kind](raw, kind, told, named)


def _person(told: Told) -> Told:
    """Return who it is about: whoever wrote, whoever subscribed, or only somebody's id."""
    whole = loose.table(told.get("sender")) or loose.table(told.get("user"))
    return whole or {"id": told.get("user_id")}


def _about(raw: delivery.RawDelivery, told: Told, person: str) -> dict[str, Any]:
    """Return the open part of a fact, named by its message; without one it is the body's."""
    token = loose.identity(told.get("message_token")) or raw.sha256
    happened = loose.instant(told.get("timestamp"), MILLISECONDS)
    return {**outcome.about(raw, MEDIUM, person, token), "provider_time": happened}


def _who(raw: delivery.RawDelivery, told: Told, person: str) -> dict[str, Any]:
    """Return the personal part. An id counts for one bot: the reference to the contact names the account, too."""
    reference = handles.reference(NAME, raw.account, person)
    name = texts.line(loose.text(_person(told).get("name")))
    return {"handles": [reference, handles.account(NAME, person)], "name": name}


def _message(raw: delivery.RawDelivery, kind: str, told: Told, person: str) -> Parsed:  # noqa: ARG001  the readers' shape
    said = loose.table(told.get("message"))
    files = _files(said)
    answered = message_reference.read(said.get("tracking_data"))
    opened = events.MessageReceivedOpen(
        **_about(raw, told, person),
        attachments=len(files),
        in_reply_to=None if answered is None else answered.conversation,
    )
    personal = events.MessageReceivedPersonal(
        **_who(raw, told, person), text=_text(said), files=files
    )
    event = outcome.contact_event(raw, events.MessageReceived, opened, personal)
    return Reported([(person, event)])


def _became(raw: delivery.RawDelivery, kind: str, told: Told, person: str) -> Parsed:
    """Return what became of a message of ours. One that went to many people has one token."""
    token = loose.identity(told.get("message_token"))
    if token is None:
        return outcome.unreadable(kind)
    ours = message_reference.read(told.get("tracking_data"))
    opened = events.MessageOutcomeOpen(
        **_about(raw, told, person),
        refers_to=token,
        message_id=None if ours is None else ours.message,
        reason=FAILED if kind == "failed" else None,
    )
    personal = events.ContactPersonal(**_who(raw, told, person))
    conversation = None if ours is None else ours.conversation
    event = outcome.contact_event(
        raw, _OUTCOMES[kind], opened, personal, [person.encode()], conversation=conversation
    )
    return Reported([(person, event)])


def _consent(raw: delivery.RawDelivery, kind: str, told: Told, person: str) -> Parsed:
    """Return that she may, or must not, be written to. Not every such callback has a token of its own."""
    named = loose.identity(told.get("message_token")) or f"{person}/{told.get('timestamp')}"
    about = {**_about(raw, told, person), "provider_id": texts.fit(named, FILE_NAME_MAX_BYTES)}
    opened = events.ConsentOpen(**about, said=kind)
    given = KINDS[kind] == "consent.given"
    event_type = events.ConsentGiven if given else events.ConsentWithdrawn
    personal = events.ContactPersonal(**_who(raw, told, person))
    return Reported([(person, outcome.contact_event(raw, event_type, opened, personal))])


_OUTCOMES: Mapping[str, type[events.OutcomeEvent]] = {
    "delivered": events.MessageDelivered,
    "seen": events.MessageRead,
    "failed": events.MessageFailed,
}
_READERS: Mapping[str, Callable[[delivery.RawDelivery, str, Told, str], Parsed]] = {
    "message": _message,
    "subscribed": _consent,
    "unsubscribed": _consent,
    **dict.fromkeys(_OUTCOMES, _became),
}


# -- what a message says and brings -------------------------------------------------------------------


def _text(said: Told) -> str:
    """Return the message's text, and below it what it brings in words; what is a picture is told only without one."""
    kind, text = loose.text(said.get("type")), loose.text(said.get("text"))
    told = kind in _WORDS and not (text and kind in PICTURED)
    shown = _WORDS[kind](said) if told else []
    below = (each for each in shown if each and each not in text)
    return texts.fit("\n".join((*filter(None, [text]), *below)))


def _card(said: Told) -> list[str]:
    card = loose.table(said.get("contact"))
    return [loose.text(card.get(each)) for each in ("name", "phone_number")]


def _place(said: Told) -> list[str]:
    place = loose.table(said.get("location"))
    where = [place.get("lat"), place.get("lon", place.get("lng"))]
    told = [str(each) for each in where if isinstance(each, int | float | str)]
    return [loose.text(place.get("address")), ", ".join(told)]


def _rich(said: Told) -> list[str]:
    """Return the words on a carousel's buttons; its own words for programs that cannot show it, if it has them."""
    buttons = loose.tables(loose.table(said.get("rich_media")).get("Buttons"))
    words = loose.text(said.get("alt_text"))
    return [words] if words else [loose.text(each.get("Text")) for each in buttons]


_WORDS: Mapping[str, Callable[[Told], list[str]]] = {
    "contact": _card,
    "location": _place,
    "rich_media": _rich,
    "sticker": lambda said: [f"sticker {loose.identity(said.get('sticker_id')) or ''}".strip()],
    "url": lambda said: [loose.text(said.get("media"))],
}


def _files(said: Told) -> list[events.AttachedFile]:
    """Return the file of a message; `source` is its address, which Viber forgets after a while."""
    kind, source = loose.text(said.get("type")), texts.clean(loose.text(said.get("media")))
    if kind not in FILE_KINDS or not 0 < len(source) <= SOURCE_MAX_CHARACTERS:
        return []
    name = loose.text(said.get("file_name"))
    return [
        events.AttachedFile(
            name=texts.line(name, FILE_NAME_MAX_BYTES),
            media_type=media_types.of(name or source, FILE_KINDS[kind]),
            size_bytes=loose.whole(said.get("size", said.get("file_size"))),
            source=source,
        )
    ]
