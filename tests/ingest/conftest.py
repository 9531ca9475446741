"""A server of ingest's own, so that a test may stop it, and a running service."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.embedded.ports import free_ports
from shared import subjects
from tests.ingest.history_twin import HistoryTwin
from tests.ingest.running_ingest import RunningIngest, running
from tests.support.servers import EmbeddedNats


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def ingest_nats(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedNats]:
    """One JetStream server for all of these tests."""
    async with EmbeddedNats(tmp_path_factory.mktemp("ingest-nats")) as server:
        yield server


@pytest_asyncio.fixture
async def ingest(ingest_nats: EmbeddedNats, tmp_path: Path) -> AsyncIterator[RunningIngest]:
    """A running ingest."""
    async with running(ingest_nats.url, tmp_path, port=free_ports(1)[0]) as started:
        yield started


@pytest_asyncio.fixture
async def history(ingest: RunningIngest) -> AsyncIterator[HistoryTwin]:
    """History, as far as the balance asks it."""
    twin = HistoryTwin(ingest)
    subscription = await ingest.bus.subscribe(subjects.query(ingest.tenant, "known"), twin.answer)
    await ingest.bus.flush()
    yield twin
    await subscription.stop()
