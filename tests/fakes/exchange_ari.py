"""An exchange's REST interface (ARI) on loopback: its events by a WebSocket, its channels and bridges by HTTP."""

import base64
import contextlib
import http
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
from websockets.asyncio.server import Server, ServerConnection, broadcast, serve
from websockets.http11 import Request, Response

from tests.fakes.exchange import PASSWORD, USER

ALLOWED = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


@dataclass
class FakeAri:
    """`channels`, `bridges`: what there is; `paths`: what was asked for; `may_ask`: whether lists are given out."""

    channels: list[dict[str, Any]] = field(default_factory=list)
    bridges: list[dict[str, Any]] = field(default_factory=list)
    may_ask: bool = True
    paths: list[str] = field(default_factory=list)
    _server: Server | None = None

    @property
    def address(self) -> str:
        """As a policy has it."""
        assert self._server is not None
        return f"http://127.0.0.1:{next(iter(self._server.sockets)).getsockname()[1]}/ari?app=shop"

    async def start(self) -> None:
        """Listen."""
        self._server = await serve(
            self._hold, "127.0.0.1", 0, process_request=self._request, ping_interval=None
        )

    async def stop(self) -> None:
        """End, and every connection with it."""
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    def say(self, data: bytes | str) -> None:
        """Tell whoever is subscribed: one event, or one a line."""
        assert self._server is not None
        text = data if isinstance(data, str) else data.decode()
        for line in text.split("\n"):
            if line:
                broadcast(self._server.connections, line)

    def drop(self) -> None:
        """Cut all connections off."""
        assert self._server is not None
        for each in list(self._server.connections):
            each.transport.abort()

    def _request(self, connection: ServerConnection, request: Request) -> Response | None:
        self.paths.append(request.path)
        if request.headers.get("Authorization") != ALLOWED:
            return connection.respond(http.HTTPStatus.UNAUTHORIZED, "{}")
        lists = {"/ari/channels": self.channels, "/ari/bridges": self.bridges}
        if request.path not in lists:
            return None
        if not self.may_ask:
            return connection.respond(http.HTTPStatus.FORBIDDEN, "{}")
        return connection.respond(
            http.HTTPStatus.OK, msgspec.json.encode(lists[request.path]).decode()
        )

    async def _hold(self, connection: ServerConnection) -> None:
        await connection.wait_closed()


@contextlib.asynccontextmanager
async def ari_exchange() -> AsyncIterator[FakeAri]:
    """Give an exchange that listens until the block ends."""
    made = FakeAri()
    await made.start()
    try:
        yield made
    finally:
        await made.stop()
