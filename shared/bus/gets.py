"""Reading single messages of a stream: from its leader, or in batches from any replica."""

import asyncio
import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from shared import errors
from shared.bus.deliveries import Message, StoredMessage

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


async def direct_get(
    bus: "Bus", stream: str, sequence: int, subject: str | None, batch: int, timeout_seconds: float
) -> DirectAnswer:
    """See `Bus.direct_get`."""
    query: dict[str, object] = {"seq": sequence, "batch": batch}
    if subject is not None:
        query["next_by_subj"] = subject
    return await _asked(bus, stream, query, timeout_seconds)


async def last_of_each(
    bus: "Bus", stream: str, subjects: Sequence[str], timeout_seconds: float = LAST_TIMEOUT_SECONDS
) -> Sequence[StoredMessage]:
    """Return the last message on each of these subjects, from any replica (it may lag); those with none are left out.

    One request for all of them (ADR-31, `multi_last`). Raises: TimedOut, NoResponders, BusUnavailable.
    """
    if not subjects:
        return []
    query = {"multi_last": list(subjects), "batch": len(subjects)}
    return (await _asked(bus, stream, query, timeout_seconds)).messages


async def _asked(
    bus: "Bus", stream: str, query: Mapping[str, object], timeout_seconds: float
) -> DirectAnswer:
    replies: asyncio.Queue[Message] = asyncio.Queue()
    async with bus.collecting(replies.put_nowait) as inbox:
        await bus.publish(f"$JS.API.DIRECT.GET.{stream}", msgspec.json.encode(query), reply=inbox)
        return await _collect(replies, timeout_seconds)


async def _collect(replies: asyncio.Queue[Message], timeout_seconds: float) -> DirectAnswer:
    """Collect the answers of one batched direct get until its end mark (204), or 404 for none (ADR-31).

    Raises: TimedOut, NoResponders, BusUnavailable.
    """
    messages: list[StoredMessage] = []
    try:
        async with asyncio.timeout(timeout_seconds):
            while True:
                reply = await replies.get()
                status = reply.headers.get("Status")
                if status is None:
                    messages.append(_from_headers(reply))
                    continue
                return _ended(status, reply, messages)
    except TimeoutError as error:
        raise errors.TimedOut() from error


def _ended(status: str, reply: Message, messages: list[StoredMessage]) -> DirectAnswer:
    match status:
        case "204" | "404":
            return DirectAnswer(messages, int(reply.headers.get("Nats-Num-Pending", "0")))
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
