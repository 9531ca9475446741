"""Storing many messages in order without waiting for each acknowledgement."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from shared.deliveries import Message, PubAck, Stored
from shared.errors import BusUnavailable, StoreIncomplete

if TYPE_CHECKING:
    from shared.bus import Bus

_ack_decoder = msgspec.json.Decoder(PubAck)


async def store_many(
    bus: Bus,
    messages: Sequence[tuple[str, bytes, str]],
    headers: Mapping[str, str],
    timeout_seconds: float,
) -> list[Stored]:
    """See `Bus.store_many`."""
    answers: list[asyncio.Future[PubAck]] = []
    loop = asyncio.get_running_loop()
    async with contextlib.AsyncExitStack() as stack:
        with contextlib.suppress(BusUnavailable):
            for subject, body, msg_id in messages:
                answer: asyncio.Future[PubAck] = loop.create_future()
                inbox = await stack.enter_async_context(bus.collecting(_into(answer)))
                await bus.publish(
                    subject, body, reply=inbox, headers={**headers, "Nats-Msg-Id": msg_id}
                )
                answers.append(answer)
        if answers:
            await asyncio.wait(answers, timeout=timeout_seconds)
    return _complete(answers, len(messages))


def _into(answer: asyncio.Future[PubAck]) -> _Resolve:
    return _Resolve(answer)


class _Resolve:
    """Puts the acknowledgement of one message into its future."""

    def __init__(self, answer: asyncio.Future[PubAck]) -> None:
        self._answer = answer

    def __call__(self, message: Message) -> None:
        if self._answer.done():
            return
        if "Status" in message.headers:
            self._answer.cancel()
        else:
            self._answer.set_result(_ack_decoder.decode(message.body))


def _complete(answers: Sequence[asyncio.Future[PubAck]], wanted: int) -> list[Stored]:
    stored: dict[int, Stored] = {}
    err_code: int | None = None
    for index, answer in enumerate(answers):
        if not answer.done() or answer.cancelled():
            answer.cancel()
            continue
        ack = answer.result()
        if ack.error is None:
            stored[index] = Stored(ack.seq, ack.duplicate)
        else:
            err_code = err_code or ack.error.err_code
    if len(stored) == wanted:
        return list(stored.values())
    raise StoreIncomplete(wanted, stored, err_code)
