"""Requests as no provider sends them: read in one way, or refused with a code and closed on."""

import asyncio
import contextlib
from pathlib import Path

import pytest

from deploy.embedded.ports import free_ports
from services.ingest.handlers import server
from tests.ingest.running_ingest import SECRET, RunningIngest, running, signed
from tests.ingest.test_crowds import connected, read_all
from tests.ingest.test_doors import FORM
from tests.support.servers import EmbeddedNats


async def answered(ingest: RunningIngest, sent: bytes) -> bytes:
    """All that comes back until the connection is closed."""
    async with connected(ingest, 1, b"") as [(reader, writer)]:
        writer.write(sent)
        return await read_all(reader)


def request_to(path: str, *fields: str, body: bytes = FORM) -> bytes:
    """A signed delivery, byte for byte; it asks for a closed connection."""
    given = [f"{name}: {value}" for name, value in signed(SECRET, body).items()]
    lines = [f"POST {path} HTTP/1.1", "Host: evil.example", "Connection: close", *given, *fields]
    return "\r\n".join([*lines, "", ""]).encode() + body


def upgrade_of(target: str, *more: str) -> bytes:
    """A request for a socket; the key is the sample of RFC 6455."""
    fields = ["Host: x", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    return "\r\n".join([f"GET {target} HTTP/1.1", *fields, key, *more, "", ""]).encode()


async def test_a_slash_at_the_end_leads_nowhere(ingest: RunningIngest) -> None:
    """No redirect: its address would be made of what the caller named as the host."""
    path = ingest.door("form").removeprefix(ingest.url) + "/"
    answer = await answered(ingest, request_to(path, f"Content-Length: {len(FORM)}"))
    assert answer.startswith(b"HTTP/1.1 404")
    assert b"door.account_unknown" in answer
    assert b"location" not in answer
    assert b"evil.example" not in answer


@pytest.mark.parametrize(
    "changed",
    [
        lambda path: path.replace("/form/", "/f%6Frm/"),
        lambda path: path.replace("/in/", "%2Fin/"),
        lambda path: path.replace("/form/", "/form%2F"),
        lambda path: path.replace("/in/", "/%69n/"),
        lambda path: path + "%20",
    ],
)
async def test_an_encoded_path_opens_no_door(ingest: RunningIngest, changed: object) -> None:
    """A rule of a proxy for the plain path must not be passed by another spelling of it."""
    assert callable(changed)
    path = changed(ingest.door("form").removeprefix(ingest.url))
    answer = await answered(ingest, request_to(path, f"Content-Length: {len(FORM)}"))
    refusal = ("404", "account_unknown") if path.startswith("/") else ("400", "request_unreadable")
    assert answer.startswith(f"HTTP/1.1 {refusal[0]} ".encode())
    assert f"door.{refusal[1]}".encode() in answer
    assert await ingest.raw("form") == []


async def test_a_request_with_two_lengths_is_refused_and_closed_on(ingest: RunningIngest) -> None:
    """What a proxy takes for the next request of somebody else is never read as one."""
    path = ingest.door("form").removeprefix(ingest.url)
    smuggled = b"0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    head = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(smuggled)}\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    )
    answer = await answered(ingest, head.encode() + smuggled)
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"door.request_unreadable" in answer
    assert b"connection: close" in answer
    assert answer.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Large: " + b"x" * 100_000, 431, "head_too_large"),
        (b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n", 431, "head_too_large"),
        (
            b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Large: " + b"x" * 32_768 + b"\r\n\r\n",
            431,
            "head_too_large",
        ),
        (b"nonsense\r\n\r\n", 400, "request_unreadable"),
        (b"GET / HTTP/1.1\r\n\r\n", 400, "request_unreadable"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400, "request_unreadable"),
        (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 400, "request_unreadable"),
        (b"GET /\r\n\r\n", 400, "request_unreadable"),
        (b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", 400, "request_unreadable"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n", 400, "request_unreadable"),
        (b"GET / HTTP/1.1\nHost: x\n\n", 400, "request_unreadable"),
        (b"\x16\x03\x01\x02\x00\x01\x00", 400, "request_unreadable"),
        (b"CONNECT /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 400, "request_unreadable"),
    ],
    ids=[
        "field",
        "path",
        "whole",
        "words",
        "host",
        "hosts",
        "version",
        "versionless",
        "tunnel",
        "folded",
        "bare",
        "TLS",
        "tunnel to a path",
    ],
)
async def test_what_is_no_request_is_told_so_with_a_code(
    ingest: RunningIngest, sent: bytes, status: int, code: str
) -> None:
    """The answer is a problem like every other refusal, and the connection ends."""
    answer = await answered(ingest, sent)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"content-type: application/problem+json" in answer
    assert f"door.{code}".encode() in answer


@pytest.mark.parametrize("path", ["/nowhere", "the chat"])
@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (upgrade_of("PATH", "Content-Length: 3"), 400, "request_unreadable"),
        (upgrade_of("PATH", "Transfer-Encoding: chunked"), 400, "request_unreadable"),
        (upgrade_of("PATH", "X-Long: " + "x" * 9_000), 431, "head_too_large"),
        (upgrade_of("PATH", *["X-Many: x"] * 200), 431, "head_too_large"),
    ],
    ids=["a length", "chunks", "a long field", "many fields"],
)
async def test_a_request_for_a_socket_that_is_no_handshake_is_answered(
    ingest: RunningIngest, path: str, sent: bytes, status: int, code: str
) -> None:
    """It keeps no connection, wherever it asks for one, and whatever of its body still comes."""
    target = (
        path if path != "the chat" else ingest.door("chat").removeprefix(ingest.url) + "/socket"
    )
    async with connected(ingest, 1, sent.replace(b"PATH", target.encode())) as [(reader, writer)]:
        writer.write(b"abc")
        answer = await read_all(reader)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"content-type: application/problem+json" in answer
    assert f"door.{code}".encode() in answer
    assert answer.count(b"HTTP/1.1") == 1


async def test_a_connection_beyond_all_limits_is_not_kept(
    ingest_nats: EmbeddedNats, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nobody's head is awaited whose place could be taken, a new one gets no file of this process."""
    monkeypatch.setattr("services.ingest.handlers.server.SPARE_CONNECTIONS", -1)
    monkeypatch.setattr("services.ingest.handlers.bodies.GRACE_SECONDS", 60.0)
    limits = {"socket_sessions_max": 4, "door_concurrency": 1, "door_arrivals": 2}
    async with running(
        ingest_nats.url, tmp_path, port=free_ports(1)[0], door_timeout_seconds=60.0, **limits
    ) as ingest:
        await ingest.http.aclose()
        path = ingest.door("form").removeprefix(ingest.url)
        chat = upgrade_of(ingest.door("chat").removeprefix(ingest.url) + "/socket")
        body = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n".encode()
        async with connected(ingest, 2, body), connected(ingest, 4, chat) as held:
            for reader, _ in held:
                async with asyncio.timeout(10):
                    assert b"HTTP/1.1 101" in await reader.readuntil(b"\r\n\r\n")
            async with connected(ingest, 1, b"") as [(new, _)]:
                with contextlib.suppress(ConnectionError):
                    assert await read_all(new) == b""


async def test_empty_lines_between_requests_are_no_requests(ingest: RunningIngest) -> None:
    """RFC 9112, section 2.2: some clients send one before or after; whole, or in pieces, or before the next request."""
    path = ingest.door("form").removeprefix(ingest.url)
    last = request_to(path, f"Content-Length: {len(FORM)}")
    first = last.replace(b"Connection: close\r\n", b"")
    async with connected(ingest, 1, b"\r\n" + first + b"\r\n") as [(reader, writer)]:
        async with asyncio.timeout(10):
            assert await reader.readuntil(b"\r\n\r\n")
        for piece in (b"\r", b"\n\r\n", first + b"\r\n" + last):
            writer.write(piece)
            await writer.drain()
            assert (await ingest.http.get(f"{ingest.url}/healthz")).status_code == 200
        rest = await read_all(reader)
    assert rest.count(b"HTTP/1.1 204") == rest.count(b"HTTP/1.1") == 2
    assert len(await ingest.raw("form")) == 3


@pytest.mark.parametrize("host", ["http://shop.example", "HTTPS://127.0.0.1:8443"])
async def test_a_target_may_name_the_whole_address(ingest: RunningIngest, host: str) -> None:
    """RFC 9112, section 3.2.2: what a proxy sends; the door and its rules are the same, a chat's too."""
    path = ingest.door("form").removeprefix(ingest.url)
    length = f"Content-Length: {len(FORM)}"
    assert (await answered(ingest, request_to(host + path, length))).startswith(b"HTTP/1.1 204")
    encoded = path.replace("/form/", "/f%6Frm/")
    for status, wrongs in {
        404: (host + encoded, host, "http:/" + path),
        400: (host + "?" + path, "ftp://shop.example" + path, path + "#a", "*"),
    }.items():
        for wrong in wrongs:
            answer = await answered(ingest, request_to(wrong, length))
            assert answer.startswith(f"HTTP/1.1 {status} ".encode()), wrong
    assert len(await ingest.raw("form")) == 1
    chat = ingest.door("chat").removeprefix(ingest.url) + "/socket"
    async with connected(ingest, 1, upgrade_of(host + chat)) as [(reader, _)]:
        async with asyncio.timeout(10):
            assert b"HTTP/1.1 101" in await reader.readuntil(b"\r\n\r\n")


async def test_a_broken_body_harms_nobody_else(ingest: RunningIngest) -> None:
    """A chunk that is none ends its own connection; the next request is served."""
    path = ingest.door("form").removeprefix(ingest.url)
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    broken = await asyncio.gather(
        *(answered(ingest, head.encode() + rest) for rest in (b"zz\r\n", b"5\r\nabcdefgh\r\n"))
    )
    assert all(each.startswith(b"HTTP/1.1 400") for each in broken)
    assert (await ingest.http.get(f"{ingest.url}/readyz")).status_code == 200


CHUNKED = "Transfer-Encoding: chunked"
CHUNKS = f"{len(FORM):x}\r\n{FORM.decode()}\r\n0\r\n".encode()


@pytest.mark.parametrize(
    ("version", "fields"),
    [
        ("1.1", ["Transfer-Encoding: gzip"]),
        ("1.1", ["Transfer-Encoding: gzip, chunked"]),
        ("1.1", ["Transfer-Encoding: identity", CHUNKED]),
        ("1.1", [CHUNKED, CHUNKED]),
        ("1.0", [CHUNKED]),
    ],
)
async def test_a_body_is_in_chunks_or_has_a_length(
    ingest: RunningIngest, version: str, fields: list[str]
) -> None:
    """Another coding would be stored undecoded, and a proxy may read its end, or that of 1.0, elsewhere."""
    path = ingest.door("form").removeprefix(ingest.url)
    request = request_to(path, *fields).removesuffix(FORM) + CHUNKS + b"\r\n"
    answer = await answered(ingest, request.replace(b"HTTP/1.1", f"HTTP/{version}".encode(), 1))
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"door.request_unreadable" in answer
    assert await ingest.raw("form") == []


async def test_a_client_of_1_0_is_told_nothing_before_its_answer(ingest: RunningIngest) -> None:
    """RFC 9110, section 10.1.1: it would take "100 Continue" for the answer."""
    path = ingest.door("form").removeprefix(ingest.url)
    request = request_to(path, f"Content-Length: {len(FORM)}", "Expect: 100-continue")
    assert (await answered(ingest, request)).startswith(b"HTTP/1.1 100")
    old = await answered(ingest, request.replace(b"HTTP/1.1", b"HTTP/1.0", 1))
    assert old.startswith(b"HTTP/1.1 204")


async def test_fields_behind_a_body_are_none(ingest: RunningIngest) -> None:
    """What came when the body was whole cannot sign it, and is not stored."""
    path = ingest.door("form").removeprefix(ingest.url)
    request = request_to(path, CHUNKED).removesuffix(FORM) + CHUNKS
    assert (await answered(ingest, request + b"X-Late: yes\r\n\r\n")).startswith(b"HTTP/1.1 204")
    (stored,) = await ingest.raw("form")
    assert "x-late" not in stored.headers["Tellonce-Headers"]
    signs = b"webhook-signature"
    (late,) = [each for each in request.split(b"\r\n") if each.startswith(signs)]
    unsigned = request.replace(late + b"\r\n", b"") + late + b"\r\n\r\n"
    assert (await answered(ingest, unsigned)).startswith(b"HTTP/1.1 403")


async def test_fields_behind_a_body_are_bounded(ingest: RunningIngest) -> None:
    """One that never ends is refused, not kept until its time is over."""
    path = ingest.door("form").removeprefix(ingest.url)
    request = request_to(path, CHUNKED).removesuffix(FORM) + CHUNKS
    answer = await answered(ingest, request + b"X-Late: " + b"x" * 1_000_000)
    assert answer.startswith(b"HTTP/1.1 431")
    assert await ingest.raw("form") == []


async def test_blanks_around_a_field_are_none_of_it(ingest: RunningIngest) -> None:
    """RFC 9112, section 5.1; a signature with one behind it is still right."""
    path = ingest.door("form").removeprefix(ingest.url)
    request = request_to(path, f"Content-Length: {len(FORM)}")
    (signature,) = [each for each in request.split(b"\r\n") if each.startswith(b"webhook-sig")]
    spaced = signature.replace(b": ", b": \t ") + b" \t"
    assert (await answered(ingest, request.replace(signature, spaced))).startswith(b"HTTP/1.1 204")


async def test_an_offer_of_another_protocol_is_not_taken(ingest: RunningIngest) -> None:
    """RFC 9110, section 7.8: clients of Java offer HTTP/2 with their first request; its body is read."""
    path = ingest.door("form").removeprefix(ingest.url)
    last = request_to(path, f"Content-Length: {len(FORM)}")
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n"
    first = last.replace(b"Connection: close\r\n", offer)
    for sent in (first + last, first[:-9]):
        async with connected(ingest, 1, sent) as [(reader, writer)]:
            if sent != first + last:
                assert (await ingest.http.get(f"{ingest.url}/healthz")).status_code == 200
                writer.write(first[-9:] + last)
            answer = await read_all(reader)
        assert answer.count(b"HTTP/1.1 204") == answer.count(b"HTTP/1.1") == 2
    assert {each.body for each in await ingest.raw("form")} == {FORM}


async def test_what_came_whole_is_answered_before_what_is_no_request(ingest: RunningIngest) -> None:
    """A delivery that is being stored is not told that it was unreadable."""
    path = ingest.door("form").removeprefix(ingest.url)
    request = request_to(path, f"Content-Length: {len(FORM)}")
    kept = request.replace(b"Connection: close\r\n", b"")
    for number, behind in enumerate((b"nonsense\r\n\r\n", upgrade_of("/nowhere")), 1):
        answer = await answered(ingest, kept + behind)
        assert answer.startswith(b"HTTP/1.1 204")
        assert answer.count(b"HTTP/1.1") == 1
        assert len(await ingest.raw("form")) == number


async def test_requests_beyond_the_bound_wait_behind_no_other(ingest: RunningIngest) -> None:
    """Thousands fit into one read of a connection; what they would take is bounded, and the first are answered."""
    many = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 1_000
    answer = await answered(ingest, many)
    assert 1 <= answer.count(b"HTTP/1.1 200") <= server.PIPELINED_MAX + 1
    assert answer.count(b"HTTP/1.1") == answer.count(b"HTTP/1.1 200")


async def test_who_has_said_all_is_answered(ingest: RunningIngest) -> None:
    """Some clients close their side behind the request; without an answer they would send it again."""
    path = ingest.door("form").removeprefix(ingest.url)
    last = request_to(path, f"Content-Length: {len(FORM)}")
    kept = last.replace(b"Connection: close\r\n", b"")
    for sent, answers in ((kept, 1), (kept + last, 2), (kept + kept, 2), (kept[:-1], 0), (b"", 0)):
        async with connected(ingest, 1, sent) as [(reader, writer)]:
            writer.write_eof()
            assert (await read_all(reader)).count(b"HTTP/1.1 204") == answers
    assert len(await ingest.raw("form")) == 5
