"""What comes from the bus: messages, acknowledgements, deliveries of a consumer, stored messages."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

import msgspec

from shared.errors import BusUnavailable

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
STOP_TIMEOUT_SECONDS = 2.0
ACK_TOKENS_SHORT = 9
"""`$JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>`; with a domain two more."""


class Sender(Protocol):
    """Sends a message; `Bus` is one."""

    async def publish(
        self,
        subject: str,
        body: bytes = b"",
        *,
        reply: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None: ...


class Message(msgspec.Struct, frozen=True):
    """A core message. `reply`: where an answer is awaited, or empty."""

    subject: str
    body: bytes
    headers: Mapping[str, str]
    reply: str
    sender: Sender

    async def respond(self, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Answer a request; nothing happens when no answer is awaited."""
        if self.reply:
            await self.sender.publish(self.reply, body, headers=headers)


class Subscription:
    """A running subscription; `stop` ends it."""

    def __init__(self, stop: Callable[[], Awaitable[None]]) -> None:
        self._stop = stop

    async def stop(self) -> None:
        """End it; messages that are already here are dropped. Never fails because the server is gone."""
        with contextlib.suppress(BusUnavailable, TimeoutError):
            await asyncio.wait_for(self._stop(), STOP_TIMEOUT_SECONDS)


class ApiError(msgspec.Struct, frozen=True):
    """A refusal by JetStream."""

    err_code: int = 0
    code: int = 0
    description: str = ""


class ApiProblem(msgspec.Struct, frozen=True):
    """The error part of an answer of JetStream's API."""

    error: ApiError | None = None


class PubAck(msgspec.Struct, frozen=True):
    """A stream's answer to a publish. `count`: messages of a committed atomic batch; `seq` is its last."""

    stream: str = ""
    seq: int = 0
    duplicate: bool = False
    count: int = 0
    error: ApiError | None = None


@dataclass(frozen=True, slots=True)
class StoredAck:
    """Where a message stands in its stream; `duplicate`: the stream says it had the id before."""

    sequence: int
    duplicate: bool


class StoredMessage(msgspec.Struct, frozen=True, gc=False):
    """A message as its stream holds it."""

    sequence: int
    subject: str
    body: bytes
    headers: Mapping[str, str]
    stored: datetime

    @classmethod
    def of(cls, message: Message) -> "StoredMessage":
        """Read where a delivery stands out of its reply subject; nobody will acknowledge it."""
        tokens = message.reply.split(".")
        first = 5 if len(tokens) == ACK_TOKENS_SHORT else 7
        stored = instant(int(tokens[first + 2]))
        return cls(int(tokens[first]), message.subject, message.body, message.headers, stored)


class Delivery(msgspec.Struct, frozen=True):
    """A message of a consumer, to be acknowledged by exactly one of `ack`, `nak`, `term`.

    Each raises BusUnavailable while no server is connected: the message comes again after `ack_wait`.

    Attributes:
        sequence: position in the stream.
        stored: when the stream stored it.
        attempt: 1 for the first delivery.
        pending: how many messages of the consumer come after it.
    """

    subject: str
    body: bytes
    headers: Mapping[str, str]
    sequence: int
    stored: datetime
    attempt: int
    pending: int
    _reply: str
    sender: Sender

    async def ack(self) -> None:
        """Done: never deliver it again."""
        await self.sender.publish(self._reply, b"+ACK")

    async def nak(self, delay_seconds: float) -> None:
        """Not done: deliver it again after the delay."""
        nanoseconds = int(delay_seconds * 1_000_000_000)
        await self.sender.publish(self._reply, b'-NAK {"delay": %d}' % nanoseconds)

    async def term(self) -> None:
        """It will never be done: do not deliver it again."""
        await self.sender.publish(self._reply, b"+TERM")

    async def in_progress(self) -> None:
        """Still at work: `ack_wait` begins anew."""
        await self.sender.publish(self._reply, b"+WPI")

    @classmethod
    def of(cls, message: Message) -> "Delivery":
        """Read the metadata out of the reply subject."""
        tokens = message.reply.split(".")
        first = 4 if len(tokens) == ACK_TOKENS_SHORT else 6
        attempt, sequence, _, nanoseconds, pending = (int(t) for t in tokens[first : first + 5])
        return cls(
            message.subject,
            message.body,
            message.headers,
            sequence,
            instant(nanoseconds),
            attempt,
            pending,
            message.reply,
            message.sender,
        )


def instant(nanoseconds: int) -> datetime:
    """Return the instant that many nanoseconds after the epoch, cut to microseconds."""
    return EPOCH + timedelta(microseconds=nanoseconds // 1000)
