"""The bus: it, `driver` and `receiving` are what imports the NATS driver.

It speaks request/reply, plain publish, acknowledged JetStream publish, and the raw JSON API of JetStream.
A service that runs its handlers on FastStream wraps that connection with `Bus.of(client)`.
Sources: docs.nats.io "JetStream wire API" and NATS ADR-31 (direct get), ADR-37 (pull); behaviour measured on
nats-server 2.15.1 with nats-py 2.16.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import ParseResult

import msgspec
from nats.aio.client import Client

from shared import errors, nkey
from shared.bus import driver, storing
from shared.bus.connection import CONNECT_TIMEOUT_SECONDS, Standing, connection_options
from shared.bus.deliveries import (
    ApiProblem,
    Delivery,
    Message,
    PubAck,
    StoredAck,
    StoredMessage,
    Subscription,
)
from shared.bus.feed import Room, always, pull
from shared.bus.flushing import Flush
from shared.bus.gets import DirectAnswer, direct_gets, leader_get
from shared.bus.inbox import Collecting, Inbox
from shared.bus.storing import STORE_TIMEOUT_SECONDS, Unanswered, check_size, read_ack, refused
from shared.bus_address import BusAddress

REQUEST_TIMEOUT_SECONDS = 5.0
API_TIMEOUT_SECONDS = 5.0
READ_TIMEOUT_SECONDS = 1.0
"""Nobody answers while a stream elects its leader (4 to 9 s): ask often rather than long."""
DRAIN_TIMEOUT_SECONDS = 2.0
CLOSE_TIMEOUT_SECONDS = 2.0
CONNECTED_POLL_SECONDS = 0.02
NO_RESPONDERS = "503"
SERVER_INFO = "$SYS.REQ.USER.INFO"

__all__ = ["Bus", "connect", "first_connection", "is_inbox"]

T = TypeVar("T")
_problem_decoder = msgspec.json.Decoder(ApiProblem)


async def connect(
    address: BusAddress | str | Sequence[str],
    name: str,
    on_closed: Callable[[], Awaitable[None]] | None = None,
) -> "Bus":
    """Return a bus connected to one of the servers at `address` (several: a list, or joined by commas).

    It reconnects for ever; `on_closed` runs once when the connection is given up, and should end the process.

    Raises: BusUnavailable as `first_connection`, BusUnauthorized, SettingInvalid.
    """
    address = BusAddress.of(address)
    client, standing = Client(), Standing(address)

    async def closed() -> None:
        if on_closed is not None and standing.on_end is not None:
            await on_closed()

    options = connection_options(name, standing) | driver.credentials(address)
    try:
        await first_connection(
            client.connect(servers=address.servers, closed_cb=closed, **options), address.servers
        )
    except errors.TellonceError:
        with contextlib.suppress(Exception):
            await asyncio.wait_for(client.close(), CLOSE_TIMEOUT_SECONDS)
        raise
    driver.stands(client, standing)
    return Bus(client, standing)


def is_inbox(subject: str) -> bool:
    """Tell whether a subject is one at which somebody waits for an answer."""
    return subject.partition(".")[0] in nkey.INBOXES


async def first_connection(connecting: Awaitable[T], servers: Sequence[str]) -> T:
    """Return what `connecting` gives; a server that is silent takes no time from the others.

    Raises: BusUnavailable when none has answered within CONNECT_TIMEOUT_SECONDS for each, or what answers is no server;
    BusUnauthorized.
    """
    try:
        return await asyncio.wait_for(connecting, CONNECT_TIMEOUT_SECONDS * len(servers))
    except errors.TellonceError:
        raise
    except Exception as error:
        raise errors.BusUnavailable() from error


class Bus:
    """One connection to NATS. Built by `connect` or `Bus.of`; end it with `close`."""

    def __init__(
        self, client: Client, standing: Standing | None = None, *, owned: bool = True
    ) -> None:
        self._client = client
        self.standing = standing or Standing(BusAddress(url=""))
        self._owned = owned
        self.inbox = Inbox(self)
        self._flushes = Flush(self)
        self.unanswered = Unanswered(self)

    @classmethod
    def of(cls, client: Client, standing: Standing | None = None) -> "Bus":
        """Wrap the connected nats-py client of somebody else, who also closes it.

        `standing`: what its options were made with; without it a refusal of the server is a time-out.
        """
        return cls(client, standing, owned=False)

    # -- the connection ---------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """Whether a server is connected right now."""
        return self._client.is_connected

    @property
    def closed(self) -> bool:
        """Whether the connection was given up for good."""
        return self._client.is_closed

    @property
    def generation(self) -> int:
        """How often the connection was made again: what was asked in an older generation is not answered."""
        return int(self._client.stats["reconnects"])

    @property
    def connected_url(self) -> ParseResult | None:
        """Where the connected server is and as whom we speak to it; `None` while none is."""
        return self._client.connected_url

    async def server_id(self) -> str:
        """Return the id of the server that is connected: each of its runs has another one. Raises: as `request`."""
        return str(msgspec.json.decode(await self.request(SERVER_INFO))["server"]["id"])

    async def until_connected(self, timeout_seconds: float) -> None:
        """Wait until a server is connected; nothing was sent when it raises.

        Raises: BusUnavailable after `timeout_seconds`; BusUnauthorized, BusForbidden when it was given up for that.
        """
        deadline = asyncio.get_running_loop().time() + timeout_seconds
        while not self.connected:
            if self.closed or asyncio.get_running_loop().time() >= deadline:
                raise self.standing.reason or errors.BusUnavailable()
            await asyncio.sleep(CONNECTED_POLL_SECONDS)

    async def close(self) -> None:
        """Drain and close, each bounded in time: nats-py waits for ever when the server is gone."""
        if not self._owned:
            return
        if self._client.is_connected:
            await driver.ended(self._client.drain(), DRAIN_TIMEOUT_SECONDS)
        if not self._client.is_closed:
            await driver.ended(self._client.close(), CLOSE_TIMEOUT_SECONDS)
        await driver.let_go(self._client)

    # -- core messages ------------------------------------------------------------------------------

    async def publish(
        self,
        subject: str,
        body: bytes = b"",
        *,
        reply: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Send a message to all listeners, without a confirmation.

        Raises: BusUnavailable when not connected, JetStreamRefused when it is too large for the connection.
        """
        if not self._client.is_connected:
            raise errors.BusUnavailable()
        check_size(body, headers or {}, self._client.max_payload)
        with driver.translated():
            await self._client.publish(subject, body, reply, dict(headers) if headers else None)

    async def flush(self, timeout_seconds: float = REQUEST_TIMEOUT_SECONDS) -> None:
        """Wait until the server has taken everything that was sent. Raises: as `request`.

        By a message to ourselves, behind all others: the driver's own ping overtakes what still waits to be written.
        """
        await self._flushes.wait(timeout_seconds)

    async def request(
        self,
        subject: str,
        body: bytes = b"",
        *,
        timeout_seconds: float = REQUEST_TIMEOUT_SECONDS,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """Ask and return the body of the first answer.

        Raises:
            NoResponders: nobody listens on `subject`.
            TimedOut: no answer in time, or the server that was asked is gone; the request may have had its effect.
            BusUnavailable: no connection within `timeout_seconds`; nothing was sent.
            BusForbidden: we may not ask there; nothing was sent.
            JetStreamRefused: too large for the connection; nothing was sent.
        """
        await self.until_connected(timeout_seconds)
        answer = await self.inbox.answer(
            subject,
            lambda inbox: self.publish(subject, body, reply=inbox, headers=headers),
            timeout_seconds,
        )
        if answer.headers.get("Status") == NO_RESPONDERS:
            raise errors.NoResponders
        return answer.body

    async def subscribe(
        self,
        subject: str,
        callback: Callable[[Message], Awaitable[None]],
        *,
        queue: str = "",
    ) -> Subscription:
        """Call `callback` with each message on `subject`, one after another; `queue` shares them out."""
        return await driver.subscribe(self._client, self, subject, callback, queue)

    async def noting(
        self, subject: str, note: Callable[[Message], None], *, queue: str = ""
    ) -> Subscription:
        """As `subscribe`, for a callback that only notes what came: it is called as soon as a message is read."""
        return await driver.noting(self._client, self, subject, note, queue)

    def new_inbox(self) -> str:
        """Return a subject that nobody else listens on."""
        return self._client.new_inbox()

    async def answer(self, to: str, body: bytes) -> None:
        """Answer a request; what waits at no inbox gets none. Raises: as `publish`."""
        if is_inbox(to):
            await self.publish(to, body)

    # -- JetStream: storing ---------------------------------------------------------------------------

    async def submit(
        self,
        subject: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        timeout_seconds: float = STORE_TIMEOUT_SECONDS,
    ) -> PubAck:
        """Publish once to a stream and return its answer, a refusal included (`error` is set).

        Raises: NoResponders (not stored), TimedOut (no answer or no readable one: unknown), BusUnavailable (not sent).
        """
        with self.unanswered.noting(subject):
            answer = await self.request(
                subject, body, timeout_seconds=timeout_seconds, headers=headers
            )
            return read_ack(answer)

    async def store(
        self,
        subject: str,
        body: bytes,
        *,
        msg_id: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> StoredAck:
        """Publish to a stream and wait for its acknowledgement, STORE_ATTEMPTS times at most.

        With `msg_id` a repeated try is stored once (within the stream's duplicate window);
        without it a time-out is not tried again.

        Raises: BusUnavailable (NoResponders, TimedOut), JetStreamRefused.
        """
        return await storing.store(self, subject, body, msg_id, headers or {})

    async def store_many(
        self,
        messages: Sequence[tuple[str, bytes, str]],
        *,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float = REQUEST_TIMEOUT_SECONDS,
    ) -> list[StoredAck]:
        """Publish `(subject, body, msg_id)` in order without waiting in between; return all acknowledgements.

        One try: the caller repeats the whole list with the same ids, which stores only what is missing.

        Raises: StoreIncomplete, naming by index what was and was not stored; JetStreamRefused for one that is too
        large for the connection: those before it may be stored.
        """
        return await storing.store_many(self, messages, headers or {}, timeout_seconds)

    # -- JetStream: reading -----------------------------------------------------------------------------

    async def api(
        self,
        subject: str,
        body: object = None,
        *,
        timeout_seconds: float = API_TIMEOUT_SECONDS,
    ) -> dict[str, Any]:
        """Call the JSON API of JetStream; `subject` without `$JS.API.`, for example `STREAM.INFO.LEDGER`.

        Raises: JetStreamRefused with `err_code`, NoResponders, TimedOut, BusUnavailable.
        """
        content = b"" if body is None else msgspec.json.encode(body)
        reply = await self.request(f"$JS.API.{subject}", content, timeout_seconds=timeout_seconds)
        problem = _problem_decoder.decode(reply).error
        if problem is not None:
            raise refused(problem.err_code, problem.description)
        answer: dict[str, Any] = msgspec.json.decode(reply)
        return answer

    async def leader_get(
        self,
        stream: str,
        *,
        sequence: int | None = None,
        next_by_subject: str | None = None,
        last_by_subject: str | None = None,
    ) -> StoredMessage | None:
        """Return one message from the stream's leader, or `None` when there is none.

        Either the one at `sequence`, or the first at or after `sequence` on `next_by_subject`,
        or the last on `last_by_subject`. Raises: as `api`.
        """
        return await leader_get(
            self,
            stream,
            sequence=sequence,
            next_by=next_by_subject,
            last_by=last_by_subject,
            timeout_seconds=READ_TIMEOUT_SECONDS,
        )

    async def direct_gets(
        self, stream: str, asked: Sequence[tuple[int, str | None]], *, batch: int
    ) -> list[DirectAnswer]:
        """Return for each (sequence, subject) up to `batch` messages at or after it, from any replica (it may lag).

        All are asked for at once; without a subject it is any (ADR-31). Raises: TimedOut, NoResponders, BusUnavailable.
        """
        return await direct_gets(self, stream, asked, batch, READ_TIMEOUT_SECONDS)

    async def direct_get(
        self, stream: str, *, sequence: int, subject: str | None = None, batch: int = 1
    ) -> DirectAnswer:
        """As `direct_gets`, for one."""
        (answer,) = await self.direct_gets(stream, [(sequence, subject)], batch=batch)
        return answer

    def pull(
        self,
        stream: str,
        durable: str,
        *,
        batch: int,
        max_wait_seconds: float = 5.0,
        room: Room = always,
    ) -> AsyncGenerator[list[Delivery], None]:
        """Yield messages of a durable consumer as they come, 1 to `batch` at a time, for ever.

        Each must be acknowledged (`ack`, `nak`, `term`); no more are asked for before there is `room`. It survives
        reconnects and leader changes.
        Raises: StreamDrift when the consumer does not exist, BusUnavailable when the bus was closed.
        """
        return pull(self, stream, durable, batch, max_wait_seconds, room)

    def collecting(self, callback: Callable[[Message], None]) -> Collecting:
        """Give a reply subject of the shared inbox; `callback` gets every answer until the block ends."""
        return self.inbox.collecting(callback)
