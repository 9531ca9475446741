"""Telegram: updates of the Bot API as webhooks, of a bot's own chats and of a business account it is connected to.

Sources, read 2026-11 (core.telegram.org/bots/api): `setWebhook` (`secret_token`), "Making requests when getting
updates" (a body in our answer would be executed, so there is none), `Update` and the type of each of its fields.

The secret token proves the sender of the whole request; Telegram signs nothing else. A fact is named by its chat and
message: the update's number is that of the delivery. In a business chat both have the connection before them, for a
bot's own chat with the same person counts its messages too. An album has no end: each of its files is a message.
"""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from services.ingest.channels.shapes import telegram_words as content
from services.ingest.domain import delivery, loose, outcome
from services.ingest.domain.delivery import no_answer as answer
from services.ingest.domain.delivery import no_handshake as handshake
from services.ingest.domain.outcome import Ignored, Parsed, Reported
from shared import codec, errors, events, handles

__all__ = ["KINDS", "MEDIUM", "NAME", "SECRETS", "answer", "handshake", "parse", "verify"]

NAME = "telegram"
MEDIUM: events.Medium = "message"
SECRETS = ("signing",)
"""`signing`: the `secret_token` that was given to `setWebhook`."""

IGNORED = "ignored"
UPDATE_KINDS: Mapping[str, str] = {
    "message": "message.received",
    "edited_message": "message.edited",
    "guest_message": "message.received",
    "business_message": "message.received",
    "edited_business_message": "message.edited",
    "deleted_business_messages": "message.deleted",
    "message_reaction": "message.reacted",
    "callback_query": "message.received",
    "my_chat_member": IGNORED,
    "business_connection": IGNORED,
    "channel_post": IGNORED,
    "chat_boost": IGNORED,
    "chat_join_request": IGNORED,
    "chat_member": IGNORED,
    "chosen_inline_result": IGNORED,
    "edited_channel_post": IGNORED,
    "inline_query": IGNORED,
    "managed_bot": IGNORED,
    "message_reaction_count": IGNORED,
    "poll": IGNORED,
    "poll_answer": IGNORED,
    "pre_checkout_query": IGNORED,
    "purchased_paid_media": IGNORED,
    "removed_chat_boost": IGNORED,
    "shipping_query": IGNORED,
    "stopped_message_generation": IGNORED,
    "subscription": IGNORED,
}
"""The field of an update that is set. A post of a channel is its owner's, not a customer's."""
OWN_KINDS: Mapping[str, str] = {
    "business_message/own": "message.echoed",
    "edited_business_message/own": "message.echoed",
}
"""What the business account itself wrote to a customer."""
MEMBER_KINDS: Mapping[str, str] = {
    "my_chat_member/kicked": "consent.withdrawn",
    "my_chat_member/member": "consent.given",
}
"""What has become of the bot in a private chat: she blocked it, or lets it write (again)."""
KINDS: Mapping[str, str] = {**UPDATE_KINDS, **OWN_KINDS, **MEMBER_KINDS}

DELETED_MAX = 1_000
"""So many messages are taken back by one update: each is an event, and somebody's ledger holds them all."""

CONSENT_WORDS: Mapping[str, str] = {"kicked": "blocked", "member": "started"}

# -- the door -----------------------------------------------------------------------------------------


def verify(request: delivery.WebRequest, secrets: delivery.Secrets, public_url: str) -> None:  # noqa: ARG001  the shared shape
    """Check X-Telegram-Bot-Api-Secret-Token. Raises: SignatureInvalid."""
    given = request.header("x-telegram-bot-api-secret-token") or ""
    if not hmac.compare_digest(given.encode(errors="replace"), secrets["signing"].encode()):
        raise errors.SignatureInvalid


# -- normalising --------------------------------------------------------------------------------------

Told = Mapping[str, Any]
"""An object of the Bot API."""


def parse(raw: delivery.RawDelivery) -> Parsed:
    """Return what an update reports: of the one field that it has beside its number."""
    try:
        update = loose.table(loose.read(raw.body))
    except codec.UNREADABLE:
        return outcome.unreadable()
    kind = next((each for each in UPDATE_KINDS if each in update), None)
    if kind is not None:
        reader = _READERS.get(kind)
        return Ignored(kind) if reader is None else reader(raw, kind, loose.table(update[kind]))
    named = next((each for each in update if each != "update_id"), None)
    return outcome.unknown(named) if "update_id" in update and named else outcome.not_an_event()


@dataclass(frozen=True, slots=True)
class _Chat:
    """Where something was said. `number`: the chat's id; `connection`: the business account's, in a chat of its own."""

    number: str
    private: bool
    connection: str | None
    name: str | None

    @property
    def key(self) -> str:
        return self.number if self.connection is None else f"{self.connection}/{self.number}"

    def about(self, raw: delivery.RawDelivery, provider_id: str) -> dict[str, Any]:
        return outcome.about(raw, MEDIUM, self.key, provider_id)

    def message(self, told: Any) -> str | None:
        """Return the id of a message in this chat, from its number."""
        number = loose.identity(told)
        return None if number is None else f"{self.key}/{number}"

    def handles(self, raw: delivery.RawDelivery, person: str | None) -> list[events.Handle]:
        """Return the handles of somebody in this chat; only the chat's where nobody says who it is.

        Every bot of a tenant has a chat of the same number with her: the reference names the account, too.
        """
        known = [] if person is None else [handles.account(NAME, person)]
        return [handles.reference(NAME, raw.account, self.key), *known]


def _chat(told: Told, connection: Any = None) -> _Chat | None:
    chat = loose.table(told.get("chat"))
    number = loose.identity(chat.get("id"))
    if number is None:
        return None
    private = loose.text(chat.get("type")) or ("" if number.startswith("-") else "private")
    connected = loose.identity(connection or told.get("business_connection_id"))
    return _Chat(number, private == "private", connected, content.name_of(chat))


def _message(raw: delivery.RawDelivery, kind: str, told: Told) -> Parsed:
    """Return a message, or a new version of one: named by its message, its time and what it says now."""
    nobodys, chat = content.nobodys_kind(told), _chat(told)
    named = None if chat is None else chat.message(told.get("message_id"))
    if nobodys is not None:
        return Ignored(nobodys)
    if chat is None or named is None:
        return outcome.unreadable(kind)
    author, edited = _author(chat, told), UPDATE_KINDS[kind] == "message.edited"
    own = _is_own(chat, told)
    if own and "sender_business_bot" in told:
        return Ignored("sent_by_the_bot")
    files, text = content.files(told), content.text(told)
    opened = events.MessageReceivedOpen(
        **chat.about(raw, named),
        provider_time=loose.instant(told.get("edit_date" if edited else "date")),
        automatic=_is_automatic(told),
        attachments=len(files),
        refers_to=named if edited else _answered(chat, told),
    )
    person = chat.number if own else loose.identity(author.get("id"))
    personal = events.MessageReceivedPersonal(
        handles=[*chat.handles(raw, person), *_own_number(told, person)],
        name=chat.name if own else content.name_of(author),
        text=text,
        files=files,
        quoted=content.quoted(told),
    )
    words = content.written(told) or text
    version = [str(told.get("edit_date")), words, *(str(each.source) for each in files)]
    said = [each.encode() for each in version] if edited else []
    hers = events.MessageEdited if edited else events.MessageReceived
    event_type = events.MessageEchoed if own else hers
    return Reported([(chat.key, outcome.contact_event(raw, event_type, opened, personal, said))])


def _author(chat: _Chat, told: Told) -> Told:
    """Return who wrote: a person, or the chat in whose name somebody did; `from` is then somebody made up."""
    alone = loose.table(told.get("chat")) if chat.private else {}
    return loose.table(told.get("sender_chat")) or loose.table(told.get("from")) or alone


def _is_own(chat: _Chat, told: Told) -> bool:
    """Tell whether the business account wrote: its chats have the customer's id."""
    sender = loose.identity(loose.table(told.get("from")).get("id"))
    return chat.connection is not None and chat.private and sender not in {None, chat.number}


def _is_automatic(told: Told) -> bool:
    of_a_bot = loose.table(told.get("from")).get("is_bot") is True and "sender_chat" not in told
    flags = (told.get(each) is True for each in ("is_automatic_forward", "is_from_offline"))
    return of_a_bot or any(flags)


def _answered(chat: _Chat, told: Told) -> str | None:
    """Return the message that this one answers, in this chat or in another one."""
    elsewhere = loose.table(told.get("external_reply"))
    other = _chat(elsewhere)
    if other is not None:
        return other.message(elsewhere.get("message_id"))
    return chat.message(loose.table(told.get("reply_to_message")).get("message_id"))


def _own_number(told: Told, person: str | None) -> list[events.Handle]:
    """Return the number of whoever shares her own: Telegram says whose it is. It writes no plus before it."""
    card = loose.table(told.get("contact"))
    if person is None or loose.identity(card.get("user_id")) != person:
        return []
    number = handles.phone("+" + loose.text(card.get("phone_number")).lstrip("+"))
    return [] if number is None else [handles.of("phone", number, "proved")]


def _pressed(raw: delivery.RawDelivery, kind: str, told: Told) -> Parsed:
    """Return the button that somebody pressed as what she says: its label, or what it stands for."""
    message, sender = loose.table(told.get("message")), loose.table(told.get("from"))
    person, named = loose.identity(sender.get("id")), loose.identity(told.get("id"))
    chat = _chat(message) or _chat({"chat": {**sender, "type": "private"}})
    if chat is None or named is None:
        return outcome.unreadable(kind)
    opened = events.MessageReceivedOpen(
        **chat.about(raw, named),
        automatic=_is_automatic(told),
        refers_to=chat.message(message.get("message_id")),
    )
    personal = events.MessageReceivedPersonal(
        handles=chat.handles(raw, person), name=content.name_of(sender), text=content.button(told)
    )
    event = outcome.contact_event(raw, events.MessageReceived, opened, personal)
    return Reported([(chat.key, event)])


def _deleted(raw: delivery.RawDelivery, kind: str, told: Told) -> Parsed:
    chat, listed = _chat(told), told.get("message_ids")
    if chat is None or not isinstance(listed, list):
        return outcome.unreadable(kind)
    personal = events.ContactPersonal(handles=chat.handles(raw, chat.number), name=chat.name)
    taken_back = [named for each in listed if (named := chat.message(each)) is not None]
    named_once = list(dict.fromkeys(taken_back))
    found = (
        events.MessageChangedOpen(**chat.about(raw, named), refers_to=named)
        for named in named_once[:DELETED_MAX]
    )
    made = [outcome.contact_event(raw, events.MessageDeleted, each, personal) for each in found]
    if not made:
        return Ignored(kind)
    reports: list[tuple[str, events.ContactEvent]] = [(chat.key, each) for each in made]
    if len(named_once) > DELETED_MAX:
        reports += outcome.reports_of(raw, outcome.partly_read(kind))
    return Reported(reports)


def _reacted(raw: delivery.RawDelivery, kind: str, told: Told) -> Parsed:
    """Return which signs stand at a message now. Each change is a fact: of this person, at this time."""
    chat, signs = _chat(told), told.get("new_reaction")
    named = None if chat is None else chat.message(told.get("message_id"))
    if chat is None or named is None or not isinstance(signs, list):
        return outcome.unreadable(kind)
    author = loose.table(told.get("actor_chat")) or loose.table(told.get("user"))
    person, reaction = loose.identity(author.get("id")), content.reaction(signs)
    opened = events.MessageChangedOpen(
        **chat.about(raw, named), provider_time=loose.instant(told.get("date")), refers_to=named
    )
    personal = events.MessageReactedPersonal(
        handles=chat.handles(raw, person), name=content.name_of(author), reaction=reaction
    )
    said = [each.encode() for each in (str(person), str(told.get("date")), reaction or "")]
    event = outcome.contact_event(raw, events.MessageReacted, opened, personal, said)
    return Reported([(chat.key, event)])


def _consent(raw: delivery.RawDelivery, kind: str, told: Told) -> Parsed:
    """Return that she blocked the bot, or lets it write. In a group nobody's consent is asked."""
    chat, status = _chat(told), loose.text(loose.table(told.get("new_chat_member")).get("status"))
    if chat is None:
        return outcome.unreadable(kind)
    if not chat.private or f"{kind}/{status}" not in MEMBER_KINDS:
        return Ignored(kind)
    opened = events.ConsentOpen(
        **chat.about(raw, f"{chat.key}/{told.get('date')}"),
        provider_time=loose.instant(told.get("date")),
        said=CONSENT_WORDS[status],
    )
    personal = events.ContactPersonal(handles=chat.handles(raw, chat.number), name=chat.name)
    withdrawn = MEMBER_KINDS[f"{kind}/{status}"] == "consent.withdrawn"
    event_type = events.ConsentWithdrawn if withdrawn else events.ConsentGiven
    return Reported([(chat.key, outcome.contact_event(raw, event_type, opened, personal))])


_READERS: Mapping[str, Callable[[delivery.RawDelivery, str, Told], Parsed]] = {
    "message": _message,
    "edited_message": _message,
    "guest_message": _message,
    "business_message": _message,
    "edited_business_message": _message,
    "deleted_business_messages": _deleted,
    "message_reaction": _reacted,
    "callback_query": _pressed,
    "my_chat_member": _consent,
}
