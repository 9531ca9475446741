"""The dialogue with a provider's HTTP API, against a real server on loopback."""

import asyncio
import contextlib

import pytest

from deploy.embedded.ports import LOOPBACK, free_ports
from deploy.story.providers.api import ApiRequest
from deploy.story.providers.api_server import ApiServer, listening
from services.notify.carriers import NotTaken, Unanswered
from services.notify.carriers import http as carrier
from services.notify.domain.web import HttpAnswer, HttpRequest

TAKEN = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{"id":"7"}'
SLOWER = b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\n"
HANG = None
"""Taken, and never answered."""


class Scripted(ApiServer):
    """Writes the next of its answers, the last one for ever, byte for byte."""

    def __init__(self, *answers: bytes | None) -> None:
        super().__init__({})
        self._answers = answers

    async def reply(self, request: ApiRequest) -> bytes:
        answer = self._answers[min(request.number, len(self._answers)) - 1]
        if answer is HANG:
            await asyncio.Event().wait()
        return answer or b""


def serving(*answers: bytes | None) -> contextlib.AbstractAsyncContextManager[ApiServer]:
    return listening(Scripted(*answers))


def request_to(base: str) -> HttpRequest:
    return HttpRequest(url=f"{base}/bot1/send", body=b'{"to":"7"}', headers={"x-key": "k"})


async def commit(base: str, gateway: str = "") -> HttpAnswer:
    async with carrier.HttpCarrier(gateway).transaction(request_to(base)) as transaction:
        answer = await transaction.commit()
    assert isinstance(answer, HttpAnswer)
    return answer


async def test_a_message_is_handed_over_whole_and_the_answer_is_read() -> None:
    """Nothing is said before the last step; then one request with its headers, length and body."""
    async with serving(TAKEN) as server:
        async with carrier.HttpCarrier().transaction(request_to(server.url)) as transaction:
            assert server.requests == []
            answer = await transaction.commit()
        (asked,) = server.requests
    assert (answer.status, answer.json) == (200, {"id": "7"})
    assert (asked.method, asked.host, asked.path) == ("POST", "bot1", "/send")
    assert (asked.headers["x-key"], asked.content) == ("k", {"to": "7"})
    assert asked.headers["host"] == server.url.removeprefix("http://")


async def test_a_gateway_is_asked_in_the_providers_place() -> None:
    """The provider's host stands in the path, the gateway's own in the field `host`."""
    async with serving(TAKEN) as server:
        await commit("https://api.provider.example", gateway=server.url)
        (asked,) = server.requests
    assert (asked.host, asked.path) == ("api.provider.example", "/bot1/send")
    assert asked.headers["host"] == server.url.removeprefix("http://")


async def test_a_provider_that_is_not_there_has_no_copy() -> None:
    """A refused connection is known before the intent: it is tried again later."""
    (port,) = free_ports(1)
    with pytest.raises(NotTaken) as refused:
        async with carrier.HttpCarrier().transaction(request_to(f"http://{LOOPBACK}:{port}")):
            raise AssertionError("nobody listens there")
    assert refused.value.answer is None


async def test_a_host_that_has_no_address_has_no_copy() -> None:
    """Neither is a name that no resolver knows a doubt."""
    with pytest.raises(NotTaken):
        async with carrier.HttpCarrier().transaction(request_to("http://a..b.invalid")):
            raise AssertionError("nobody has this name")


async def test_a_tls_handshake_that_fails_leaves_no_copy() -> None:
    """A server without TLS behind an https address is found before anything was said."""
    async with serving(b"HTTP/1.1 400 no\r\n\r\n") as server:
        url = server.url.replace("http://", "https://")
        with pytest.raises(NotTaken):
            async with carrier.HttpCarrier().transaction(request_to(url)):
                raise AssertionError("the server has no certificate")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\ncontent-le",
        b'HTTP/1.1 200 OK\r\ncontent-length: 400\r\n\r\n{"id":',
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{",
        b"220 mail.example ESMTP\r\n",
    ],
    ids=["nothing", "half a head", "half a body", "half a chunk", "another protocol"],
)
async def test_a_connection_that_ends_amid_the_answer_is_a_doubt(answer: bytes) -> None:
    """The provider may have the message: it is never asked again blindly."""
    async with serving(answer) as server:
        with pytest.raises(Unanswered):
            await commit(server.url)
        assert len(server.requests) == 1


async def test_a_provider_that_never_answers_is_a_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was asked once, and is left after a time."""
    monkeypatch.setattr(carrier, "ANSWER_TIMEOUT_SECONDS", 0.3)
    async with serving(HANG) as server:
        with pytest.raises(Unanswered):
            await commit(server.url)
        assert len(server.requests) == 1


async def test_a_provider_that_answers_without_end_is_cut_off() -> None:
    """The first 256 KiB are enough to know what it means."""
    length = 64 * carrier.ANSWER_MAX_BYTES
    huge = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % length + b" " * length
    async with serving(huge) as server:
        answer = await commit(server.url)
    assert (answer.status, len(answer.body)) == (200, carrier.ANSWER_MAX_BYTES)


async def asked_twice(base: str, pause_seconds: float = 0.0) -> HttpAnswer:
    """Take the last step, get ready once more, and take it again."""
    async with carrier.HttpCarrier().transaction(request_to(base)) as transaction:
        assert (await transaction.commit()).status == 429
        assert await transaction.again(pause_seconds)
        answer = await transaction.commit()
    assert isinstance(answer, HttpAnswer)
    return answer


async def test_what_was_refused_for_a_while_is_asked_again() -> None:
    """The same request, on a new connection: the first one serves no other."""
    async with serving(SLOWER + b"retry-after: 0\r\n\r\n", TAKEN) as server:
        assert (await asked_twice(server.url)).status == 200
        assert [each.body for each in server.requests] == [b'{"to":"7"}'] * 2


@pytest.mark.parametrize(
    ("retry_after", "pauses"),
    [
        (b"retry-after: 1\r\n", 1.0),
        (b"retry-after: 0\r\n", 0.0),
        (b"retry-after: 86400\r\n", carrier.PAUSE_MAX_SECONDS),
        (b"retry-after: Wed, 21 Oct 2026 07:28:00 GMT\r\n", 4.0),
        (b"retry-after: -5\r\n", 4.0),
        (b"", 4.0),
    ],
)
async def test_the_pause_is_the_providers_within_a_bound(
    retry_after: bytes, pauses: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A provider that names a day is not waited for; for one that names nothing, whoever asks again does."""
    waited: list[float] = []
    sleep = asyncio.sleep

    async def noted(seconds: float) -> None:
        waited.append(seconds)
        await sleep(0)

    async with serving(SLOWER + retry_after + b"\r\n", TAKEN) as server:
        monkeypatch.setattr(asyncio, "sleep", noted)
        await asked_twice(server.url, 4.0)
    assert pauses in waited
    assert sum(waited) == pauses


async def test_a_provider_that_leaves_while_it_is_waited_for_has_no_copy() -> None:
    """It had refused before it went away."""

    listeners: list[asyncio.Server] = []

    class Leaving(Scripted):
        async def reply(self, request: ApiRequest) -> bytes:
            listeners[0].close()
            return await super().reply(request)

    server = Leaving(SLOWER + b"retry-after: 0\r\n\r\n")
    listeners.append(await asyncio.start_server(server.serve, LOOPBACK, 0))
    port = listeners[0].sockets[0].getsockname()[1]
    with pytest.raises(NotTaken) as refused:
        await asked_twice(f"http://{LOOPBACK}:{port}")
    assert (refused.value.answer, len(server.requests)) == (None, 1)
    await server.end()
