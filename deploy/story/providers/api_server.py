"""The HTTP APIs of all providers on one loopback port, by the setting `TELLONCE_PROVIDERS_URL`.

A request for `https://api.provider.example/send` comes as `/api.provider.example/send`: the file of the provider that
has this host answers it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus

import h11

from deploy.story.errors import StoryStackUnusable
from deploy.story.providers import Provider
from deploy.story.providers.api import ApiAnswer, ApiRequest, Arrived

REQUESTS_MAX = 10_000
REQUEST_MAX_BYTES = 10 * 1024 * 1024
PIECE_BYTES = 65_536
NOBODY = ApiAnswer({"error": "no provider of the story answers this"}, 404)
FULL = ApiAnswer({"error": "the story's providers take no more"}, 503)


class ApiServer:
    """What was asked and what arrived at customers, in order. `url`: the value for TELLONCE_PROVIDERS_URL."""

    def __init__(self, providers: Mapping[str, Provider]) -> None:
        self.url = ""
        self.requests: list[ApiRequest] = []
        self.arrived: list[Arrived] = []
        self._providers = providers
        self._open: set[asyncio.Task[None]] = set()

    def take(self, request: ApiRequest) -> ApiAnswer:
        """Let the provider whose host it is take a request."""
        for provider in self._providers.values():
            answer = provider.answer(request) if request.host in provider.HOSTS else None
            if answer is not None:
                if answer.arrived is not None:
                    self.arrived.append(answer.arrived)
                return answer
        return NOBODY

    async def reply(self, request: ApiRequest) -> bytes:
        """Return what is written before the connection is closed."""
        full = len(self.requests) > REQUESTS_MAX
        return written(FULL if full else self.take(request))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request of a connection."""
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            request = await _read(reader, len(self.requests) + 1)
            if request is not None:
                self.requests.append(request)
                writer.write(await self.reply(request))
                await writer.drain()
        except (OSError, h11.RemoteProtocolError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            self._open.discard(task)

    async def end(self) -> None:
        """Leave every connection that is still open."""
        tasks = list(self._open)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def written(answer: ApiAnswer) -> bytes:
    """Return an answer as it goes over the wire."""
    body = answer.body
    fields = {
        "content-type": answer.media_type,
        "content-length": str(len(body)),
        "connection": "close",
        **answer.headers,
    }
    head = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}"]
    head += [f"{name}: {value}" for name, value in fields.items()]
    return "\r\n".join([*head, "", ""]).encode() + body


async def _read(reader: asyncio.StreamReader, number: int) -> ApiRequest | None:
    """Return a whole request; `None` when the client left or sends too much. Raises: OSError, RemoteProtocolError."""
    parser, body = h11.Connection(h11.SERVER), bytearray()
    head: h11.Request | None = None
    while len(body) <= REQUEST_MAX_BYTES:
        event = parser.next_event()
        if event is h11.NEED_DATA:
            parser.receive_data(await reader.read(PIECE_BYTES))
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            return _request(head, bytes(body), number)
        else:
            return None
    return None


def _request(head: h11.Request, body: bytes, number: int) -> ApiRequest:
    host, slash, path = head.target.decode(errors="replace").removeprefix("/").partition("/")
    return ApiRequest(
        host=host,
        method=head.method.decode(),
        path=slash + path,
        headers={name.decode(): value.decode(errors="replace") for name, value in head.headers},
        body=body,
        number=number,
    )


@contextlib.asynccontextmanager
async def listening(
    server: ApiServer, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[ApiServer]:
    """Listen until the block ends; port 0 is a free one. Raises: StoryStackUnusable when the place is not free."""
    try:
        listener = await asyncio.start_server(server.serve, host, port)
    except OSError as error:
        raise StoryStackUnusable(
            "the providers cannot listen", host=host, port=port, reason=error.strerror
        ) from None
    server.url = f"http://{host}:{listener.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listener.close()
        await server.end()
