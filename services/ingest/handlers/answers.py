"""Answers on their way to chat pages: read from ANSWERS in order, from where a page says that it is.

The server says live what was stored; that wakes the sockets of the page. What is said while the connection is away is
lost, so all look after a reconnect, and now and then anyway. What counts is read from the stream's leader alone.
That somebody is typing is told to whoever listens at the moment, and to nobody later.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

import msgspec
import structlog

from services.ingest.handlers import logged
from shared import chat_answers, codec, errors, streams, subjects
from shared.bus import Bus
from shared.bus.deliveries import Message, StoredMessage
from shared.chat_answers import Answer, AnswerReference

LOOK_AGAIN_SECONDS = 60.0
RECONNECT_POLL_SECONDS = 0.5
READS_AT_ONCE = 64
"""So many sockets ask the server at the same time; after a reconnect all of them do."""

RETRY_SECONDS = 1.0
TYPING_SECONDS = 1.0

Tell = Callable[[dict[str, object]], Awaitable[None]]
"""Sends a frame to the page; waits while the page does not read."""

log = structlog.get_logger("ingest")
_decoder = msgspec.json.Decoder(Answer)


@dataclass(eq=False, slots=True)
class _Waiting:
    """One socket of a page. `news`: there may be something for it; `typing`: an agent is, `typed`: when it was told."""

    news: asyncio.Event = field(default_factory=asyncio.Event)
    typing: bool = False
    typed: float = float("-inf")


class Answers:
    """Brings answers to all sockets of this process."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._slots = asyncio.Semaphore(READS_AT_ONCE)
        self._sockets: defaultdict[str, set[_Waiting]] = defaultdict(set)

    async def run(self) -> None:
        """Wake sockets when there is news for them; runs until cancelled."""
        stored = await self._bus.subscribe(subjects.LIVE_ANSWERS, self._on_stored)
        typing = await self._bus.subscribe(subjects.AGENTS_TYPING, self._on_typing)
        generation = self._bus.generation
        try:
            while True:
                await asyncio.sleep(RECONNECT_POLL_SECONDS)
                if self._bus.connected and self._bus.generation != generation:
                    generation = self._bus.generation
                    for each in [one for page in self._sockets.values() for one in page]:
                        each.news.set()
        finally:
            with contextlib.suppress(errors.TellonceError):
                await stored.stop()
                await typing.stop()

    async def _on_stored(self, message: Message) -> None:
        self.wake(subjects.page_in(message.subject))

    def wake(self, page: str) -> None:
        """Let the sockets of a page look for news."""
        for each in self._sockets.get(page, ()):
            each.news.set()

    async def _on_typing(self, message: Message) -> None:
        """Pass it on, however often it is said, at most once in TYPING_SECONDS to each socket."""
        now = asyncio.get_running_loop().time()
        for each in self._sockets.get(subjects.page_in(message.subject), ()):
            if now - each.typed >= TYPING_SECONDS:
                each.typing, each.typed = True, now
                each.news.set()

    async def visitor_types(self, tenant: str, page: str) -> None:
        """Tell whoever listens that the visitor of a page is typing."""
        with contextlib.suppress(errors.TellonceError):
            await self._bus.publish(subjects.typing(tenant, page, "visitor"))

    async def bring(self, tenant: str, page: str, after: str | None, tell: Tell) -> None:
        """Tell a socket every answer to its page after one that it has, in order; runs until cancelled.

        One answer is read at a time, and the next only when the page has taken it. Raises: what `tell` raises.
        """
        subject, sequence = subjects.answer(tenant, page), None
        with self._listening(page) as socket:
            while True:
                socket.news.clear()
                try:
                    if sequence is None:
                        sequence = await self.begin(subject, after)
                    found = await self.following(subject, sequence)
                except errors.TellonceError as error:
                    log.warning(logged.ANSWERS_UNREAD, code=error.code)
                    await asyncio.sleep(RETRY_SECONDS)
                    continue
                if found is not None:
                    sequence = found.sequence
                    await _tell(found, tell)
                    continue
                if socket.typing:
                    socket.typing = False
                    await tell({"type": "typing"})
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_AGAIN_SECONDS):
                        await socket.news.wait()

    @contextlib.contextmanager
    def _listening(self, page: str) -> Iterator[_Waiting]:
        socket = _Waiting()
        self._sockets[page].add(socket)
        try:
            yield socket
        finally:
            self._sockets[page].discard(socket)
            if not self._sockets[page]:
                del self._sockets[page]

    async def begin(self, subject: str, after: str | None) -> int:
        """Return after which sequence a page goes on that has an answer already; 0 for all that are kept.

        An answer that does not stand where the page says may be too old to be kept, or of a stream that is no more: in
        both cases the page has nothing of what is kept now. Raises: BusUnavailable.
        """
        named = chat_answers.answer_id(after)
        return named.sequence if named and await self.holds(subject, named) else 0

    async def holds(self, subject: str, named: AnswerReference) -> bool:
        """Tell whether an answer stands on a page's subject. Raises: BusUnavailable."""
        async with self._slots:
            found = await self._bus.leader_get(streams.ANSWERS, sequence=named.sequence)
        if found is None or found.subject != subject:
            return False
        read = _named(found)
        return read is not None and str(read) == str(named)

    async def following(self, subject: str, sequence: int) -> StoredMessage | None:
        """Return the first message of a page's subject after a sequence. Raises: BusUnavailable."""
        async with self._slots:
            return await self._bus.leader_get(
                streams.ANSWERS, sequence=sequence + 1, next_by_subject=subject
            )


async def _tell(message: StoredMessage, tell: Tell) -> None:
    """Tell a stored answer; what another hand wrote there is no answer."""
    named = _named(message)
    if named is None:
        return
    answer = _decoder.decode(message.body)
    told: dict[str, object] = {
        "type": "answer",
        "id": str(named),
        "text": answer.text,
        "at": answer.at,
    }
    await tell(told if answer.by is None else {**told, "by": answer.by})


def _named(message: StoredMessage) -> AnswerReference | None:
    try:
        reference = _decoder.decode(message.body).reference
    except codec.UNREADABLE:
        return None
    return chat_answers.answer_id(f"{message.sequence}.{reference}")
