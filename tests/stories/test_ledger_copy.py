"""The player's own reading of LEDGER, and what an agent's screen takes from it."""

import time
from collections.abc import AsyncIterator
from itertools import islice
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from typing_extensions import override

from deploy.story.agent_screen import Screen
from deploy.story.asking import Asker
from deploy.story.ledger_copy import LedgerCopy
from shared import aggregates, ensuring, streams
from shared.bus import Bus, connect
from shared.codec import PlainCodec
from shared.ledger.jetstream import NatsLedger
from tests.support.ledger import TENANT, LaggingBus, new_aggregate, write
from tests.support.servers import EmbeddedNats
from tests.support.waiting import WITHIN_SECONDS


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedNats]:
    """A server of its own with all streams."""
    async with EmbeddedNats(tmp_path) as server:
        bus = await connect(server.url, "test")
        await ensuring.ensure(bus, streams.WantedStreams(streams.stream_configs(), []))
        await bus.close()
        yield server


@pytest_asyncio.fixture
async def bus(server: EmbeddedNats) -> AsyncIterator[Bus]:
    """A connection to it."""
    bus = await connect(server.url, "test")
    yield bus
    await bus.close()


async def test_a_replica_that_lags_hides_no_event_for_good(bus: Bus) -> None:
    """What is in the ledger is in the copy, though any of three nodes may answer: as on the compose stack."""
    ledger, copy = NatsLedger(bus, PlainCodec()), LedgerCopy(TENANT)
    positions: list[int] = []
    for names in (("a", "b"), ("c",)):
        appended = await ledger.append(TENANT, [write(new_aggregate(), 0, *names)])
        positions += appended.sequences
        await copy.catch_up(LaggingBus(bus, lacking=1))
        assert [each.sequence for each in copy.entries] == positions
        assert copy.position == positions[-1]


class Growing(LedgerCopy):
    """A copy of a ledger to which each look adds one more notification of the queue or the agent."""

    def __init__(self, *told: tuple[str, str]) -> None:
        super().__init__(TENANT)
        self._coming = iter(told)

    @override
    async def catch_up(self, bus: Bus) -> None:
        for recipient, reason in islice(self._coming, 1):
            key = f"n{len(self.entries) + 1}"
            opened = {"notification_id": key, "recipient": recipient, "reason": reason}
            body = {
                "id": key,
                "type": "notification.requested",
                "subject": aggregates.CONVERSATION.of("c1"),
                "data": {"open": opened, "personal": None},
            }
            self.take(len(self.entries) + 1, msgspec.json.encode(body))


@pytest.mark.parametrize(
    ("given", "taken"),
    [({}, "n1"), ({"reason": "owner_changed"}, "n3"), ({"notification_id": "n7"}, "n7")],
)
async def test_an_agent_waits_for_the_notification_of_a_reason(
    server: EmbeddedNats, given: dict[str, str], taken: str
) -> None:
    """People are told a moment later: what is there before may be what her queue was told."""
    asker = Asker(TENANT)
    await asker.open(server.address)
    told = [("queue-branch", "new_request"), ("agent-piotr", "owner_changed")]
    copy = Growing(*told, ("agent-ewa", "owner_changed"), ("agent-ewa", "new_request"))
    screen = Screen("ewa", ["branch"], asker, copy)
    deadline = time.monotonic() + WITHIN_SECONDS
    body = await screen.complete("acknowledge_notification", dict(given), deadline)
    await asker.close()
    assert body["notification_id"] == taken
    assert "reason" not in body
