"""A visitor of the shop's page: what the page sends over its socket, and what it hears."""

import asyncio
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection

from tests.ingest.running_ingest import RunningIngest

ANNA = "anna@shop.example"


def address(ingest: RunningIngest) -> str:
    return ingest.door("chat").replace("http://", "ws://") + "/socket"


async def say(socket: ClientConnection, **frame: Any) -> None:
    await socket.send(msgspec.json.encode(frame).decode())


async def heard(socket: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(10):
        answer: dict[str, Any] = msgspec.json.decode(await socket.recv())
        return answer


async def hello(socket: ClientConnection, **more: Any) -> None:
    await say(socket, type="hello", session="s-1", **more)
