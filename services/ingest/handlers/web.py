"""The routes: doors, the chat socket, health."""

from collections.abc import Callable

import msgspec
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from services.ingest.handlers import chat_socket, logged, problems
from services.ingest.handlers.doors import Doors
from shared import errors

METHODS = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]
"""All of them reach the door, so that it can name its refusal."""

log = structlog.get_logger("ingest")


def application(
    doors: Doors, socket: chat_socket.ChatSocket, ready: Callable[[], bool]
) -> Starlette:
    """Return ingest's web application. `ready`: whether a delivery could be stored now."""

    async def healthz(request: Request) -> Response:  # noqa: ARG001  the shape of an endpoint
        return _json({"status": "alive"})

    async def readyz(request: Request) -> Response:  # noqa: ARG001  likewise
        return _json({"status": "ready"}) if ready() else problems.problem(errors.BusUnavailable())

    routes = [
        Route("/in/{tenant}/{channel}/{account}", doors.serve, methods=METHODS),
        WebSocketRoute("/in/{tenant}/chat/{account}/socket", socket.serve),
        WebSocketRoute("/{path:path}", _no_socket),
        Route("/healthz", healthz),
        Route("/readyz", readyz),
    ]
    handlers = {HTTPException: _not_found, Exception: _failed}
    return Starlette(routes=routes, exception_handlers=handlers)


def _json(body: object) -> Response:
    return Response(msgspec.json.encode(body), media_type="application/json")


async def _no_socket(socket: WebSocket) -> None:
    await socket.send_denial_response(problems.problem(errors.AccountUnknown()))


async def _not_found(request: Request, error: Exception) -> Response:  # noqa: ARG001  Starlette's shape
    return problems.problem(errors.AccountUnknown("there is no door at this address"))


async def _failed(request: Request, error: Exception) -> Response:  # noqa: ARG001  likewise
    """Answer an unexpected error with a refusal that asks for a retry; the answer shows no detail of the error."""
    log.error(logged.DOOR_FAILED, exc_info=error)
    return problems.problem(errors.DoorUnavailable())
