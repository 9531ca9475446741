"""The history of LiveChat: the answers of `list_archives`, page by page, as its Agent Chat API gives them.

Sources, read 2026-11: platform.text.com/docs/agent-chat-api/data-structures (chats, threads, users) and the answers in
the tests of github.com/livechat/lc-sdk-go (agent). A file may hold one page, several in a list or one a line, or chats
alone. Of an export as CSV no document was found.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from services.ingest.channels.shapes import livechat_threads as threads
from services.ingest.channels.shapes.livechat_threads import NAME, Told
from services.ingest.domain import archive, delivery, loose, outcome
from services.ingest.domain.archive import Talk
from services.ingest.domain.outcome import Ignored, Parsed
from shared import codec, errors

__all__ = ["NAME", "parse", "talks"]

EMPTY = "thread"
"""A thread in which nobody wrote."""


def talks(content: bytes) -> Sequence[Talk]:
    """Return the threads of a file. Raises: PayloadUnreadable."""
    found = [each for value in archive.values(content) for each in _talks(value)]
    if not found:
        raise errors.PayloadUnreadable("the file holds no chats")
    return found


def _talks(value: Any) -> Iterator[Talk]:
    if isinstance(value, list):
        for each in value:
            yield from _talks(each)
    elif isinstance(value, dict) and isinstance(value.get("chats"), list):
        yield from _talks(value["chats"])
    elif isinstance(value, dict) and "id" in value:
        rest = {name: each for name, each in value.items() if name not in {"thread", "threads"}}
        for thread in [value.get("thread"), *loose.tables(value.get("threads"))]:
            if isinstance(thread, dict):
                yield Talk(msgspec.json.encode({**rest, "thread": thread}), _begun(thread))


def _begun(thread: Told) -> Any:
    said = (threads.instant(each.get("created_at")) for each in loose.tables(thread.get("events")))
    return threads.instant(thread.get("created_at")) or next((at for at in said if at), None)


def parse(raw: delivery.RawDelivery) -> Parsed:
    """Return what was said in a thread."""
    try:
        chat = loose.table(loose.read(raw.body))
    except codec.UNREADABLE:
        return outcome.unreadable()
    thread = loose.table(chat.get("thread"))
    named, its = loose.identity(chat.get("id")), loose.identity(thread.get("id"))
    if named is None or its is None:
        return outcome.not_an_event()
    here = threads.Thread(named, its, threads.users_of(chat.get("users")))
    found = [threads.said(raw, here, each) for each in loose.tables(thread.get("events"))]
    return outcome.together(raw, found) if found else Ignored(EMPTY)
