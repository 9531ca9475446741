"""One subscription for the answers of everything that is asked without waiting in between."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from shared import errors
from shared.bus.deliveries import Message
from shared.bus.storing import LOST_POLL_SECONDS

if TYPE_CHECKING:
    from shared.bus import Bus

INBOX_TIMEOUT_SECONDS = 5.0

T = TypeVar("T")


class Inbox:
    """Gives each answer to whom it is for, by the last token of its subject."""

    def __init__(self, bus: "Bus") -> None:
        self._bus = bus
        self._waiting: dict[str, Callable[[Message], None]] = {}
        self._subject: str | None = None
        self._lock = asyncio.Lock()
        self._token = 0

    def collecting(self, callback: Callable[[Message], None]) -> "Collecting":
        """See `Bus.collecting`."""
        return Collecting(self, callback)

    async def open(self, callback: Callable[[Message], None]) -> str:
        """Return a reply subject whose answers go to `callback`, until it is closed. Raises: BusUnavailable."""
        if self._subject is None or not self._bus.connected:
            await self._subscribe()
        self._token += 1
        token = str(self._token)
        self._waiting[token] = callback
        return f"{self._subject}.{token}"

    def close(self, subject: str) -> None:
        """Hear no more of what was asked with a reply subject."""
        self._waiting.pop(_token(subject), None)

    async def answer(
        self, subject: str, ask: Callable[[str], Awaitable[None]], timeout_seconds: float
    ) -> Message:
        """Return the first answer to what `ask` sends to `subject` with this reply subject, straight to who waits.

        Raises: as `within`.
        """
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        async with self.collecting(lambda message: settle(answer, message)) as inbox:
            return await within(self._bus, subject, answer, lambda: ask(inbox), timeout_seconds)

    async def _subscribe(self) -> None:
        await self._bus.until_connected(INBOX_TIMEOUT_SECONDS)
        async with self._lock:
            if self._subject is None:
                subject = self._bus.new_inbox()
                await self._bus.noting(f"{subject}.*", self._collect)
                self._subject = subject

    def _collect(self, message: Message) -> None:
        callback = self._waiting.get(_token(message.subject))
        if callback is not None:
            callback(message)


class Collecting:
    """A reply subject, and who hears what comes there, until the block ends."""

    __slots__ = ("_callback", "_inbox", "_subject")

    def __init__(self, inbox: Inbox, callback: Callable[[Message], None]) -> None:
        self._inbox = inbox
        self._callback = callback

    async def __aenter__(self) -> str:
        self._subject = await self._inbox.open(self._callback)
        return self._subject

    async def __aexit__(self, *_: object) -> None:
        self._inbox.close(self._subject)


def _token(subject: str) -> str:
    return subject.rpartition(".")[2]


def settle(answer: "asyncio.Future[T]", found: T) -> None:
    """Give an answer to who waits for it; the first one counts."""
    if not answer.done():
        answer.set_result(found)


async def within(
    bus: "Bus",
    subject: str,
    answer: "asyncio.Future[T]",
    ask: Callable[[], Awaitable[None]],
    timeout_seconds: float,
) -> T:
    """Ask, and return what is answered to what goes to a subject.

    Raises: TimedOut, also as soon as the server that was asked is gone; BusForbidden when it does not let us ask
    there; BusUnavailable, BusUnauthorized when the connection was given up.
    """
    loop, generation = asyncio.get_running_loop(), bus.generation
    deadline = loop.time() + timeout_seconds
    looking: asyncio.TimerHandle

    def look() -> None:
        nonlocal looking
        left = deadline - loop.time()
        try:
            bus.standing.check(subject)
            if bus.closed:
                raise bus.standing.reason or errors.BusUnavailable
            if left <= 0 or bus.generation != generation:
                raise errors.TimedOut
            looking = loop.call_later(min(left, LOST_POLL_SECONDS), look)
        except errors.TellonceError as error:
            if not answer.done():
                answer.set_exception(error)

    await ask()
    looking = loop.call_later(min(timeout_seconds, LOST_POLL_SECONDS), look)
    try:
        return await answer
    finally:
        looking.cancel()
