"""Storing in a stream: one message with retries, many without waiting for each acknowledgement, many as one batch."""

import asyncio
import contextlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from shared import backoff, errors
from shared.bus.deliveries import Message, PubAck, StoredAck

if TYPE_CHECKING:
    from shared.bus import Bus

STORE_TIMEOUT_SECONDS = 2.0
STORE_ATTEMPTS = 5
STORE_RETRY = backoff.Backoff(first_seconds=0.05, longest_seconds=0.5)
"""Times the number of the try."""
LOST_POLL_SECONDS = 0.1
SILENT_SECONDS = 10.0
NOT_ANSWERING = frozenset(
    {10004, 10005, 10007, 10008, 10009, 10023, 10041, 10077, 10118, 10119, 10163}
)
"""JetStream errors of a moment: cluster incomplete, no suitable peers, no or another leader, no resources, storing
failed, offline (nats-server `errors.json`)."""
BEING_STORED = 10158
"""An earlier try of the same id is not decided yet: its followers do not answer."""
MESSAGE_TOO_LARGE = 10054
REFUSED_FOR_GOOD = frozenset({MESSAGE_TOO_LARGE})
"""Refusals that are the message's own fault. Of any other the same message may be taken later."""
HEADER_BLOCK_BYTES = len(b"NATS/1.0\r\n" + b"\r\n")
HEADER_LINE_BYTES = len(b": " + b"\r\n")

_ack_decoder = msgspec.json.Decoder(PubAck)


def check_size(body: bytes, headers: Mapping[str, str], max_bytes: int) -> None:
    """Refuse what the connection cannot carry: the driver counts the body alone, and the server hangs up.

    `max_bytes`: of body and headers together. Raises: JetStreamRefused, as if a stream had refused its size.
    """
    size_bytes = len(body)
    if headers:
        lines = sum(len(name.encode()) + len(value.encode()) for name, value in headers.items())
        size_bytes += HEADER_BLOCK_BYTES + HEADER_LINE_BYTES * len(headers) + lines
    if size_bytes > max_bytes:
        raise refused(MESSAGE_TOO_LARGE, f"{size_bytes} bytes, the connection takes {max_bytes}")


def read_ack(body: bytes) -> PubAck:
    """Return a stream's answer. Raises: TimedOut when it is none, because then the outcome is unknown too."""
    try:
        return _ack_decoder.decode(body)
    except msgspec.DecodeError as error:
        raise errors.TimedOut("the answer is not an acknowledgement") from error


def refused(err_code: int, description: str) -> errors.BusUnavailable | errors.JetStreamRefused:
    """Return the error for an answer of JetStream: of a moment (retryable), unknown outcome, or another refusal."""
    if err_code in NOT_ANSWERING:
        return errors.BusUnavailable(err_code=err_code)
    if err_code == BEING_STORED:
        return errors.TimedOut(err_code=err_code)
    return errors.JetStreamRefused(
        f"{errors.JetStreamRefused.sentence}: {description}",
        err_code=err_code,
        description=description,
    )


class Unanswered:
    """Which streams have lately left a store without an answer; they are named by the first token of the subject.

    What a server did not answer says nothing of the one that the connection is made to anew.
    """

    def __init__(self, bus: "Bus") -> None:
        self._bus = bus
        self._since: dict[str, tuple[int, float]] = {}

    @contextlib.contextmanager
    def noting(self, subject: str) -> Iterator[None]:
        """Note how the store in the block ends: any answer, also a refusal, is one."""
        stream, generation = subject.partition(".")[0], self._bus.generation
        try:
            yield
        except errors.BusUnavailable as error:
            if isinstance(error, errors.StoreIncomplete) and error.answered:
                self._since.pop(stream, None)
            else:
                self._since[stream] = generation, time.monotonic()
            raise
        self._since.pop(stream, None)

    def lately(self) -> list[str]:
        """Return the streams that the last store found silent, for as long as somebody would have tried again."""
        oldest = time.monotonic() - SILENT_SECONDS
        return sorted(
            stream
            for stream, (generation, since) in self._since.items()
            if generation == self._bus.generation and since > oldest
        )


async def store(
    bus: "Bus", subject: str, body: bytes, msg_id: str | None, headers: Mapping[str, str]
) -> StoredAck:
    """See `Bus.store`."""
    sent = dict(headers) if msg_id is None else {**headers, "Nats-Msg-Id": msg_id}
    attempt = 0
    while True:
        attempt += 1
        try:
            return _stored(await bus.submit(subject, body, sent))
        except errors.BusUnavailable as error:
            unknown = isinstance(error, errors.TimedOut) and msg_id is None
            if unknown or attempt >= STORE_ATTEMPTS:
                raise
        await STORE_RETRY.pause(attempt)


def _stored(ack: PubAck) -> StoredAck:
    if ack.error is not None:
        raise refused(ack.error.err_code, ack.error.description)
    return StoredAck(ack.seq, ack.duplicate)


async def store_many(
    bus: "Bus",
    messages: Sequence[tuple[str, bytes, str]],
    headers: Mapping[str, str],
    timeout_seconds: float,
) -> list[StoredAck]:
    """See `Bus.store_many`."""
    if not messages:
        return []
    with bus.unanswered.noting(messages[0][0]):
        return await _store_all(bus, messages, headers, timeout_seconds)


async def _store_all(
    bus: "Bus",
    messages: Sequence[tuple[str, bytes, str]],
    headers: Mapping[str, str],
    timeout_seconds: float,
) -> list[StoredAck]:
    answers: list[asyncio.Future[PubAck]] = []
    loop = asyncio.get_running_loop()
    async with contextlib.AsyncExitStack() as stack:
        with contextlib.suppress(errors.BusUnavailable):
            for subject, body, msg_id in messages:
                answer: asyncio.Future[PubAck] = loop.create_future()
                inbox = await stack.enter_async_context(bus.collecting(_into(answer)))
                await bus.publish(
                    subject, body, reply=inbox, headers={**headers, "Nats-Msg-Id": msg_id}
                )
                answers.append(answer)
        asked = {subject for subject, _, _ in messages}
        await _answered(bus, asked, answers, timeout_seconds)
    return _complete(answers, len(messages))


async def _answered(
    bus: "Bus",
    asked: Iterable[str],
    answers: Sequence[asyncio.Future[PubAck]],
    timeout_seconds: float,
) -> None:
    """Wait for all answers, in vain for no longer than the time given or until the server was lost.

    Raises: BusForbidden.
    """
    loop = asyncio.get_running_loop()
    deadline, generation = loop.time() + timeout_seconds, bus.generation
    waiting = set(answers)
    while waiting and bus.generation == generation and loop.time() < deadline:
        _, waiting = await asyncio.wait(waiting, timeout=LOST_POLL_SECONDS)
        for subject in asked:
            bus.standing.check(subject)


def _into(answer: asyncio.Future[PubAck]) -> "_Resolve":
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
            with contextlib.suppress(errors.TimedOut):
                self._answer.set_result(read_ack(message.body))


def _complete(answers: Sequence[asyncio.Future[PubAck]], wanted: int) -> list[StoredAck]:
    stored: dict[int, StoredAck] = {}
    refused_by: dict[int, int] = {}
    for index, answer in enumerate(answers):
        if not answer.done() or answer.cancelled():
            answer.cancel()
            continue
        ack = answer.result()
        if ack.error is None:
            stored[index] = StoredAck(ack.seq, ack.duplicate)
        else:
            refused_by[index] = ack.error.err_code
    if len(stored) == wanted:
        return list(stored.values())
    raise errors.StoreIncomplete(wanted, stored, refused_by)


async def submit_batch(
    bus: "Bus",
    batch_id: str,
    messages: Sequence[tuple[str, bytes, Mapping[str, str]]],
    timeout_seconds: float,
) -> PubAck:
    """Publish `(subject, body, headers)` once, as an atomic batch of ADR-50: all of it is stored, or nothing.

    Returns the stream's answer to the last one, a refusal included. Raises: as `Bus.submit`.
    """
    *members, last = messages
    await bus.until_connected(timeout_seconds)
    for number, (subject, body, headers) in enumerate(members, 1):
        await bus.publish(subject, body, headers={**headers, **_member(batch_id, number)})
    subject, body, headers = last
    commits = {**_member(batch_id, len(messages)), "Nats-Batch-Commit": "1"}
    return await bus.submit(subject, body, {**headers, **commits}, timeout_seconds=timeout_seconds)


def _member(batch_id: str, number: int) -> dict[str, str]:
    return {"Nats-Batch-Id": batch_id, "Nats-Batch-Sequence": str(number)}
