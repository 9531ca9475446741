"""Where each request leads: doors, chat, files, hours, health. No framework's routes: every delivery would pay."""

from collections.abc import Callable

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from services.ingest.channels import chat
from services.ingest.handlers import chat_socket, logged, problems
from services.ingest.handlers.doors import Doors
from services.ingest.handlers.file_doors import FileDoors
from services.ingest.handlers.hours_door import HoursDoor
from shared import errors

NO_DOOR = "there is no door at this address"

log = structlog.get_logger("ingest")


class WebHandler:
    """Ingest's web application. `ready`: whether a delivery could be stored now."""

    def __init__(
        self,
        doors: Doors,
        socket: chat_socket.ChatSocket,
        files: FileDoors,
        hours: HoursDoor,
        ready: Callable[[], bool],
    ) -> None:
        self._doors = doors
        self._socket = socket
        self._files = files
        self._hours = hours
        self._ready = ready

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request; not one whose path is encoded, for a proxy before us may read it otherwise than we do."""
        if b"%" in scope["raw_path"]:
            await problems.problem(errors.AccountUnknown(NO_DOOR))(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._talk(WebSocket(scope, receive, send))
        else:
            try:
                answer = await self._answer(Request(scope, receive))
                await answer(scope, receive, send)
            except Exception:
                # The answer shows no detail of it; where one has begun, the server ends the connection.
                log.exception(logged.DOOR_FAILED)
                await problems.problem(errors.DoorUnavailable())(scope, receive, send)

    async def _talk(self, socket: WebSocket) -> None:
        match _names(socket.scope):
            case ["in", tenant, chat.NAME, account, "socket"]:
                await self._socket.serve(socket, tenant, account)
            case _:
                await socket.send_denial_response(problems.problem(errors.AccountUnknown()))

    async def _answer(self, request: Request) -> Response:
        match _names(request.scope), request.method:
            case ["in", tenant, channel, account], _:
                return await self._doors.serve(request, tenant, channel, account)
            case ["files", tenant, ticket], "GET" | "HEAD":
                return await self._files.serve(tenant, ticket)
            case ["hours", tenant], "GET" | "HEAD":
                return await self._hours.serve(request, tenant)
            case ["healthz"], "GET" | "HEAD":
                return _json({"status": "alive"})
            case ["readyz"], "GET" | "HEAD" if self._ready():
                return _json({"status": "ready"})
            case ["readyz"], "GET" | "HEAD":
                return problems.problem(errors.BusUnavailable())
        return problems.problem(errors.AccountUnknown(NO_DOOR))


def _names(scope: Scope) -> list[str]:
    """Return the names of a path; none where one of them is empty."""
    names = str(scope["path"]).split("/")[1:]
    return names if all(names) else []


def _json(body: object) -> Response:
    return Response(msgspec.json.encode(body), media_type="application/json")
