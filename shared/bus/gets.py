"""Reading single messages of a stream: from its leader, or in batches from any replica."""

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from shared import errors
from shared.bus.deliveries import Message, StoredMessage
from shared.bus.inbox import settle, within

if TYPE_CHECKING:
    from shared.bus import Bus

MESSAGE_NOT_FOUND = 10037
LAST_TIMEOUT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class DirectAnswer:
    """Messages of one batched direct get; `pending`: how many more match after the last of them."""

    messages: Sequence[StoredMessage]
    pending: int


async def leader_get(
    bus: "Bus",
    stream: str,
    *,
    sequence: int | None,
    next_by: str | None,
    last_by: str | None,
    timeout_seconds: float,
) -> StoredMessage | None:
    """See `Bus.leader_get`."""
    query: dict[str, object] = {}
    if sequence is not None:
        query["seq"] = sequence
    if next_by is not None:
        query["next_by_subj"] = next_by
    if last_by is not None:
        query["last_by_subj"] = last_by
    try:
        answer = await bus.api(f"STREAM.MSG.GET.{stream}", query, timeout_seconds=timeout_seconds)
    except errors.JetStreamRefused as error:
        if error.details.get("err_code") == MESSAGE_NOT_FOUND:
            return None
        raise
    return _from_json(answer["message"])


def _from_json(message: dict[str, Any]) -> StoredMessage:
    return StoredMessage(
        message["seq"],
        message["subject"],
        base64.b64decode(message.get("data", "")),
        _headers(base64.b64decode(message.get("hdrs", ""))),
        datetime.fromisoformat(message["time"]),
    )


def _headers(block: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in block.decode(errors="replace").split("\r\n")[1:]:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip()] = value.strip()
    return headers


async def direct_gets(
    bus: "Bus",
    stream: str,
    asked: Sequence[tuple[int, str | None]],
    batch: int,
    timeout_seconds: float,
) -> list[DirectAnswer]:
    """See `Bus.direct_gets`."""
    queries = []
    for sequence, subject in asked:
        query: dict[str, object] = {"seq": sequence, "batch": batch}
        queries.append(query if subject is None else {**query, "next_by_subj": subject})
    return await _asked(bus, stream, queries, timeout_seconds)


async def between(
    bus: "Bus", stream: str, subject: str, first: int, last: int, *, batch: int
) -> AsyncIterator[Sequence[StoredMessage]]:
    """Give all messages of a subject between two positions, both included, at most `batch` at a time.

    `last`: not beyond what the leader has said. Any replica gives a page; one that lags behind has no more before
    `last`, as one that has all: there the leader is asked. Raises: TimedOut, NoResponders, BusUnavailable,
    JetStreamRefused.
    """
    while first <= last:
        answer = await bus.direct_get(stream, sequence=first, subject=subject, batch=batch)
        following = answer.messages
        if not following:
            message = await bus.leader_get(stream, sequence=first, next_by_subject=subject)
            following = [] if message is None else [message]
        page = [each for each in following if each.sequence <= last]
        if page:
            yield page
        if not page or len(page) < len(following):
            return
        first = page[-1].sequence + 1


async def last_of_each(
    bus: "Bus", stream: str, subjects: Sequence[str], timeout_seconds: float = LAST_TIMEOUT_SECONDS
) -> Sequence[StoredMessage]:
    """Return the last message on each of these subjects, from any replica (it may lag); those with none are left out.

    One request for all of them (ADR-31, `multi_last`). Raises: TimedOut, NoResponders, BusUnavailable.
    """
    if not subjects:
        return []
    query = {"multi_last": list(subjects), "batch": len(subjects)}
    (answer,) = await _asked(bus, stream, [query], timeout_seconds)
    return answer.messages


async def _asked(
    bus: "Bus", stream: str, queries: Sequence[Mapping[str, object]], timeout_seconds: float
) -> list[DirectAnswer]:
    """Ask all at once, and return the answers in order. Raises: TimedOut, NoResponders, BusUnavailable."""
    replies: list[list[Message]] = [[] for _ in queries]
    ends: dict[int, Message] = {}
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def note(at: int, reply: Message) -> None:
        if "Status" not in reply.headers:
            replies[at].append(reply)
            return
        ends[at] = reply
        if len(ends) == len(queries):
            settle(ended, None)

    inboxes = [await bus.inbox.open(partial(note, at)) for at in range(len(queries))]

    subject = f"$JS.API.DIRECT.GET.{stream}"

    async def ask() -> None:
        for inbox, query in zip(inboxes, queries, strict=True):
            await bus.publish(subject, msgspec.json.encode(query), reply=inbox)

    try:
        await within(bus, subject, ended, ask, timeout_seconds)
    finally:
        for inbox in inboxes:
            bus.inbox.close(inbox)
    return [_answered(ends[at], replies[at]) for at in range(len(queries))]


def _answered(end: Message, replies: Sequence[Message]) -> DirectAnswer:
    """Return the answers of one batched direct get, by its end mark (204), or 404 for none (ADR-31).

    Raises: NoResponders, BusUnavailable.
    """
    match status := end.headers["Status"]:
        case "204" | "404":
            pending = int(end.headers.get("Nats-Num-Pending", "0"))
            return DirectAnswer([_from_headers(reply) for reply in replies], pending)
        case "503":
            raise errors.NoResponders()
        case _:
            raise errors.BusUnavailable(status=status)


def _from_headers(reply: Message) -> StoredMessage:
    return StoredMessage(
        int(reply.headers["Nats-Sequence"]),
        reply.headers["Nats-Subject"],
        reply.body,
        reply.headers,
        datetime.fromisoformat(reply.headers["Nats-Time-Stamp"]),
    )
