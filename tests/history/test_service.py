"""The service in its own process, on real servers, asked over the bus; and what it does when they go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
import pytest_asyncio

from deploy.embedded.errors import ProgramExited
from deploy.embedded.probes import service_answers
from shared import subjects
from shared.queries import QUERIES
from tests.history.book import TENANT
from tests.history.house import House
from tests.history.parcel import CONVERSATION, CUSTOMER
from tests.support.frozen import frozen
from tests.support.waiting import eventually


@pytest_asyncio.fixture
async def house(tmp_path: Path, postgres_template: Path) -> AsyncIterator[House]:
    """Servers and streams; the service is not started yet."""
    house = House(tmp_path, postgres_template)
    await house.open()
    yield house
    await house.close()


ASKED_ABOUT: dict[str, dict[str, Any]] = {
    "timeline": {"customer": CUSTOMER},
    "conversation": {"conversation": CONVERSATION},
    "customer": {"customer": CUSTOMER},
    "context": {"conversation": CONVERSATION},
    "as_of": {"conversation": CONVERSATION, "sequence": 10},
    "known": {"ids": ["startedcall1"]},
}


async def test_every_query_is_answered_over_the_bus(house: House) -> None:
    """One start, the whole story, each query once, a refusal with its code, and a rebuild."""
    await house.start_history()
    await house.parcel.play()
    end = house.parcel.at["missed"]
    for name in (name for name, kind in QUERIES.items() if kind.served_by == "history"):
        answer = await house.ask(name, min_seq=end, **ASKED_ABOUT.get(name, {}))
        assert answer.get("position") == (10 if name == "as_of" else end), answer
    assert (await house.ask("position", tenant="other"))["error"]["code"] == "tenant.unknown"
    unread = await house.bus.request(subjects.query(TENANT, "position"), b"{")
    assert msgspec.json.decode(unread)["error"]["code"] == "command.unreadable"
    missing = await house.ask("conversation", conversation="nosuch")
    assert missing["error"]["code"] == "conversation.unknown"
    outcome = await house.request("ops.history.rebuild")
    assert outcome["position"] == end
    assert outcome["live"] == outcome["rebuilt"]
    assert (await house.request("ops.history.rebuild", what=1))["error"]["code"] == (
        "command.unreadable"
    )
    child = house.child
    assert child is not None
    await child.stop()
    assert child.exit_code == 0


async def test_a_row_changed_by_hand_is_told_over_the_bus(house: House) -> None:
    """The rebuild's answer names both digests and the table."""
    await house.start_history()
    await house.parcel.play()
    await house.ask("position", min_seq=house.parcel.at["missed"])
    server = await asyncpg.connect(house.postgres.dsn)
    await server.execute("UPDATE history_g1.timeline SET text = 'no' WHERE type = 'promise.made'")
    await server.close()
    outcome = await house.request("ops.history.rebuild")
    assert outcome["live"] != outcome["rebuilt"]
    assert outcome["differing"] == ["timeline"]


async def test_the_service_killed_again_and_again(house: House) -> None:
    """Signal 9 while it projects: the next one goes on; nothing is lost or doubled."""
    await house.parcel.play()
    for _ in range(3):
        child = await house.start_history()
        writing = asyncio.create_task(house.parcel.go_on())
        await house.answered("position", min_seq=house.parcel.at["missed"] + 1)
        await child.kill()
        await writing
    await house.start_history()
    end = await house.book.ledger.position()
    assert (await house.answered("position", min_seq=end))["position"] == end
    await house.digests_agree()


async def test_postgres_killed_and_back_under_the_service(house: House) -> None:
    """Queries say that they are unavailable and may be repeated; the process stays and recovers by itself."""
    child = await house.start_history()
    await house.parcel.play()
    end = house.parcel.at["missed"]
    await house.answered("position", min_seq=end)
    await house.postgres.kill()
    refused = await house.ask("overlooked")
    assert refused["error"]["code"] == "query.unavailable"
    assert refused["error"]["retryable"]
    await house.parcel.go_on()
    await house.postgres.start()
    end = await house.book.ledger.position()
    assert (await house.answered("position", min_seq=end))["position"] == end
    assert child.exit_code is None
    await house.digests_agree()


async def test_nats_killed_and_back_under_the_service(house: House) -> None:
    """The process reconnects, follows on from its checkpoint and answers again."""
    child = await house.start_history()
    await house.parcel.play()
    await house.answered("position", min_seq=house.parcel.at["missed"])
    await house.nats.kill()
    await house.nats.start()
    await house.parcel.go_on()
    end = await house.book.ledger.position()
    assert (await house.answered("position", min_seq=end))["position"] == end
    assert child.exit_code is None
    assert await service_answers(house.nats.url, "history")
    await house.digests_agree()


async def test_a_frozen_service_is_replaced_and_refused_when_it_thaws(house: House) -> None:
    """Postgres frees the lock of a frozen projector; a second process goes on; the thawed one changes nothing."""
    first = await house.start_history()
    await house.parcel.play()
    await house.answered("position", min_seq=house.parcel.at["missed"])
    with frozen(first.pid):
        await house.start_history()
        await house.parcel.go_on()
        end = await house.book.ledger.position()
        await house.answered("position", min_seq=end)
    await house.parcel.go_on()
    end = await house.book.ledger.position()
    for _ in range(4):
        assert (await house.answered("position", min_seq=end))["position"] == end
    await house.digests_agree()
    await first.stop()


async def test_a_service_that_does_not_know_an_event_is_not_ready(house: House) -> None:
    """It says which type, answers for what it knows, and never answers the ping."""
    await house.parcel.register()
    newer = (
        b'{"specversion":"1.0","id":"newer1","source":"tellonce/next","type":"matter.reviewed",'
        b'"subject":"conv-matter9","tenant":"demo"}'
    )
    await house.bus.store(subjects.ledger(TENANT, "conv-matter9"), newer)
    await house.parcel.call()
    child = await house.start_history(until_ready=False)

    async def halted() -> bool:
        return "projector_halted" in (house.folder / "history.log").read_text()

    await eventually(halted)
    assert "event.unknown_type" in (house.folder / "history.log").read_text()
    assert not await service_answers(house.nats.url, "history")
    assert (await house.answered("position"))["position"] == house.parcel.at["registered"]
    assert child.exit_code is None


async def test_it_does_not_start_without_its_stream(house: House) -> None:
    """Drift of the ledger's stream is an error at start, not a surprise later."""
    config = (await house.bus.api("STREAM.INFO.LEDGER"))["config"]
    await house.bus.api("STREAM.UPDATE.LEDGER", {**config, "max_age": 3_600_000_000_000})
    with pytest.raises(ProgramExited):
        await house.start_history()
    assert "stream.drift" in (house.folder / "history.log").read_text()
    house.child = None
