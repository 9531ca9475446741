"""The history of Smartsupp: what its export of finished chats posts, or conversations of its REST API.

Sources, read 2026-11: "Export to 3rd party system" (github.com/smartsupp/smartsupp.github.io, _docs/examples; the same
at help.smartsupp.com), which gives messages without ids and times in milliseconds. The others are as its webhooks have
them, see the channel's file, with what `/v2/conversations/<id>/messages` answers as `messages`; programs call that, its
document was not found. A file holds one of them, several in a list, or one a line.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from services.ingest.channels import smartsupp
from services.ingest.channels.smartsupp import MEDIUM, NAME, Told
from services.ingest.domain import archive, delivery, loose, outcome, texts
from services.ingest.domain.archive import Talk
from services.ingest.domain.outcome import Ignored, Parsed, Reported
from shared import codec, errors, events

__all__ = ["NAME", "parse", "talks"]

MILLISECONDS = 1_000
EMPTY = "conversation"
"""One in which nobody wrote."""
KINDS: Mapping[str, type[events.MessageReceived | events.MessageEchoed]] = {
    "visitor": events.MessageReceived,
    "agent": events.MessageEchoed,
}
"""Who wrote, in an export; `system` tells who came and went."""


def talks(content: bytes) -> Sequence[Talk]:
    """Return the conversations of a file. Raises: PayloadUnreadable."""
    found = [each for value in archive.values(content) for each in _talks(value)]
    if not found:
        raise errors.PayloadUnreadable("the file holds no conversations")
    return found


def _talks(value: Any) -> Iterator[Talk]:
    if isinstance(value, list):
        for each in value:
            yield from _talks(each)
    elif isinstance(value, dict) and isinstance(value.get("items"), list):
        yield from _talks(value["items"])
    elif isinstance(value, dict) and "messages" in value:
        begun = loose.instant(value.get("beginAt"), MILLISECONDS)
        yield Talk(msgspec.json.encode(value), begun or smartsupp.instant(value.get("created_at")))


def parse(raw: delivery.RawDelivery) -> Parsed:
    """Return what was said in a conversation."""
    try:
        told = loose.table(loose.read(raw.body))
    except codec.UNREADABLE:
        return outcome.unreadable()
    channel, listed = loose.table(told.get("channel")), told.get("messages")
    messages = loose.tables(loose.table(listed).get("items", listed))
    if "beginAt" in told and (its := loose.identity(channel.get("id"))) is not None:
        found = [_exported(raw, its, told, each) for each in messages]
    elif loose.identity(told.get("id")) is not None:
        found = [smartsupp.said(raw, told, each) for each in messages]
    else:
        return outcome.not_an_event()
    return outcome.together(raw, found) if found else Ignored(EMPTY)


def _exported(raw: delivery.RawDelivery, its: str, told: Told, message: Told) -> Parsed:
    """Return a message of an export: it has no id, and is named by its conversation, its time and its words."""
    by, sent = loose.text(message.get("type")), message.get("sentAt")
    at, text = loose.instant(sent, MILLISECONDS), loose.text(message.get("content"))
    if by not in KINDS or at is None:
        return Ignored("said/system") if by == "system" else outcome.unreadable("message")
    visitor = loose.table(told.get("visitor"))
    told_of = {"visitor": visitor, "visitor_id": visitor.get("id")}
    opened = events.MessageReceivedOpen(
        **outcome.about(raw, MEDIUM, its, f"{its}/{loose.whole(sent)}/{by}"), provider_time=at
    )
    personal = events.MessageReceivedPersonal(
        **smartsupp.who(raw, its, told_of), text=texts.fit(text)
    )
    made: events.ContactEvent = outcome.contact_event(
        raw, KINDS[by], opened, personal, [text.encode()]
    )
    return Reported([(its, made)])
