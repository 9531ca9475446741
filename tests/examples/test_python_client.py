"""The client that other services copy: what it does when the bus fails it."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from examples.python import tellonce_client
from examples.python.tellonce_client import Checkpoint, Entry, NotReached, Refused, Tellonce
from shared import errors, subjects
from shared.bus import Bus, connect
from shared.bus.deliveries import Message
from shared.ensuring import ensure
from shared.ledger.follow import follow
from shared.settings import Settings
from shared.streams import LEDGER, wanted_by
from tests.support.servers import EmbeddedNats
from tests.support.waiting import eventually

TENANT, NAME = "demo", "shop"
DONE = b'{"ok":true,"events":[{"type":"announcement.made"}],"position":7}'
BUSY = b'{"error":{"code":"ledger.unavailable","message":"later","retryable":true,"details":{}}}'
STALE = b'{"error":{"code":"command.stale","message":"no","retryable":false,"details":{"at":7}}}'


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedNats]:
    """A server of the test's own: it is killed."""
    async with EmbeddedNats(tmp_path) as started:
        yield started


@pytest_asyncio.fixture
async def ledger(server: EmbeddedNats) -> AsyncIterator[Bus]:
    """A connection to a server that has the streams."""
    bus = await connect(server.url, "ledger")
    await ensure(bus, wanted_by("history", Settings()))
    yield bus
    await bus.close()


@pytest_asyncio.fixture
async def shop(server: EmbeddedNats, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Tellonce]:
    """The client, which does not wait long for an answer or an entry."""
    monkeypatch.setattr(tellonce_client, "REPLY_SECONDS", 0.3)
    monkeypatch.setattr(tellonce_client, "LOOK_SECONDS", 0.5)
    client = await tellonce_client.connect(
        server.url, tenant=TENANT, name=NAME, reconnect_time_wait=0.1
    )
    async with client:
        yield client


class Service:
    """Answers every request on a subject with the next reply; `None` is silence. `asked`: the bodies it got."""

    def __init__(self, *replies: bytes | None) -> None:
        self.replies = list(replies)
        self.asked: list[dict[str, Any]] = []

    async def answer(self, message: Message) -> None:
        self.asked.append(json.loads(message.body))
        reply = self.replies.pop(0)
        if reply is not None:
            await message.respond(reply)


async def test_a_command_goes_again_with_the_same_body_until_it_is_answered(
    ledger: Bus, shop: Tellonce
) -> None:
    """Silence and a retryable refusal are answered by the same bytes: one id, one effect."""
    service = Service(None, BUSY, DONE)
    await ledger.subscribe("cmd.demo.announce.as.shop", service.answer)
    done = await shop.command("announce", {"kind": "outage", "text": "no cards"})
    assert (done.position, done.events) == (7, [{"type": "announcement.made"}])
    first, *others = service.asked
    assert others == [first, first]
    assert first["actor"] == "integration:shop"


async def test_a_command_waits_for_a_service_that_is_not_there_yet(
    ledger: Bus, shop: Tellonce
) -> None:
    """Nobody there is no answer: whoever starts meanwhile carries it out."""
    sent = asyncio.create_task(shop.command("announce", {}))
    await eventually(lambda: _tried(shop))
    service = Service(DONE)
    await ledger.subscribe("cmd.demo.announce.as.shop", service.answer)
    assert (await sent).position == 7


async def _tried(shop: Tellonce) -> bool:
    return shop.connection.stats["out_msgs"] > 0


async def test_a_refusal_is_an_error_with_its_code(ledger: Bus, shop: Tellonce) -> None:
    """What will never be carried out is not sent again; one that may is told as such when time is over."""
    service = Service(STALE, *[BUSY] * 50)
    await ledger.subscribe("cmd.demo.announce.as.shop", service.answer)
    with pytest.raises(Refused, match=r"command\.stale") as refused:
        await shop.command("announce", {})
    assert (refused.value.retryable, refused.value.details) == (False, {"at": 7})
    assert len(service.asked) == 1
    shop.within_seconds = 0.5
    with pytest.raises(Refused) as refused:
        await shop.command("announce", {})
    assert (refused.value.code, refused.value.retryable) == ("ledger.unavailable", True)


async def test_nobody_answers_and_the_caller_can_go_on(ledger: Bus, shop: Tellonce) -> None:
    """The body comes back with the error: whoever keeps it may ask again whether it was carried out."""
    shop.within_seconds = 0.2
    with pytest.raises(NotReached) as failed:
        await shop.command("announce", {"kind": "outage"})
    service = Service(DONE)
    await ledger.subscribe("cmd.demo.announce.as.shop", service.answer)
    await shop.command("announce", failed.value.body)
    assert service.asked == [failed.value.body]


async def test_a_query_names_the_position_that_it_must_hold(ledger: Bus, shop: Tellonce) -> None:
    """And goes again like a command, for it changes nothing."""
    service = Service(BUSY, b'{"position":9,"announcements":[]}')
    await ledger.subscribe("query.demo.announcements.as.shop", service.answer)
    answer = await shop.query("announcements", {"min_seq": 7})
    assert answer == {"position": 9, "announcements": []}
    assert service.asked == [{"min_seq": 7}] * 2


class History:
    """Answers `entries` from the stream, as history does, a hundred at a time."""

    def __init__(self, ledger: Bus) -> None:
        self.ledger = ledger
        self.position = 0
        self.asked_after = 0
        self.entries: list[dict[str, Any]] = []

    async def project(self) -> None:
        """Read the stream for ever."""
        async for batch in follow(self.ledger, LEDGER, 0):
            for each in batch:
                if subjects.tenant_in(each.subject) == TENANT:
                    event = json.loads(each.body)
                    self.entries.append({"sequence": each.sequence, "event": event})
            self.position = batch[-1].sequence

    async def answer(self, message: Message) -> None:
        asked = json.loads(message.body)
        self.asked_after = asked["after"]
        if asked["min_seq"] > self.position:
            await message.respond(BUSY)
            return
        ahead = [each for each in self.entries if each["sequence"] > asked["after"]]
        page = ahead[:100]
        more = page[-1]["sequence"] if len(page) < len(ahead) else None
        reply = {"position": self.position, "entries": page, "next": more}
        await message.respond(json.dumps(reply).encode())


@pytest_asyncio.fixture
async def history(ledger: Bus) -> AsyncIterator[History]:
    """Whoever answers what the ledger holds."""
    history = History(ledger)
    await ledger.subscribe("query.demo.entries.as.shop", history.answer)
    projecting = asyncio.create_task(history.project())
    yield history
    projecting.cancel()


async def append(ledger: Bus, first: int, last: int, tenant: str = TENANT) -> None:
    """Store events numbered from `first` to `last`."""
    for number in range(first, last + 1):
        subject = subjects.ledger(tenant, f"conv-{number}")
        body = json.dumps({"number": number}).encode()
        await ledger.store(subject, body, msg_id=f"{tenant}-{number}")


async def numbers(entries: AsyncIterator[Entry], until: int) -> list[int]:
    """Read entries up to the number `until` and return all numbers."""
    found: list[int] = []
    async with asyncio.timeout(30):
        while not found or found[-1] < until:
            event = (await anext(entries)).event
            assert event is not None
            found.append(event["number"])
    return found


async def test_the_ledger_is_followed_from_a_checkpoint_across_a_killed_server(
    server: EmbeddedNats, ledger: Bus, history: History, shop: Tellonce, tmp_path: Path
) -> None:
    """Each of the tenant's events once and in order, whatever became of the server between; nobody else's."""
    await append(ledger, 1, 250)
    await append(ledger, 1, 3, tenant="other")
    entries = shop.follow(after=0)
    assert await numbers(entries, 220) == list(range(1, 221))
    await server.kill()
    await server.start()
    await append(ledger, 251, 260)
    assert await numbers(entries, 260) == list(range(221, 261))
    await server.kill()
    await server.start()
    await append(ledger, 261, 262)
    assert await numbers(entries, 262) == [261, 262]
    await entries.aclose()
    mark = Checkpoint(tmp_path / "mark")
    mark.advance(250)
    entries = shop.follow(Checkpoint(tmp_path / "mark").sequence)
    assert await numbers(entries, 262) == list(range(251, 263))
    await entries.aclose()


async def test_a_follower_is_told_of_news_and_does_not_wait_to_look(
    ledger: Bus, history: History, shop: Tellonce, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server says that an event was stored, and the follower asks history to be that far."""
    monkeypatch.setattr(tellonce_client, "LOOK_SECONDS", 3_600.0)
    await append(ledger, 1, 1)
    entries = shop.follow(after=0)
    assert await numbers(entries, 1) == [1]
    await append(ledger, 2, 3)
    assert await numbers(entries, 3) == [2, 3]
    await entries.aclose()


async def test_a_follower_that_hears_nothing_looks_by_itself(
    ledger: Bus, history: History, shop: Tellonce, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is republished may be lost, or not be this service's to hear."""
    monkeypatch.setattr(tellonce_client, "SEQUENCE", "Nobody-Says-So")
    entries = shop.follow(after=0)
    await append(ledger, 1, 2)
    assert await numbers(entries, 2) == [1, 2]
    await entries.aclose()


async def test_a_follower_leaves_behind_what_others_did(
    ledger: Bus, history: History, shop: Tellonce
) -> None:
    """Else history would look through all of it again, each time that it is asked."""
    await append(ledger, 1, 1)
    entries = shop.follow(after=0)
    assert await numbers(entries, 1) == [1]
    await append(ledger, 1, 50, tenant="other")
    following = asyncio.create_task(numbers(entries, 2))

    async def is_past_the_others() -> bool:
        return history.asked_after == 51

    await eventually(is_past_the_others)
    await append(ledger, 2, 2)
    assert await following == [2]
    await entries.aclose()


async def test_a_ledger_that_does_not_hold_the_checkpoint_is_another_one(
    ledger: Bus, shop: Tellonce
) -> None:
    """It was put back from a copy: whoever went on would miss what comes under the same numbers."""
    beyond = errors.PositionBeyondEnd(position=2, wanted=7).problem()
    service = Service(json.dumps({"error": beyond}).encode())
    await ledger.subscribe("query.demo.entries.as.shop", service.answer)
    with pytest.raises(Refused) as refused:
        await anext(shop.follow(after=7))
    assert refused.value.code == errors.PositionBeyondEnd.code
    assert service.asked == [{"after": 7, "min_seq": 7}]


async def test_a_checkpoint_that_was_never_written_is_the_beginning(tmp_path: Path) -> None:
    """And the next one reads what this one wrote."""
    mark = Checkpoint(tmp_path / "mark")
    assert mark.sequence == 0
    mark.advance(41)
    assert Checkpoint(tmp_path / "mark").sequence == mark.sequence == 41
