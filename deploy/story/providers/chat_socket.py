"""Visitors of the web chat: one kept-open WebSocket per session, said hello to again when it breaks.

What agents answer is kept by its id, and said to have been read, whenever somebody asks what the visitor heard.
"""

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException

from deploy.story.errors import StepFailed, StoryInvalid
from deploy.story.file.model import DoorStep
from deploy.story.providers import chat, doors
from shared.chat_answers import SECRET_MIN_CHARACTERS

FRAME_SECONDS = 5.0
LISTEN_SECONDS = 0.1


class _Later(Exception):
    """The chat cannot store the message right now."""


@dataclass
class Visitor:
    """A browser. `hello`: the first frame on every connection; `heard`: answers by their ids, `unread`: of new ones."""

    url: str
    heard: dict[str, dict[str, Any]] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    hello: dict[str, Any] | None = None
    socket: ClientConnection | None = field(default=None, repr=False)


class Chats:
    """All sockets of a story."""

    def __init__(self) -> None:
        self._visitors: dict[tuple[str, str], Visitor] = {}

    async def close(self) -> None:
        for visitor in self._visitors.values():
            await _drop(visitor)

    async def send(
        self, step: DoorStep, door: doors.Door, key: str | None, run: str
    ) -> doors.Answer:
        """Send the frames of a step, each until it is answered; return the answer to the last.

        `key`: what the shop's page signs with, `None` for no signature.
        Raises: StepFailed (`step.door_unreachable`), StoryInvalid.
        """
        url = f"{door.url.replace('http', 'ws', 1)}/socket"
        visitor = self._visitors.setdefault((url, step.session), Visitor(url))
        visitor.url = url
        answer = doors.Answer(200, "", None, {})
        for frame in _frames(step):
            if frame.get("type") == "hello":
                visitor.hello = _signed_hello(frame, _session(step, run), key)
                await _drop(visitor)
                answer = await self._until_answered(visitor, None)
            else:
                answer = await self._until_answered(visitor, frame)
            if answer.refused:
                break
        return answer

    async def heard(self, session: str) -> list[dict[str, Any]]:
        """Return the answers that a session's page has by now, oldest first; it connects again if it has to."""
        of_session = [each for (_, name), each in self._visitors.items() if name == session]
        for visitor in of_session:
            try:
                await _listen(visitor)
            except (OSError, WebSocketException, TimeoutError):
                await _drop(visitor)
        return [answer for visitor in of_session for answer in visitor.heard.values()]

    async def _until_answered(self, visitor: Visitor, frame: dict[str, Any] | None) -> doors.Answer:
        deadline = time.monotonic() + doors.DELIVERY_SECONDS
        while True:
            try:
                return await _exchange(visitor, frame)
            except InvalidStatus as error:
                if error.response.status_code < 500:
                    return _refused_at_the_door(error)
                last = f"status {error.response.status_code}"
            except (OSError, WebSocketException, TimeoutError, _Later) as error:
                last = type(error).__name__
            await _drop(visitor)
            if time.monotonic() > deadline:
                raise StepFailed("step.door_unreachable", "the chat does not answer", got=last)
            await asyncio.sleep(doors.PAUSE_SECONDS)


def _session(step: DoorStep, run: str) -> str:
    """Return a session that is long enough to be answered."""
    return f"{step.session}-{run}".ljust(SECRET_MIN_CHARACTERS, ".")


def _frames(step: DoorStep) -> list[dict[str, Any]]:
    frames = step.body if isinstance(step.body, list) else [step.body]
    if not all(isinstance(frame, dict) for frame in frames):
        raise StoryInvalid("what a visitor sends is one frame or a list of frames, each a map")
    return frames


def _signed_hello(frame: dict[str, Any], session: str, key: str | None) -> dict[str, Any]:
    hello = {"session": session, **frame}
    if key is not None and "email" in hello:
        hello = {"signature": chat.hello_signature(key, str(hello["email"])), **hello}
    return hello


async def _exchange(visitor: Visitor, frame: dict[str, Any] | None) -> doors.Answer:
    """Say hello on a new connection, then send the frame; return what the chat answers to the frame.

    A hello is answered only when it is refused, so the next frame's answer tells.
    """
    if visitor.hello is None:
        raise StoryInvalid("the first frame of a chat session is a hello")
    async with asyncio.timeout(FRAME_SECONDS):
        socket = await _connected(visitor, visitor.hello)
        if frame is None:
            return doors.Answer(200, "", None, {})
        await socket.send(_text(frame))
        return await _answer_to(visitor, socket, frame)


async def _connected(visitor: Visitor, hello: dict[str, Any]) -> ClientConnection:
    if visitor.socket is None:
        visitor.socket = await connect(visitor.url, proxy=None)
        has = {"after": list(visitor.heard)[-1]} if visitor.heard else {}
        await visitor.socket.send(_text({**hello, **has}))
    return visitor.socket


async def _listen(visitor: Visitor) -> None:
    """Take what was answered until it is silent for a moment, and say that it was read."""
    if visitor.hello is None:
        return
    async with asyncio.timeout(FRAME_SECONDS):
        socket = await _connected(visitor, visitor.hello)
        with contextlib.suppress(TimeoutError):
            while True:
                async with asyncio.timeout(LISTEN_SECONDS):
                    text = await socket.recv()
                _take(visitor, msgspec.json.decode(text))
        while visitor.unread:
            await socket.send(_text({"type": "read", "id": visitor.unread[0]}))
            await _answer_to(visitor, socket, {"id": visitor.unread[0]})
            visitor.unread.pop(0)


def _take(visitor: Visitor, content: dict[str, Any]) -> None:
    """Keep an answer; it may come again after a reconnect."""
    if content.get("type") == "answer" and content["id"] not in visitor.heard:
        visitor.heard[content["id"]] = content
        visitor.unread.append(content["id"])


async def _answer_to(
    visitor: Visitor, socket: ClientConnection, frame: dict[str, Any]
) -> doors.Answer:
    while True:
        text = await socket.recv()
        content: dict[str, Any] = msgspec.json.decode(text)
        if content.get("type") == "answer":
            _take(visitor, content)
            continue
        refused = content.get("type") == "error"
        if content.get("id") == frame.get("id") or (refused and content.get("id") is None):
            break
    shown = text if isinstance(text, str) else text.decode()
    if content.get("retryable"):
        raise _Later
    if not refused:
        return doors.Answer(200, shown, None, content)
    code = content.get("code") or content.get("error", {}).get("code") or "door.refused"
    return doors.Answer(400, shown, str(code), content)


def _text(frame: dict[str, Any]) -> str:
    return msgspec.json.encode(frame).decode()


def _refused_at_the_door(error: InvalidStatus) -> doors.Answer:
    response = error.response
    text = response.body.decode(errors="replace") if response.body else ""
    content: dict[str, Any] = {}
    with contextlib.suppress(msgspec.DecodeError):
        content = msgspec.json.decode(text)
    return doors.Answer(
        response.status_code, text, str(content.get("code", "door.refused")), content
    )


async def _drop(visitor: Visitor) -> None:
    socket, visitor.socket = visitor.socket, None
    if socket is not None:
        with contextlib.suppress(OSError, WebSocketException, TimeoutError):
            await asyncio.wait_for(socket.close(), FRAME_SECONDS)
