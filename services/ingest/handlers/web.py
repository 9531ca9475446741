"""The routes: doors, the chat socket, files, health."""

import re
from collections.abc import Callable

import msgspec
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from services.ingest.handlers import chat_socket, logged, problems
from services.ingest.handlers.doors import Doors
from services.ingest.handlers.file_doors import FileDoors
from shared import errors

METHODS = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]
"""All of them reach the door, so that it can name its refusal."""
NO_DOOR = "there is no door at this address"

_ABSOLUTE_FORM = re.compile(rb"https?://[^/@]+", re.IGNORECASE)

log = structlog.get_logger("ingest")


def application(
    doors: Doors, socket: chat_socket.ChatSocket, files: FileDoors, ready: Callable[[], bool]
) -> ASGIApp:
    """Return ingest's web application. `ready`: whether a delivery could be stored now."""

    async def healthz(request: Request) -> Response:  # noqa: ARG001  the shape of an endpoint
        return _json({"status": "alive"})

    async def readyz(request: Request) -> Response:  # noqa: ARG001  likewise
        return _json({"status": "ready"}) if ready() else problems.problem(errors.BusUnavailable())

    routes = [
        Route("/in/{tenant}/{channel}/{account}", doors.serve, methods=METHODS),
        WebSocketRoute("/in/{tenant}/chat/{account}/socket", socket.serve),
        Route("/files/{tenant}/{ticket}", files.serve, methods=["GET"]),
        WebSocketRoute("/{path:path}", _no_socket),
        Route("/healthz", healthz),
        Route("/readyz", readyz),
    ]
    handlers = {HTTPException: _not_found, Exception: _failed}
    routed = Starlette(routes=routes, exception_handlers=handlers)
    # A redirect would send callers to whatever host their request names.
    routed.router.redirect_slashes = False
    return _Strict(routed)


class _Strict:
    """Refuses a request that a proxy before us may read otherwise than we do."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope = _in_origin_form(scope)
        refusal = _ambiguous(scope)
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await problems.problem(refusal)(scope, receive, send)


def _in_origin_form(scope: Scope) -> Scope:
    """Return a request whose target is a path; a proxy may send the whole address (RFC 9112, section 3.2.2)."""
    whole = _ABSOLUTE_FORM.match(scope["raw_path"])
    if whole is None:
        return scope
    path = scope["raw_path"][whole.end() :] or b"/"
    return {**scope, "raw_path": path, "path": path.decode("latin-1")}


def _ambiguous(scope: Scope) -> errors.TellonceError | None:
    """Return the refusal of a request with two lengths (RFC 9112, section 6.3) or an encoded path; `None` for others.

    No name in our paths needs an encoding: one with an encoded letter or slash opens nothing.
    """
    if {b"content-length", b"transfer-encoding"} <= {name for name, _ in scope["headers"]}:
        return errors.RequestUnreadable("a request has one length")
    return errors.AccountUnknown(NO_DOOR) if b"%" in scope["raw_path"] else None


def _json(body: object) -> Response:
    return Response(msgspec.json.encode(body), media_type="application/json")


async def _no_socket(socket: WebSocket) -> None:
    await socket.send_denial_response(problems.problem(errors.AccountUnknown()))


async def _not_found(request: Request, error: Exception) -> Response:  # noqa: ARG001  Starlette's shape
    return problems.problem(errors.AccountUnknown(NO_DOOR))


async def _failed(request: Request, error: Exception) -> Response:  # noqa: ARG001  likewise
    """Answer an unexpected error with a refusal that asks for a retry; the answer shows no detail of the error."""
    log.error(logged.DOOR_FAILED, exc_info=error)
    return problems.problem(errors.DoorUnavailable())
