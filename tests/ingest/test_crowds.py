"""Slow senders and many of them, over real connections: good deliveries come through."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from pathlib import Path

import httpx
import pytest
from starlette.requests import HTTPConnection
from structlog.testing import capture_logs

from deploy.embedded.ports import free_ports
from services.ingest.domain.peers import peer_of
from services.ingest.handlers import callers, logged
from shared.settings import Settings, proxies
from tests.ingest.running_ingest import RunningIngest, running
from tests.ingest.test_doors import FORM, JSON, refused
from tests.support.frozen import frozen
from tests.support.servers import EmbeddedNats

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def read_all(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(10):
        return await reader.read()


def head_of(ingest: RunningIngest, length: int, *fields: str) -> bytes:
    """The head of a delivery to the form's door."""
    path = ingest.door("form").removeprefix(ingest.url)
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {length}", *fields, "", ""]
    return "\r\n".join(lines).encode()


@contextlib.asynccontextmanager
async def connected(
    ingest: RunningIngest, count: int, sent: bytes
) -> AsyncIterator[list[Connection]]:
    """So many connections, one after the other, each of which has sent the same and waits."""
    made: list[Connection] = []
    try:
        for _ in range(count):
            made.append(await asyncio.open_connection("127.0.0.1", ingest.settings.ingest_port))
            made[-1][1].write(sent)
            await made[-1][1].drain()
        yield made
    finally:
        for _, writer in made:
            writer.close()


async def statuses_of_good(ingest: RunningIngest, count: int) -> set[int]:
    """The statuses of signed deliveries, one after another."""
    return {
        (await ingest.send("form", FORM, webhook_id=f"w{number}", **JSON)).status_code
        for number in range(count)
    }


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        (b"", b""),
        (b"POST /in/a/b/c HTTP/1.1\r\nHost: x\r\nX-Slow: ", b""),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /hea", b"HTTP/1.1 200"),
    ],
)
async def test_a_head_that_does_not_come_is_not_waited_for(
    ingest_nats: EmbeddedNats, tmp_path: Path, sent: bytes, answered: bytes
) -> None:
    """A slow loris is shown out when the door's time is over, on a new and on a used connection."""
    port = free_ports(1)[0]
    async with running(ingest_nats.url, tmp_path, port=port, door_timeout_seconds=0.5):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        began = time.monotonic()
        assert (await read_all(reader)).startswith(answered)
        assert time.monotonic() - began < 5
        writer.close()


async def test_a_body_that_does_not_come_is_not_waited_for(
    ingest_nats: EmbeddedNats, tmp_path: Path
) -> None:
    """A body of which the rest never comes ends with 408 and its code when the door's time is over."""
    port = free_ports(1)[0]
    async with (
        running(ingest_nats.url, tmp_path, port=port, door_timeout_seconds=0.5) as ingest,
        connected(ingest, 1, head_of(ingest, 1_000) + b"ab") as [(reader, _)],
    ):
        answer = await read_all(reader)
        assert answer.startswith(b"HTTP/1.1 408")
        assert b"door.too_slow" in answer
        assert b"connection: close" in answer


async def test_a_body_below_the_least_rate_is_not_waited_for(
    ingest_nats: EmbeddedNats, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends long before the door's time: the answer is there although that would be a minute."""
    monkeypatch.setattr("services.ingest.handlers.bodies.GRACE_SECONDS", 0.2)
    port = free_ports(1)[0]
    async with (
        running(ingest_nats.url, tmp_path, port=port, door_timeout_seconds=60.0) as ingest,
        connected(ingest, 1, head_of(ingest, 1_000) + b"a" * 500) as [(reader, _)],
    ):
        assert (await read_all(reader)).startswith(b"HTTP/1.1 408")


async def test_a_slow_body_above_the_least_rate_is_taken(
    ingest_nats: EmbeddedNats, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every byte gives its sender more time; the delivery takes longer than what it may lie behind."""
    monkeypatch.setattr("services.ingest.handlers.bodies.GRACE_SECONDS", 0.5)
    port = free_ports(1)[0]

    async def pieces() -> AsyncIterator[bytes]:
        for byte in FORM[:12]:
            yield bytes([byte])
            await asyncio.sleep(0.06)  # the fault itself
        yield FORM[12:]

    async with running(ingest_nats.url, tmp_path, port=port, body_bytes_per_second=2) as ingest:
        began = time.monotonic()
        answer = await ingest.send_pieces("form", FORM, pieces())
        assert answer.status_code == 204
        assert time.monotonic() - began > 0.5


async def test_slow_senders_cost_good_deliveries_nothing(
    ingest_nats: EmbeddedNats, tmp_path: Path
) -> None:
    """Without a signature and a whole body nobody has a place at the store, be there one place or hundreds."""
    port = free_ports(1)[0]
    async with (
        running(
            ingest_nats.url, tmp_path, port=port, door_concurrency=1, door_timeout_seconds=60.0
        ) as ingest,
        connected(ingest, 40, head_of(ingest, 1_000) + b"ab"),
    ):
        assert await statuses_of_good(ingest, 20) == {204}


async def test_who_waits_longest_makes_room_and_only_that_one(
    ingest_nats: EmbeddedNats, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of more bodies than may be on their way the oldest is shown out; the others are still waited for."""
    monkeypatch.setattr("services.ingest.handlers.bodies.GRACE_SECONDS", 60.0)
    monkeypatch.setattr("services.ingest.handlers.arrivals.SPARED_SECONDS", 0.0)
    port = free_ports(1)[0]
    body = b"x" * 1_000
    for limit in ("door_arrivals", "peer_arrivals"):
        async with (
            running(
                ingest_nats.url, tmp_path, port=port, door_timeout_seconds=60.0, **{limit: 2}
            ) as ingest,
            connected(ingest, 3, head_of(ingest, len(body)) + b"x") as [oldest, *others],
        ):
            assert (await read_all(oldest[0])).startswith(b"HTTP/1.1 408")
            assert await statuses_of_good(ingest, 1) == {204}
            assert (await read_all(others[0][0])).startswith(b"HTTP/1.1 408")
            others[1][1].write(body[1:])
            assert (await read_all(others[1][0])).startswith(b"HTTP/1.1 403")


async def test_a_peer_pushes_out_its_own_only(
    ingest_nats: EmbeddedNats, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two callers behind a trusted proxy: the crowd of one does not cost the other his slow delivery."""
    monkeypatch.setattr("services.ingest.handlers.bodies.GRACE_SECONDS", 60.0)
    monkeypatch.setattr("services.ingest.handlers.arrivals.SPARED_SECONDS", 0.0)
    port = free_ports(1)[0]
    limits = {"peer_arrivals": 1, "trusted_proxies": "127.0.0.0/8", "door_timeout_seconds": 60.0}
    async with running(ingest_nats.url, tmp_path, port=port, **limits) as ingest:
        one = head_of(ingest, 10, "X-Forwarded-For: 192.0.2.1") + b"x"
        other = head_of(ingest, 10, "X-Forwarded-For: 192.0.2.2") + b"x"
        async with connected(ingest, 1, one) as [(reader, writer)], connected(ingest, 2, other):
            assert await statuses_of_good(ingest, 1) == {204}
            writer.write(b"x" * 9)
            assert (await read_all(reader)).startswith(b"HTTP/1.1 403")


async def test_who_came_a_moment_ago_is_spared(
    ingest_nats: EmbeddedNats, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many at once from one address, an office or a proxy, are no crowd of slow senders yet."""
    monkeypatch.setattr("services.ingest.handlers.arrivals.SPARED_SECONDS", 60.0)
    port = free_ports(1)[0]
    async with (
        running(ingest_nats.url, tmp_path, port=port, peer_arrivals=1) as ingest,
        connected(ingest, 5, head_of(ingest, 10) + b"x") as many,
    ):
        for _, writer in many:
            writer.write(b"x" * 9)
        answers = [await read_all(reader) for reader, _ in many]
    assert all(answer.startswith(b"HTTP/1.1 403") for answer in answers)


async def test_connections_without_a_head_make_room(
    ingest_nats: EmbeddedNats, tmp_path: Path
) -> None:
    """Who only connects takes no place from who has something to say."""
    port = free_ports(1)[0]
    limits = {"socket_sessions_max": 1, "door_concurrency": 1, "door_arrivals": 1}
    async with (
        running(
            ingest_nats.url, tmp_path, port=port, door_timeout_seconds=60.0, **limits
        ) as ingest,
        connected(ingest, 100, b""),
        httpx.AsyncClient(timeout=10) as http,
    ):
        assert (await http.get(f"{ingest.url}/readyz")).status_code == 200


async def test_too_many_at_the_store_are_refused_and_one_account_never_takes_all_places(
    tmp_path: Path,
) -> None:
    """Beyond the limit a signed delivery is told to come again; another account's still finds a place."""
    port = free_ports(1)[0]
    limits = {"door_concurrency": 2, "account_concurrency": 1, "door_timeout_seconds": 20.0}
    async with (
        EmbeddedNats(tmp_path / "nats") as server,
        running(server.url, tmp_path, port=port, **limits) as ingest,
    ):
        with frozen(server.pid):
            of_one = await one_refused(
                ingest.send("form", FORM, webhook_id="w1", **JSON),
                ingest.send("form", FORM, webhook_id="w2", **JSON),
            )
            of_two = await one_refused(
                ingest.send("email", b"From: a@b.example\r\n\r\nx", webhook_id="w3"),
                ingest.send("chat", b"{}", webhook_id="w4"),
            )
        assert (await of_one).status_code == 204
        assert (await of_two).status_code == 204


async def one_refused(
    *sent: Coroutine[None, None, httpx.Response],
) -> asyncio.Task[httpx.Response]:
    """Send two deliveries of which one finds no place; return the other, which waits for the store."""
    done, waiting = await asyncio.wait(
        [asyncio.create_task(each) for each in sent],
        timeout=10,
        return_when=asyncio.FIRST_COMPLETED,
    )
    assert [refused(each.result(), 503, "door.unavailable") for each in done] == [True]
    return waiting.pop()


# -- who calls ------------------------------------------------------------------------------------------------


def test_a_proxy_that_nobody_named_is_told_of_once() -> None:
    """All its callers are one address then: whoever runs the service hears of it, and not with every request."""
    scope = {
        "type": "http",
        "client": ("127.0.0.1", 4711),
        "headers": [(b"x-forwarded-for", b"203.0.113.9")],
    }
    for proxies_named, told in (("", 1), ("127.0.0.1", 0)):
        with capture_logs() as logs:
            known = callers.Callers(Settings(trusted_proxies=proxies_named))
            peers = {known.peer_of(HTTPConnection(scope)) for _ in range(3)}
        assert [each["event"] for each in logs] == [logged.PROXY_NOT_TRUSTED] * told
        assert peers == {"203.0.113.9" if proxies_named else "127.0.0.1"}


@pytest.mark.parametrize(
    ("connected_from", "forwarded", "peer"),
    [
        ("192.0.2.7", [], "192.0.2.7"),
        ("192.0.2.7", ["203.0.113.9"], "192.0.2.7"),
        ("10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["198.51.100.1", "203.0.113.9", "10.0.0.2"], "203.0.113.9"),
        ("10.0.0.1", ["203.0.113.9:4711"], "203.0.113.9"),
        ("10.0.0.1", ["[2001:db8::1]:4711"], "2001:db8::/64"),
        ("10.0.0.1", ["nonsense"], "10.0.0.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("::ffff:10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("2001:db8::1", [], "2001:db8::/64"),
        ("2001:db8:0:0:ffff::2", [], "2001:db8::/64"),
        (None, ["203.0.113.9"], ""),
    ],
)
def test_a_caller_is_whom_the_nearest_trusted_proxy_names(
    connected_from: str | None, forwarded: Sequence[str], peer: str
) -> None:
    """What a caller writes into the field itself stands before that and counts for nothing; IPv6 counts by /64."""
    trusted = proxies(Settings(trusted_proxies="10.0.0.0/8 ::1"))
    assert peer_of(connected_from, forwarded, trusted) == peer
