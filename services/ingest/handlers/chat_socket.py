"""The chat socket: each message is in RAW before it is acknowledged.

Frames are handled one after another. While one is being stored, the next stand in the socket's bounded buffer and
the visitor's page is not read from: who sends faster than the limit is slowed down. Its answers to our pings are not
read either, so a page that stays ahead for twice `server.SOCKET_PING_SECONDS` is closed on with 1011 (or reset: what
it sends meanwhile can overtake that), and what stands in the buffer is dropped. None of that was acknowledged: the
page sends it again. Frames that never reach this file, pings and pieces of messages, are bounded in `frames`.
The other way `answers` brings what agents write, one answer at a time: a page that does not read is not written to.
"""

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import datetime

import msgspec
import structlog
from starlette.types import Scope
from starlette.websockets import WebSocket, WebSocketDisconnect

from services.ingest.channels import chat
from services.ingest.channels.chat import (
    File,
    Frame,
    Hello,
    Message,
    Read,
    Receipt,
    Received,
    Typing,
)
from services.ingest.domain import chat_file, delivery, texts
from services.ingest.handlers import doors, logged, problems, raw_store, uploads
from services.ingest.handlers.accounts import Accounts, Door
from services.ingest.handlers.answers import Answers
from services.ingest.handlers.arrivals import Arrival, Arrivals
from services.ingest.handlers.bodies import more_seconds
from services.ingest.handlers.callers import Callers
from services.ingest.handlers.desks import Desks
from services.ingest.handlers.pace import Pace
from services.ingest.handlers.strangers import Strangers
from shared import chat_answers, codec, errors, handles, strict, subjects, tasks
from shared.clock import Clock
from shared.settings import Settings

CLOSE_REFUSED = 1008
"""RFC 6455, section 7.4.1: the message violates a policy."""

log = structlog.get_logger("ingest")

KNOWN = frozenset({"hello", "message", "file", "received", "read", "typing"})
_frame: msgspec.json.Decoder[Frame] = msgspec.json.Decoder(Frame)


class _Typed(msgspec.Struct, frozen=True):
    type: str
    id: str | None = None


_typed = msgspec.json.Decoder(_Typed)


@dataclass(slots=True)
class Visit:
    """The state of an open socket.

    `arrival`: the visitor counts as on the way in until she is vouched for or has written; `pace`: of the socket,
    `files_pace`: of its files, `session_pace`: of all sockets of her session, once one of her messages was let in;
    `hello`: the page's first frame, `None` until it has arrived; `page`: where its answers stand, `None` while nobody
    may read them; `following`: brings them.
    """

    door: Door
    scope: Scope
    peer: str
    arrival: Arrival
    pace: Pace
    files_pace: Pace
    session_pace: Pace | None = None
    hello: Hello | None = None
    verified: bool = False
    messages: int = 0
    page: str | None = None
    following: asyncio.Task[None] | None = None

    def wait_seconds(self) -> float:
        """Count a frame and return how long the next one is not read."""
        session_seconds = 0.0 if self.session_pace is None else self.session_pace.take()
        return max(self.pace.take(), session_seconds)


class ChatSocket:
    """Serves the chat sockets of all accounts."""

    def __init__(
        self,
        accounts: Accounts,
        store: raw_store.RawStore,
        strangers: Strangers,
        answers: Answers,
        desks: Desks,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._accounts = accounts
        self._store = store
        self._answers = answers
        self._desks = desks
        self._strangers = strangers
        self._settings = settings
        self._clock = clock
        self._callers = Callers(settings)
        self._arrivals = Arrivals(
            most=settings.socket_sessions_max, most_of_a_peer=settings.peer_arrivals
        )
        self._origins = frozenset(settings.chat_origins.split())
        self._open = 0
        self._uploads = uploads.PageFiles(settings)

    async def serve(self, socket: WebSocket, tenant: str, account: str) -> None:
        """Serve one socket from its opening to its end."""
        try:
            door = self._admit(socket, tenant, account)
        except errors.TellonceError as error:
            log.info(logged.SOCKET_REFUSED, code=error.code)
            await socket.send_denial_response(problems.problem(error))
            return
        self._open += 1
        line = log.bind(tenant=door.tenant, channel=door.channel.NAME, account=door.account)
        try:
            await socket.accept()
            line.info(logged.SOCKET_OPENED)
            code, messages = await self._visited(socket, door)
        finally:
            self._open -= 1
        line.info(logged.SOCKET_CLOSED, code=code, messages=messages)

    async def _visited(self, socket: WebSocket, door: Door) -> tuple[str | None, int]:
        """Let a visitor talk until the end; return the code that she was shown out with, if any, and what was stored.

        Of a peer with too many who said nothing yet, the one that has been silent the longest is shown out.
        """
        peer, pace = self._callers.peer_of(socket), Pace(self._settings.chat_messages_per_minute)
        visit: Visit | None = None
        try:
            async with asyncio.timeout(None) as patience:
                with self._arrivals.one(peer, patience) as arrival:
                    visit = Visit(door, socket.scope, peer, arrival, pace, uploads.pace())
                    code = await self._converse(socket, visit)
        except TimeoutError:
            code = await _show_out(socket, errors.StrangersTooMany())
        finally:
            if visit is not None and visit.following is not None:
                await tasks.end([visit.following])
        return code, visit.messages if visit is not None else 0

    def _admit(self, socket: WebSocket, tenant: str, account: str) -> Door:
        """Raises: TenantUnknown, AccountUnknown, OriginForbidden, DoorUnavailable."""
        door = self._accounts.find(tenant, chat.NAME, account)
        if self._origins and socket.headers.get("origin") not in self._origins:
            raise errors.OriginForbidden
        if self._open >= self._settings.socket_sessions_max:
            raise errors.DoorUnavailable("too many chats are open; try again")
        return door

    async def _converse(self, socket: WebSocket, visit: Visit) -> str | None:
        """Handle frames until either side closes; return the code of the refusal that closed the socket, if any."""
        try:
            while True:
                frame = await self._next(socket, visit)
                await self._handle(socket, visit, frame)
                await asyncio.sleep(visit.wait_seconds())
        except WebSocketDisconnect:
            return None
        except errors.TellonceError as error:
            return await _show_out(socket, error)

    async def _next(self, socket: WebSocket, visit: Visit) -> bytes:
        """Return the next frame; a page that does not say who is here in time is shown out.

        Raises: PayloadUnreadable, WebSocketDisconnect.
        """
        wait_seconds = self._settings.door_timeout_seconds if visit.hello is None else None
        try:
            async with asyncio.timeout(wait_seconds):
                received = await socket.receive()
        except TimeoutError:
            raise errors.PayloadUnreadable("nobody said hello in time") from None
        if received["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(received.get("code", 1000))
        text: str | None = received.get("text")
        return b"" if text is None else text.encode()

    async def _piece(self, socket: WebSocket) -> bytes:
        """Return the next piece of a file; b"" for a frame that is none. Raises: WebSocketDisconnect."""
        received = await socket.receive()
        if received["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(received.get("code", 1000))
        return received.get("bytes") or b""

    async def _handle(self, socket: WebSocket, visit: Visit, frame: bytes) -> None:
        """Handle a frame. Tell the page of an error in the frame; the socket stays open.

        Raises: SignatureInvalid; of a file that was let in, as `PageFiles.take`.
        """
        taken: File | None = None
        try:
            match _read(frame):
                case Hello() as hello:
                    _greet(visit, hello, self._clock.now())
                    self._let_in(socket, visit, hello)
                case Message() as message:
                    await self._take(visit, message)
                    await _say(socket, {"type": "ack", "id": message.id})
                case File() as file:
                    await self._let_in_file(visit, file)
                    await _say(socket, {"type": "go", "id": file.id})
                    taken = file
                case Received() | Read() as receipt:
                    await self._note(visit, receipt)
                    await _say(socket, {"type": "ack", "id": receipt.id})
                case Typing():
                    if visit.page is not None:
                        await self._answers.visitor_types(visit.door.tenant, visit.page)
        except errors.SignatureInvalid:
            raise
        except errors.TellonceError as error:
            await _say_error(socket, error, frame)
        if taken is not None:
            await self._take_file(socket, visit, taken)

    async def _let_in_file(self, visit: Visit, file: File) -> None:
        """Wait until a file may come. Raises: PayloadUnreadable, FileRefused, BodyTooLarge, StrangersTooMany."""
        hello = self._writer(visit)
        self._uploads.check(file)
        visit.session_pace = self._strangers.let_in(
            visit.door, visit.peer, hello.session, vouched=visit.verified
        )
        await asyncio.sleep(visit.files_pace.take(uploads.frames_of(file)))

    async def _take_file(self, socket: WebSocket, visit: Visit, file: File) -> None:
        """Take a file and store it. Raises: as `PageFiles.take`: what comes then may be the rest of it."""
        content = await self._uploads.take(file, visit.peer, lambda: self._piece(socket))
        body = chat.stored_file(self._writer(visit), file, content, verified=visit.verified)
        try:
            await self._append(visit, body, chat_file.FILE_TYPE)
        except errors.DoorUnavailable as error:
            await _say_error(socket, error, msgspec.json.encode({"type": "file", "id": file.id}))
            return
        self._arrivals.leave(visit.arrival)
        visit.messages += 1
        await _say(socket, {"type": "ack", "id": file.id})

    def _writer(self, visit: Visit) -> Hello:
        """Return who writes; a socket outlives what vouches for her. Raises: PayloadUnreadable."""
        if visit.hello is None:
            raise errors.PayloadUnreadable("say hello first")
        visit.verified = chat.vouched(visit.hello, visit.door.secrets, self._clock.now())
        return visit.hello

    def _let_in(self, socket: WebSocket, visit: Visit, hello: Hello) -> None:
        """Begin to bring her the answers; who wrote before, or is vouched for, is on the way in no more."""
        door = visit.door
        if visit.verified or self._strangers.knows(door, hello.session):
            self._arrivals.leave(visit.arrival)
        visit.page = chat_answers.page_of(door.tenant, door.account, hello.session)
        if visit.page is None or visit.following is not None:
            return

        async def follow(page: str) -> None:
            async def tell(told: dict[str, object]) -> None:
                await _say(socket, told)

            telling = asyncio.create_task(self._desks.tell(door, tell))
            try:
                with contextlib.suppress(WebSocketDisconnect, RuntimeError):
                    await self._answers.bring(door.tenant, page, hello.after, tell)
            finally:
                await tasks.end([telling])

        visit.following = asyncio.create_task(follow(visit.page))

    async def _take(self, visit: Visit, message: Message) -> None:
        """Store one message. Raises: PayloadUnreadable, BodyTooLarge, StrangersTooMany, DoorUnavailable."""
        hello = self._writer(visit)
        body = chat.stored_body(hello, message, verified=visit.verified)
        if len(body) > self._settings.body_max_bytes:
            raise errors.BodyTooLarge(limit_bytes=self._settings.body_max_bytes)
        visit.session_pace = self._strangers.let_in(
            visit.door, visit.peer, hello.session, vouched=visit.verified
        )
        await self._append(visit, body)
        self._arrivals.leave(visit.arrival)
        visit.messages += 1

    async def _note(self, visit: Visit, receipt: Receipt) -> None:
        """Store what the page has of an answer that was to it. Raises: PayloadUnreadable, DoorUnavailable."""
        named = chat_answers.answer_id(receipt.id)
        if visit.hello is None or visit.page is None or named is None:
            raise errors.PayloadUnreadable("no answer to this page has this id")
        try:
            hers = await self._answers.holds(subjects.answer(visit.door.tenant, visit.page), named)
        except errors.BusUnavailable as error:
            raise errors.DoorUnavailable(cause=error.code) from error
        if not hers:
            raise errors.PayloadUnreadable("no answer to this page has this id")
        await self._append(visit, chat.stored_receipt(visit.hello.session, receipt))

    async def _append(
        self, visit: Visit, body: bytes, media_type: str = "application/json"
    ) -> None:
        """Put a body into RAW. Raises: DoorUnavailable."""
        scope = visit.scope
        hers = [each for each in doors.header_fields(scope) if each[0] != "content-type"]
        fields = [*hers, ("content-type", media_type)]
        request = delivery.WebRequest(
            "POST", doors.url_as_called(scope), fields, body, self._clock.now()
        )
        door = visit.door
        try:
            seconds = self._settings.door_timeout_seconds + more_seconds(len(body))
            async with asyncio.timeout(seconds):
                stored = await self._store.append(door.tenant, chat.NAME, door.account, request)
        except TimeoutError:
            raise errors.DoorUnavailable from None
        log.info(
            logged.DELIVERY_STORED,
            tenant=door.tenant,
            channel=chat.NAME,
            account=door.account,
            sequence=stored.sequence,
            body_bytes=len(body),
        )


def _greet(visit: Visit, hello: Hello, now: datetime) -> None:
    """Note who is here; a page may say it again when its visitor signs in.

    Raises: SignatureInvalid, PayloadUnreadable, HandleInvalid.
    """
    if visit.hello is not None and visit.hello.session != hello.session:
        raise errors.PayloadUnreadable("one socket holds one session")
    if hello.email is not None and handles.email(hello.email) is None:
        raise errors.HandleInvalid(kind="email")
    visit.verified = chat.vouched(hello, visit.door.secrets, now)
    visit.hello = hello


def _read(frame: bytes) -> Frame:
    """Raises: PayloadUnreadable, PayloadKindUnknown."""
    try:
        return strict.read_json(texts.whole_json(frame.decode()), _frame)
    except codec.UNREADABLE:
        typed = _typed_of(frame)
    known = typed is None or typed.type in KNOWN
    raise errors.PayloadUnreadable if known else errors.PayloadKindUnknown


def _typed_of(frame: bytes) -> _Typed | None:
    try:
        return _typed.decode(frame)
    except codec.UNREADABLE:
        return None


async def _show_out(socket: WebSocket, error: errors.TellonceError) -> str:
    """Say why and close; a page that is gone already hears nothing. Returns the code."""
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        await _say_error(socket, error, None)
        await socket.close(CLOSE_REFUSED, error.code)
    return error.code


async def _say_error(socket: WebSocket, error: errors.TellonceError, frame: bytes | None) -> None:
    """Send an error to the page, with the id of the refused frame if the frame has an id."""
    typed = None if frame is None else _typed_of(frame)
    said: dict[str, object] = {
        "type": "error",
        "code": error.code,
        "message": str(error),
        "retryable": error.retryable,
    }
    if typed is not None and typed.id is not None:
        said["id"] = typed.id
    await _say(socket, said)


async def _say(socket: WebSocket, said: dict[str, object]) -> None:
    await socket.send_text(msgspec.json.encode(said).decode())
