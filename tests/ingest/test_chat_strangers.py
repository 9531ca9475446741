"""Visitors whom nobody vouches for: how many are let in, at which pace, and who makes room."""

from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect

from deploy.embedded.ports import free_ports
from services.ingest.channels import chat
from tests.ingest.chat_visitor import ANNA, address, heard, hello, say
from tests.ingest.running_ingest import SECRET, RunningIngest, running
from tests.support.servers import EmbeddedNats


async def write(ingest: RunningIngest, session: str, text: str = "hello", **hello: Any) -> Any:
    """Say hello on a new socket, write one message, and return what is heard."""
    async with connect(address(ingest)) as socket:
        await say(socket, type="hello", session=session, **hello)
        await say(socket, type="message", id=f"m-{text}", text=text)
        return await heard(socket)


async def test_strangers_open_matters_at_a_rate_only(
    ingest_nats: EmbeddedNats, tmp_path: Path
) -> None:
    """Beyond it they are told so and nothing is stored; who is vouched for or already talks goes on."""
    port = free_ports(1)[0]
    rules = "strangers: {address_per_minute: 3, account_per_minute: 60}"
    async with running(ingest_nats.url, tmp_path, port=port, rules=rules) as ingest:
        heard_first = [await write(ingest, f"s-{number}") for number in range(6)]
        assert [said["type"] for said in heard_first] == ["ack"] * 3 + ["error"] * 3
        refused = heard_first[-1]
        assert (refused["code"], refused["retryable"]) == ("door.strangers_too_many", True)
        assert refused["id"] == "m-hello"
        assert len(await ingest.raw("chat")) == 3
        assert (await write(ingest, "s-0", "again"))["type"] == "ack"
        vouched = {"email": ANNA, "signature": chat.sign_email(ANNA, SECRET)}
        assert (await write(ingest, "s-anna", **vouched))["type"] == "ack"
        assert (await write(ingest, "s-anna", "later"))["type"] == "ack"
        body = b'{"session":"s-server","id":"m-1","text":"hello"}'
        assert (await ingest.send("chat", body, webhook_id="w1")).status_code == 204


async def test_addresses_have_their_own_rates_and_the_account_has_one(
    ingest_nats: EmbeddedNats, tmp_path: Path
) -> None:
    """A crowd behind one address does not use up another's rate; all addresses together have a limit too."""
    port = free_ports(1)[0]
    rules = "strangers: {address_per_minute: 2, account_per_minute: 3}"
    async with running(
        ingest_nats.url, tmp_path, port=port, rules=rules, trusted_proxies="127.0.0.1"
    ) as ingest:

        async def write_from(peer: str, session: str) -> str:
            headers = {"X-Forwarded-For": peer}
            async with connect(address(ingest), additional_headers=headers) as socket:
                await say(socket, type="hello", session=session)
                await say(socket, type="message", id="m-1", text="hello")
                return str((await heard(socket)).get("code", "ack"))

        too_many = "door.strangers_too_many"
        assert [await write_from("192.0.2.1", f"a-{n}") for n in range(3)] == ["ack"] * 2 + [
            too_many
        ]
        assert [await write_from("192.0.2.2", f"b-{n}") for n in range(2)] == ["ack", too_many]


async def test_a_session_goes_on_after_a_restart(ingest_nats: EmbeddedNats, tmp_path: Path) -> None:
    """RAW says who was let in: the sessions of before use up nobody's rate."""
    rules = "strangers: {address_per_minute: 2, account_per_minute: 60}"
    settings = {"rules": rules, "name": "-restarted"}
    first = running(ingest_nats.url, tmp_path, port=free_ports(1)[0], **settings)
    async with first as ingest:
        assert [(await write(ingest, f"s-{n}"))["type"] for n in range(2)] == ["ack"] * 2
    again = running(ingest_nats.url, tmp_path, port=free_ports(1)[0], **settings)
    async with again as ingest:
        said = [(await write(ingest, f"s-{n}", "again"))["type"] for n in (0, 1, 0, 1, 7, 8, 9)]
        assert said == ["ack"] * 6 + ["error"]


async def test_a_session_has_one_pace_whatever_its_sockets(
    ingest_nats: EmbeddedNats, tmp_path: Path
) -> None:
    """Opening socket after socket instead of waiting is refused in the end."""
    port = free_ports(1)[0]
    async with running(ingest_nats.url, tmp_path, port=port, chat_messages_per_minute=5) as ingest:
        said = [(await write(ingest, "s-1", f"{n}")).get("code", "ack") for n in range(20)]
        assert said[0] == "ack"
        assert said[-1] == "door.strangers_too_many"


async def test_silent_sockets_of_one_address_make_room(
    ingest_nats: EmbeddedNats, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of too many visitors who wrote nothing the longest silent is shown out; who has written stays."""
    monkeypatch.setattr("services.ingest.handlers.arrivals.SPARED_SECONDS", 0.0)
    port = free_ports(1)[0]
    async with (
        running(ingest_nats.url, tmp_path, port=port, peer_arrivals=2) as ingest,
        connect(address(ingest)) as talker,
    ):
        await hello(talker)
        await say(talker, type="message", id="m-1", text="x")
        assert (await heard(talker))["type"] == "ack"
        async with (
            connect(address(ingest)) as silent,
            connect(address(ingest)),
            connect(address(ingest)),
        ):
            assert (await heard(silent))["code"] == "door.strangers_too_many"
        await say(talker, type="message", id="m-2", text="x")
        assert (await heard(talker))["type"] == "ack"


async def test_who_wrote_before_may_wait_for_an_answer(
    ingest_nats: EmbeddedNats, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Her page came again and says nothing: it is not shown out for those who only came."""
    monkeypatch.setattr("services.ingest.handlers.arrivals.SPARED_SECONDS", 0.0)
    port = free_ports(1)[0]
    async with running(ingest_nats.url, tmp_path, port=port, peer_arrivals=1) as ingest:
        assert (await write(ingest, "s-1"))["type"] == "ack"
        async with connect(address(ingest)) as waiting:
            await hello(waiting)
            await say(waiting, type="read", id="none")
            assert (await heard(waiting))["code"] == "payload.unreadable"
            async with connect(address(ingest)) as silent, connect(address(ingest)):
                assert (await heard(silent))["code"] == "door.strangers_too_many"
            await say(waiting, type="message", id="m-2", text="still here")
            assert await heard(waiting) == {"type": "ack", "id": "m-2"}
