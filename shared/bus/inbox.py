"""One subscription for the answers of everything that is asked without waiting in between."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING

from shared import errors
from shared.bus.deliveries import Message
from shared.bus.storing import LOST_POLL_SECONDS

if TYPE_CHECKING:
    from shared.bus import Bus

INBOX_TIMEOUT_SECONDS = 5.0


class Inbox:
    """Gives each answer to whom it is for, by the last token of its subject."""

    def __init__(self, bus: "Bus") -> None:
        self._bus = bus
        self._waiting: dict[str, Callable[[Message], None]] = {}
        self._subject: str | None = None
        self._lock = asyncio.Lock()
        self._token = 0

    @contextlib.asynccontextmanager
    async def collecting(self, callback: Callable[[Message], None]) -> AsyncIterator[str]:
        """See `Bus.collecting`."""
        subject = await self._subscribed()
        self._token += 1
        token = str(self._token)
        self._waiting[token] = callback
        try:
            yield f"{subject}.{token}"
        finally:
            self._waiting.pop(token, None)

    async def answer(
        self, ask: Callable[[str], Awaitable[None]], timeout_seconds: float
    ) -> Message:
        """Return the first answer to what `ask` sends with this reply subject, straight to who waits.

        Raises: TimedOut, also as soon as the server that was asked is gone.
        """
        loop, generation = asyncio.get_running_loop(), self._bus.generation
        deadline = loop.time() + timeout_seconds
        answers: asyncio.Queue[Message] = asyncio.Queue()
        async with self.collecting(answers.put_nowait) as inbox:
            await ask(inbox)
            while self._bus.generation == generation and loop.time() < deadline:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout_at(min(deadline, loop.time() + LOST_POLL_SECONDS)):
                        return await answers.get()
        raise errors.TimedOut

    async def _subscribed(self) -> str:
        await self._bus.until_connected(INBOX_TIMEOUT_SECONDS)
        async with self._lock:
            if self._subject is None:
                subject = self._bus.new_inbox()
                await self._bus.subscribe(f"{subject}.*", self._collect)
                self._subject = subject
            return self._subject

    async def _collect(self, message: Message) -> None:
        callback = self._waiting.get(message.subject.rpartition(".")[2])
        if callback is not None:
            callback(message)
