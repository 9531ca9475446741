"""The service in its own process, on real servers, asked over the bus; and what it does when they go."""

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
from tests.history.handwritten_ledger import TENANT
from tests.history.parcel_story import CONVERSATION, CUSTOMER
from tests.history.running_history import RunningHistory
from tests.support.frozen import frozen
from tests.support.waiting import eventually


@pytest_asyncio.fixture
async def history(tmp_path: Path, postgres_template: Path) -> AsyncIterator[RunningHistory]:
    """Servers and streams; the service is not started yet."""
    history = RunningHistory(tmp_path, postgres_template)
    await history.open()
    yield history
    await history.close()


ASKED_ABOUT: dict[str, dict[str, Any]] = {
    "timeline": {"customer": CUSTOMER},
    "conversation": {"conversation": CONVERSATION},
    "customer": {"customer": CUSTOMER},
    "context": {"conversation": CONVERSATION},
    "as_of": {"conversation": CONVERSATION, "sequence": 10},
    "explain": {"conversation": CONVERSATION},
    "work_list": {"agent": "piotr", "state": "mine"},
    "service_level": {"since": "2026-01-01T00:00:00Z", "until": "2027-01-01T00:00:00Z"},
    "clocks": {"conversation": CONVERSATION},
    "missed": {"since": "2026-11-01T00:00:00Z", "until": "2026-12-01T00:00:00Z"},
    "measures": {"since": "2026-11-01T00:00:00Z", "until": "2026-12-01T00:00:00Z"},
    "known": {"ids": ["startedcall1"]},
}


async def test_every_query_is_answered_over_the_bus(history: RunningHistory) -> None:
    """One start, the whole story, each query once, a refusal with its code, and a rebuild."""
    child = await history.start()
    await history.parcel.play()
    end = history.parcel.at["missed"]
    for name in (name for name, kind in QUERIES.items() if kind.served_by == "history"):
        answer = await history.ask(name, min_seq=end, **ASKED_ABOUT.get(name, {}))
        assert answer.get("position") == (10 if name == "as_of" else end), answer
    assert (await history.ask("position", tenant="other"))["error"]["code"] == "tenant.unknown"
    unread = await history.bus.request(subjects.query(TENANT, "position"), b"{")
    assert msgspec.json.decode(unread)["error"]["code"] == "command.unreadable"
    missing = await history.ask("conversation", conversation="nosuch")
    assert missing["error"]["code"] == "conversation.unknown"
    outcome = await history.request("ops.history.rebuild")
    assert outcome["position"] == end
    assert outcome["live"] == outcome["rebuilt"]
    assert (await history.request("ops.history.rebuild", what=1))["error"]["code"] == (
        "command.unreadable"
    )
    await child.stop()
    assert child.exit_code == 0


async def test_a_row_changed_by_hand_is_told_over_the_bus(history: RunningHistory) -> None:
    """The rebuild's answer names both digests and the table."""
    await history.start()
    await history.parcel.play()
    await history.ask("position", min_seq=history.parcel.at["missed"])
    server = await asyncpg.connect(history.postgres.dsn)
    await server.execute("UPDATE history_g1.timeline SET text = 'no' WHERE type = 'promise.made'")
    await server.close()
    outcome = await history.request("ops.history.rebuild")
    assert outcome["live"] != outcome["rebuilt"]
    assert outcome["differing"] == ["timeline"]


async def test_the_service_killed_again_and_again(history: RunningHistory) -> None:
    """Signal 9 while it projects: the next one goes on; nothing is lost or doubled."""
    await history.parcel.play()

    async def goes_on() -> bool:
        return await history.handwritten.ledger.position() > history.parcel.at["missed"]

    for _ in range(3):
        child = await history.start()
        writing = asyncio.create_task(history.parcel.go_on())
        await eventually(goes_on)
        await history.answered("position", min_seq=history.parcel.at["missed"] + 1)
        await child.kill()
        await writing
    await history.start()
    end = await history.handwritten.ledger.position()
    assert (await history.answered("position", min_seq=end))["position"] == end
    await history.digests_agree()


async def test_postgres_killed_and_back_under_the_service(history: RunningHistory) -> None:
    """Queries say that they are unavailable and may be repeated; the process stays and recovers by itself."""
    child = await history.start()
    await history.parcel.play()
    end = history.parcel.at["missed"]
    await history.answered("position", min_seq=end)
    await history.postgres.kill()
    refused = await history.ask("overlooked")
    assert refused["error"]["code"] == "query.unavailable"
    assert refused["error"]["retryable"]
    await history.parcel.go_on()
    await history.postgres.start()
    end = await history.handwritten.ledger.position()
    assert (await history.answered("position", min_seq=end))["position"] == end
    assert child.exit_code is None
    await history.digests_agree()


async def test_nats_killed_and_back_under_the_service(history: RunningHistory) -> None:
    """The process reconnects, follows on from its checkpoint and answers again."""
    child = await history.start()
    await history.parcel.play()
    await history.answered("position", min_seq=history.parcel.at["missed"])
    await history.nats.kill()
    await history.nats.start()
    await history.parcel.go_on()
    end = await history.handwritten.ledger.position()
    assert (await history.answered("position", min_seq=end))["position"] == end
    assert child.exit_code is None
    assert await service_answers(history.nats.address, "history")
    await history.digests_agree()


async def test_a_frozen_service_is_replaced_and_refused_when_it_thaws(
    history: RunningHistory,
) -> None:
    """Postgres frees the lock of a frozen projector; a second process goes on; the thawed one changes nothing."""
    first = await history.start()
    await history.parcel.play()
    await history.answered("position", min_seq=history.parcel.at["missed"])
    with frozen(first.pid):
        await history.start()
        await history.parcel.go_on()
        end = await history.handwritten.ledger.position()
        await history.answered("position", min_seq=end)
    await history.parcel.go_on()
    end = await history.handwritten.ledger.position()
    for _ in range(4):
        assert (await history.answered("position", min_seq=end))["position"] == end
    await history.digests_agree()
    await first.stop()


async def test_a_service_that_does_not_know_an_event_is_not_ready(history: RunningHistory) -> None:
    """It says which type, answers for what it knows, and never answers the ping."""
    await history.parcel.register()
    newer = (
        b'{"specversion":"1.0","id":"newer1","source":"tellonce/next","type":"matter.reviewed",'
        b'"subject":"conv-matter9","tenant":"demo"}'
    )
    await history.bus.store(subjects.ledger(TENANT, "conv-matter9"), newer)
    await history.parcel.call()
    child = await history.start(until_ready=False)

    async def halted() -> bool:
        return "projector_halted" in (history.folder / "history.log").read_text()

    await eventually(halted)
    assert "event.unknown_type" in (history.folder / "history.log").read_text()
    assert not await service_answers(history.nats.address, "history")
    assert (await history.answered("position"))["position"] == history.parcel.at["registered"]
    assert child.exit_code is None


async def test_it_does_not_start_without_its_stream(history: RunningHistory) -> None:
    """Drift of the ledger's stream is an error at start, not a surprise later."""
    config = (await history.bus.api("STREAM.INFO.LEDGER"))["config"]
    await history.bus.api("STREAM.UPDATE.LEDGER", {**config, "max_age": 3_600_000_000_000})
    with pytest.raises(ProgramExited):
        await history.start()
    assert "stream.drift" in (history.folder / "history.log").read_text()
