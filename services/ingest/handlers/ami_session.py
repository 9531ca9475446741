"""A connection to an exchange's manager interface (AMI)."""

import asyncio
import contextlib
import itertools
import ssl
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from typing_extensions import override

from services.ingest.domain import ami, pbx_memory
from services.ingest.domain.pbx_memory import RawRecord
from services.ingest.domain.pbx_stream import Record
from services.ingest.handlers import exchange_session
from services.ingest.handlers.exchange_session import ExchangeSession
from shared import errors
from shared.clock import Clock
from shared.exchange_address import ExchangeAddress

READ_BYTES = 65_536
COMPLETE = "complete"
LISTED_MAX = 20_000

T = TypeVar("T")


@dataclass(slots=True)
class _Question:
    """An action that waits for its answer. `listed`: the events that belong to the answer."""

    answer: asyncio.Future[Record] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    complete: asyncio.Event = field(default_factory=asyncio.Event)
    listed: list[RawRecord] = field(default_factory=list)


class AmiSession(ExchangeSession):
    """Logged in, and told events."""

    codec = pbx_memory.AMI

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, clock: Clock
    ) -> None:
        super().__init__(clock)
        self._reader = reader
        self._writer = writer
        self._numbers = itertools.count(1)
        self._questions: dict[str, _Question] = {}
        self._tasks = [asyncio.create_task(self._read())]

    @override
    async def present(self) -> Sequence[RawRecord] | None:
        async with self._asking("CoreShowChannels", {}) as question:
            if (await self._answered(question)).first("response") == "Error":
                return None
            await self._in_time(question.complete.wait())
            return question.listed

    @override
    async def close(self) -> None:
        await self._end_tasks()
        self._writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(1.0):
                await self._writer.wait_closed()

    async def log_in(self, user: str, password: str, *, secretly: bool) -> None:
        """Log in; `secretly`: without saying the password.

        Raises: ProviderRefused, ProviderUnavailable, ProviderNotUnderstood.
        """
        said = {"Username": user, "Secret": password}
        if secretly:
            challenge = (await self._ask("Challenge", {"AuthType": "MD5"})).first("challenge")
            if not challenge:
                raise errors.ProviderRefused(cause="no_challenge")
            said = {
                "Username": user,
                "AuthType": "MD5",
                "Key": ami.proof(challenge, password),
            }
        answer = await self._ask("Login", {**said, "Events": ami.CLASSES})
        if answer.first("response") != "Success":
            raise errors.ProviderRefused(cause="login")
        self.opened = self._clock.now()
        self._tasks.append(asyncio.create_task(self._keep_alive()))

    async def _ask(self, name: str, fields: Mapping[str, str]) -> Record:
        async with self._asking(name, fields) as question:
            return await self._answered(question)

    @contextlib.asynccontextmanager
    async def _asking(self, name: str, fields: Mapping[str, str]) -> AsyncIterator[_Question]:
        number = f"tellonce-{next(self._numbers)}"
        question = self._questions[number] = _Question()
        try:
            self._writer.write(ami.action(name, number, fields))
            await self._in_time(self._writer.drain())
            yield question
        finally:
            del self._questions[number]

    async def _answered(self, question: _Question) -> Record:
        return await self._in_time(asyncio.shield(question.answer))

    async def _in_time(self, waited: Awaitable[T]) -> T:
        """Wait for something, or for the connection to break. Raises: ProviderUnavailable, ProviderNotUnderstood."""
        waiting = asyncio.ensure_future(waited)
        try:
            done, _ = await asyncio.wait(
                [waiting, self._tasks[0]],
                timeout=exchange_session.TIMEOUT_SECONDS,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if waiting in done:
                return waiting.result()
        except OSError as error:
            raise errors.ProviderUnavailable(cause=type(error).__name__) from error
        finally:
            waiting.cancel()
        raise self._failure or errors.ProviderUnavailable(cause="silent")

    async def _read(self) -> None:
        """Take what comes, until the connection breaks: `_failure` says how."""
        blocks = ami.BlockReader()
        try:
            while data := await self._reader.read(READ_BYTES):
                self.heard = self._clock.now()
                for piece in blocks.feed(data):
                    self._take(piece)
                await self._room()
            self._fail(errors.ProviderUnavailable(cause="ended"))
        except OSError as error:
            self._fail(errors.ProviderUnavailable(cause=type(error).__name__))
        except errors.ProviderNotUnderstood as error:
            self._fail(error)

    def _take(self, piece: RawRecord) -> None:
        question = self._questions.get(piece.record.first("actionid"))
        if question is None:
            if piece.record.name:
                self._came(piece)
        elif not piece.record.name:
            if not question.answer.done():
                question.answer.set_result(piece.record)
        elif piece.record.first("eventlist").lower() == COMPLETE:
            question.complete.set()
        elif len(question.listed) < LISTED_MAX:
            question.listed.append(piece)

    async def _keep_alive(self) -> None:
        """Ask whether the exchange is there when it has been silent."""
        while True:
            before = self.heard
            await asyncio.sleep(exchange_session.SILENCE_SECONDS)
            if self.heard == before and not self._full:
                try:
                    await self._ask("Ping", {})
                except errors.TellonceError as error:
                    self._fail(error)
                    return


async def opened(address: ExchangeAddress, user: str, password: str, clock: Clock) -> AmiSession:
    """Connect and log in. Raises: ProviderUnavailable, ProviderRefused, ProviderNotUnderstood."""
    context = ssl.create_default_context() if address.encrypted else None
    try:
        async with asyncio.timeout(exchange_session.TIMEOUT_SECONDS):
            streams = await asyncio.open_connection(address.host, address.port, ssl=context)
    except (OSError, TimeoutError) as error:
        raise errors.ProviderUnavailable(cause=type(error).__name__) from error
    session = AmiSession(*streams, clock)
    try:
        await session.log_in(user, password, secretly=not address.encrypted)
    except BaseException:
        await session.close()
        raise
    return session
