"""What a Telegram message says and brings: its words, its files, and the kinds that nobody wrote.

Source: core.telegram.org/bots/api, `Message` and the types of its fields, read 2026-11. An update of a message that is
of no kind below is a message all the same: who wrote something new is not lost.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from services.ingest.channels.shapes import telegram_rich
from services.ingest.domain import loose, texts
from shared import events

FILES_MAX = 16
LINKS_MAX = 16
ENTITIES = ("entities", "caption_entities")
FILE_NAME_MAX_BYTES = 512
MEDIA_TYPE_MAX_BYTES = 256

FILE_KINDS: Mapping[str, str] = {
    "animation": "video/mp4",
    "audio": "audio/mpeg",
    "document": "application/octet-stream",
    "live_photo": "video/mp4",
    "photo": "image/jpeg",
    "sticker": "image/webp",
    "video": "video/mp4",
    "video_note": "video/mp4",
    "voice": "audio/ogg",
}
"""The fields that hold a file, and of which media type it is where the file does not say so."""

STICKERS: Mapping[str, str] = {"is_video": "video/webm", "is_animated": "application/x-tgsticker"}

NOBODYS_KINDS = frozenset(
    {
        "boost_added",
        "channel_chat_created",
        "chat_background_set",
        "chat_owner_changed",
        "chat_owner_left",
        "chat_shared",
        "checklist_tasks_added",
        "checklist_tasks_done",
        "community_chat_added",
        "community_chat_joined",
        "community_chat_removed",
        "connected_website",
        "delete_chat_photo",
        "direct_message_price_changed",
        "forum_topic_closed",
        "forum_topic_created",
        "forum_topic_edited",
        "forum_topic_reopened",
        "general_forum_topic_hidden",
        "general_forum_topic_unhidden",
        "gift",
        "gift_upgrade_sent",
        "giveaway",
        "giveaway_completed",
        "giveaway_created",
        "giveaway_winners",
        "group_chat_created",
        "left_chat_member",
        "managed_bot_created",
        "message_auto_delete_timer_changed",
        "migrate_from_chat_id",
        "migrate_to_chat_id",
        "new_chat_members",
        "new_chat_photo",
        "new_chat_title",
        "paid_message_price_changed",
        "passport_data",
        "pinned_message",
        "poll_option_added",
        "poll_option_deleted",
        "proximity_alert_triggered",
        "refunded_payment",
        "successful_payment",
        "suggested_post_approval_failed",
        "suggested_post_approved",
        "suggested_post_declined",
        "suggested_post_paid",
        "suggested_post_refunded",
        "supergroup_chat_created",
        "unique_gift",
        "users_shared",
        "video_chat_ended",
        "video_chat_participants_invited",
        "video_chat_scheduled",
        "video_chat_started",
        "write_access_allowed",
    }
)
"""Service messages: that something happened in a chat, not what somebody said."""


def nobodys_kind(message: Mapping[str, Any]) -> str | None:
    """Return which service message it is; `None` for what somebody wrote."""
    return next((name for name in sorted(NOBODYS_KINDS & message.keys())), None)


# -- words --------------------------------------------------------------------------------------------


def text(message: Mapping[str, Any]) -> str:
    """Return the message's text, else its caption, else what it shows in words: one line each.

    Below a text stand the addresses that lie behind its words.
    """
    said = written(message)
    if said:
        return texts.fit("\n".join([said, *_links(said, message)]))
    lines = (
        line
        for name, words in _WORDS.items()
        if name in message
        for line in words(loose.table(message[name]))
    )
    return texts.fit("\n".join(line for line in lines if line))


def written(message: Mapping[str, Any]) -> str:
    """Return what somebody wrote, as it stands there: the message's text, else its caption; empty without one."""
    return texts.fit(loose.text(message.get("text")) or loose.text(message.get("caption")))


def _links(said: str, message: Mapping[str, Any]) -> list[str]:
    """Return the addresses behind the words of a text that it does not show, each once."""
    entities = (each for name in ENTITIES for each in loose.tables(message.get(name)))
    linked = (each for each in entities if each.get("type") == "text_link")
    addresses = (loose.text(each.get("url")) for each in linked)
    hidden = (each for each in addresses if each and each.rstrip("/") not in said)
    return list(dict.fromkeys(hidden))[:LINKS_MAX]


def quoted(message: Mapping[str, Any]) -> str | None:
    """Return the words that a message answers: the part that was chosen of them, else all, in this chat or another."""
    chosen = loose.text(loose.table(message.get("quote")).get("text"))
    elsewhere = loose.table(message.get("external_reply"))
    answered = text(loose.table(message.get("reply_to_message"))) or text(elsewhere)
    return texts.quoted([chosen or answered])


def _place(found: Mapping[str, Any]) -> list[str]:
    where = [found.get("latitude"), found.get("longitude")]
    told = [str(each) for each in where if isinstance(each, int | float)]
    return [", ".join(told)] if len(told) == len(where) else []


def _venue(found: Mapping[str, Any]) -> list[str]:
    """Return what a place is called; where it is stands in the field `location` beside it."""
    return [loose.text(found.get("title")), loose.text(found.get("address"))]


def _listed(found: Mapping[str, Any], title: str, entries: str) -> list[str]:
    """Return a title and the texts of what stands under it."""
    below = (loose.text(each.get("text")) for each in loose.tables(found.get(entries)))
    return [loose.text(found.get(title)), *(f"- {each}" for each in below if each)]


def _card(found: Mapping[str, Any]) -> list[str]:
    return [name_of(found) or "", loose.text(found.get("phone_number"))]


def _dice(found: Mapping[str, Any]) -> list[str]:
    thrown = loose.whole(found.get("value"))
    return [f"{loose.text(found.get('emoji'))} {'' if thrown is None else thrown}".strip()]


_WORDS: Mapping[str, Callable[[Mapping[str, Any]], list[str]]] = {
    "checklist": lambda found: _listed(found, "title", "tasks"),
    "contact": _card,
    "dice": _dice,
    "game": lambda found: [loose.text(found.get("title"))],
    "invoice": lambda found: [loose.text(found.get("title"))],
    "poll": lambda found: _listed(found, "question", "options"),
    "rich_message": telegram_rich.lines,
    "sticker": lambda found: [loose.text(found.get("emoji"))],
    "venue": _venue,
    "location": _place,
    "web_app_data": lambda found: [loose.text(found.get("data"))],
}
"""What a message without a text shows -> its words."""


def button(pressed: Mapping[str, Any]) -> str:
    """Return the label of the button that was pressed, as far as its keyboard is known, else what it stands for."""
    data = loose.text(pressed.get("data")) or loose.text(pressed.get("game_short_name"))
    keyboard = loose.table(loose.table(pressed.get("message")).get("reply_markup"))
    rows = keyboard.get("inline_keyboard")
    buttons = (each for row in rows for each in loose.tables(row)) if isinstance(rows, list) else ()
    labels = (loose.text(each.get("text")) for each in buttons if each.get("callback_data") == data)
    return texts.fit(next(labels, "") or data)


def reaction(signs: list[Any]) -> str | None:
    """Return the signs that somebody has put to a message; `None` when there are none any more."""
    named = (
        loose.text(each.get("emoji")) or loose.text(each.get("custom_emoji_id")) or each.get("type")
        for each in loose.tables(signs)
    )
    return texts.line(" ".join(loose.text(each) for each in named))


def name_of(found: Mapping[str, Any]) -> str | None:
    """Return the name of a user, a contact or a chat."""
    names = (loose.text(found.get(each)) for each in ("first_name", "last_name"))
    full = " ".join(each for each in names if each)
    return texts.line(full or loose.text(found.get("title")) or loose.text(found.get("username")))


# -- files --------------------------------------------------------------------------------------------


def files(message: Mapping[str, Any]) -> list[events.AttachedFile]:
    """Return the files of a message. Of a photo the largest size; `source` is its `file_id`, which `getFile` takes."""
    found = [file for name in FILE_KINDS if name in message for file in _files(name, message)]
    bought = loose.tables(loose.table(message.get("paid_media")).get("paid_media"))
    rich = telegram_rich.media(loose.table(message.get("rich_message")))
    among = (*bought, *rich)
    found += [file for each in among for name in FILE_KINDS for file in _files(name, each)]
    return found[:FILES_MAX]


def _files(name: str, message: Mapping[str, Any]) -> Iterator[events.AttachedFile]:
    if name == "document" and "animation" in message:
        return  # the same file again, for programs that know no animations
    found = message.get(name)
    if name == "photo":
        found = max(loose.tables(found), key=_area, default=None)
    file = loose.table(found)
    source = loose.identity(file.get("file_id"))
    if source is None:
        return
    told = texts.line(loose.text(file.get("mime_type")), MEDIA_TYPE_MAX_BYTES)
    yield events.AttachedFile(
        name=texts.line(loose.text(file.get("file_name")), FILE_NAME_MAX_BYTES),
        media_type=told or _media_type(name, file),
        size_bytes=loose.whole(file.get("file_size")),
        source=source,
    )


def _area(size: Mapping[str, Any]) -> tuple[int, int]:
    width, height, size_bytes = (
        loose.whole(size.get(name)) or 0 for name in ("width", "height", "file_size")
    )
    return width * height, size_bytes


def _media_type(name: str, file: Mapping[str, Any]) -> str:
    if name == "sticker":
        return next((kind for flag, kind in STICKERS.items() if file.get(flag)), FILE_KINDS[name])
    return FILE_KINDS[name]
