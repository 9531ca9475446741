"""An agent's answer reaches the page, over a real WebSocket and a real stream: each once, in order, to its own page."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect

from deploy.embedded.ports import free_ports
from services.ingest.handlers.answers import Answers
from shared import chat_answers, subjects
from shared.bus.deliveries import Message, StoredMessage
from shared.chat_answers import Answer
from shared.ids import scoped_id
from tests.ingest.chat_visitor import address, heard, say
from tests.ingest.running_ingest import RECEIVED, RunningIngest, parsed, raw, running, wire
from tests.support.own_ids import CONVERSATION, WRITTEN
from tests.support.servers import EmbeddedNats

SESSION = "a-session-of-many-letters"
OTHER = "another-session-of-letters"


def subject_of(ingest: RunningIngest, session: str = SESSION) -> str:
    page = chat_answers.page_of(ingest.tenant, ingest.account, session)
    assert page is not None
    return subjects.answer(ingest.tenant, page)


def named(text: str) -> str:
    """Return the id of the message of this text."""
    return scoped_id(text)


async def answers(ingest: RunningIngest, *texts: str, session: str = SESSION) -> list[str]:
    """Notify stores answers; returns the ids that the page is told."""
    ids = []
    for text in texts:
        answer = Answer(
            reference=f"{named(text)}.{CONVERSATION}", text=text, at=RECEIVED, by="Piotr"
        )
        stored = await ingest.bus.store(
            subject_of(ingest, session),
            msgspec.json.encode(answer),
            msg_id=f"{ingest.tenant}-{text}",
        )
        ids.append(f"{stored.sequence}.{named(text)}.{CONVERSATION}")
    return ids


@contextlib.asynccontextmanager
async def page(ingest: RunningIngest, **more: Any) -> AsyncIterator[ClientConnection]:
    async with connect(address(ingest)) as socket:
        await say(socket, **{"type": "hello", "session": SESSION, **more})
        yield socket


async def silent(socket: ClientConnection) -> bool:
    """Tell whether nothing more is said for a while."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.5):
            await socket.recv()
            return False
    return True


async def test_an_answer_reaches_the_page_at_once(ingest: RunningIngest) -> None:
    """Text, who wrote it and when, under an id by which the page can name it."""
    async with page(ingest) as socket:
        assert await silent(socket)
        (name,) = await answers(ingest, "m-1")
        assert await heard(socket) == {
            "type": "answer",
            "id": name,
            "text": "m-1",
            "by": "Piotr",
            "at": "2026-11-22T09:30:00.250000Z",
        }


async def test_after_a_reconnect_the_page_gets_what_it_lacks(ingest: RunningIngest) -> None:
    """From behind the answer that it has; without one all that is kept; a second tab gets the same."""
    first, second, third = await answers(ingest, "m-1", "m-2", "m-3")
    async with page(ingest, after=first) as socket, page(ingest) as tab:
        assert [(await heard(socket))["id"] for _ in range(2)] == [second, third]
        assert [(await heard(tab))["id"] for _ in range(3)] == [first, second, third]
        (fourth,) = await answers(ingest, "m-4")
        assert (await heard(socket))["id"] == (await heard(tab))["id"] == fourth
        assert await silent(socket)


@pytest.mark.parametrize("after", [f"999999.{WRITTEN}", f"1.{WRITTEN}", "m-1", "", "0.m.c"])
async def test_what_a_page_does_not_have_from_here_is_brought_from_the_start(
    ingest: RunningIngest, after: str
) -> None:
    """Of a stream that is no more, too old, or garbage: nothing is left out."""
    (first,) = await answers(ingest, "m-1")
    async with page(ingest, after=after) as socket:
        assert (await heard(socket))["id"] == first


async def test_nobody_reads_the_answers_of_another_session(ingest: RunningIngest) -> None:
    """Nor those of a session that could be guessed; nor can what is read there be named as one's own."""
    (foreign,) = await answers(ingest, "m-1", session=OTHER)
    async with page(ingest, after=foreign) as socket, page(ingest, session="s-1") as short:
        assert await silent(socket)
        for kind in ("read", "received"):
            await say(socket, type=kind, id=foreign)
            told = await heard(socket)
            assert (told["code"], told["retryable"]) == ("payload.unreadable", False)
        await say(short, type="read", id=foreign)
        assert (await heard(short))["code"] == "payload.unreadable"
    assert await ingest.raw("chat") == []


async def test_what_the_page_has_of_an_answer_is_stored_and_told(ingest: RunningIngest) -> None:
    """Delivered, then read, each about our own message of its conversation; a second tab says the same again."""
    (name,) = await answers(ingest, "m-1")
    async with page(ingest) as socket:
        assert (await heard(socket))["id"] == name
        for kind in ("received", "read", "read"):
            await say(socket, type=kind, id=name)
            assert await heard(socket) == {"type": "ack", "id": name}
    stored = [msgspec.json.decode(each.body) for each in await ingest.raw("chat")]
    assert stored[0] == {"session": SESSION, "type": "received", "id": name}
    await ingest.normalised("chat")
    told = await ingest.contacts("chat", 2)
    assert [(each["type"], each["conversation"]) for each in told] == [
        ("message.delivered", CONVERSATION),
        ("message.read", CONVERSATION),
    ]
    assert {each["data"]["open"]["message_id"] for each in told} == {named("m-1")}


async def test_typing_is_told_both_ways_and_kept_nowhere(ingest: RunningIngest) -> None:
    """An agent's desk listens on the page's subject, and says there that she is typing."""
    page_name = chat_answers.page_of(ingest.tenant, ingest.account, SESSION) or ""
    came: asyncio.Queue[Message] = asyncio.Queue()
    listening = await ingest.bus.subscribe(f"typing.{ingest.tenant}.*.visitor", came.put)
    await ingest.bus.flush()
    async with page(ingest) as socket:
        await say(socket, type="typing")
        async with asyncio.timeout(5):
            assert (await came.get()).subject == subjects.typing(
                ingest.tenant, page_name, "visitor"
            )
        await ingest.bus.publish(subjects.typing(ingest.tenant, page_name, "agent"))
        assert await heard(socket) == {"type": "typing"}
        for _ in range(50):
            await ingest.bus.publish(subjects.typing(ingest.tenant, page_name, "agent"))
        await answers(ingest, "m-1")
        told = [await heard(socket)]
        while told[-1]["type"] == "typing":
            told.append(await heard(socket))
        assert len(told) < 25  # once a second, however often it is said
    await listening.stop()
    assert await ingest.raw("chat") == []


async def test_what_another_hand_wrote_there_is_passed_over(ingest: RunningIngest) -> None:
    """It stops no answer behind it."""
    for n, body in enumerate((b"no json", b"[]", b'{"reference":"no reference","text":"x"}')):
        await ingest.bus.store(subject_of(ingest), body, msg_id=f"{ingest.tenant}-strange-{n}")
    (name,) = await answers(ingest, "m-1")
    async with page(ingest) as socket:
        assert (await heard(socket))["id"] == name


async def test_an_answer_that_was_stored_while_nats_was_away_reaches_the_page(
    tmp_path: Path,
) -> None:
    """The server says it to nobody: all look again once they are connected anew."""
    async with EmbeddedNats(tmp_path / "nats") as server:
        port = free_ports(1)[0]
        async with running(server.url, tmp_path, port=port) as ingest, page(ingest) as socket:
            assert await silent(socket)
            await server.kill()
            await server.restart()
            await ingest.bus.until_connected(10)
            (name,) = await answers(ingest, "m-1")
            assert (await heard(socket))["id"] == name


async def _until_still(read: list[int]) -> int:
    """Return how often the stream was read when nothing more happens."""
    before = -1
    while before != len(read):
        before = len(read)
        await asyncio.sleep(1)
    return before


async def test_a_page_that_does_not_read_is_not_written_to(
    ingest: RunningIngest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind what the network holds, one answer waits in this process; the stream keeps the others."""
    read: list[int] = []
    look = Answers.following

    async def noted(self: Answers, subject: str, sequence: int) -> StoredMessage | None:
        read.append(sequence)
        return await look(self, subject, sequence)

    monkeypatch.setattr(Answers, "following", noted)
    for n in range(60):
        answer = Answer(
            reference=f"{named(str(n))}.{CONVERSATION}", text="x" * 200_000, at=RECEIVED
        )
        await ingest.bus.store(
            subject_of(ingest), msgspec.json.encode(answer), msg_id=f"{ingest.tenant}-{n}"
        )
    async with connect(address(ingest), max_queue=1, max_size=1_000_000) as socket:
        await say(socket, type="hello", session=SESSION)
        assert await _until_still(read) < 60
        for n in range(60):
            assert (await heard(socket))["id"].partition(".")[
                2
            ] == f"{named(str(n))}.{CONVERSATION}"


def test_a_receipt_that_names_nothing_is_unreadable() -> None:
    """As the shop's own server may post one."""
    for body in (b'{"type":"read"}', b'{"type":"read","id":5}', b'{"type":"read","id":"a.b"}'):
        with pytest.raises(AssertionError):
            parsed(raw("chat", body))


def test_who_writes_on_a_secret_session_can_be_answered_there() -> None:
    """The handle claims nobody: who sits at the page is not known by it; a short session has none."""
    body = {"session": SESSION, "id": "m-1", "text": "hello"}
    (event,) = parsed(raw("chat", msgspec.json.encode(body)))
    assert wire(event)["data"]["personal"]["handles"][1] == {
        "kind": "account",
        "value": f"chat:{chat_answers.page_of('demo', 'main', SESSION)}",
        "verified": False,
        "proof": "claimed",
    }
    (event,) = parsed(raw("chat", msgspec.json.encode({**body, "session": "s-1"})))
    assert len(event.personal.handles) == 1
