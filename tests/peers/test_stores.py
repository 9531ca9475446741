"""The stores keep what they are given: else the table would compare nothing with something."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
import pytest
from typing_extensions import override

from shared.ledger import Recorded
from tests.peers import message_db
from tests.peers.comparison import Comparison
from tests.peers.events import DECISION_EVENTS, Events, many
from tests.peers.message_db import MessageDb
from tests.peers.ours import History, Ours
from tests.peers.store import Store
from tests.peers.timeline import ByHand
from tests.support.servers import EmbeddedPostgres

COUNT = 512
ROUNDS = 1
NO_PACKAGE = pytest.mark.skipif(
    not message_db.available(), reason="message-db is not here: make bench-peers fetches it"
)


@pytest.fixture(scope="module")
def events() -> Events:
    return many(COUNT)


@pytest.fixture
async def held() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture(params=["ours", pytest.param("message-db", marks=NO_PACKAGE)])
async def store(
    request: pytest.FixtureRequest, held: AsyncExitStack, tmp_path: Path, postgres_template: Path
) -> Store:
    """Each store whose client is here."""
    if request.param == "ours":
        return await Ours.open(held, tmp_path / "nats")
    server = EmbeddedPostgres(tmp_path / "postgres", template=postgres_template, syncs=False)
    return await MessageDb.open(held, await held.enter_async_context(server))


async def _ids(store: Store) -> list[str]:
    return [each.event.id async for batch in store.batches() for each in batch]


async def test_a_store_holds_all_that_went_through_it(store: Store, events: Events) -> None:
    """What was laid down, what was appended one at a time, and then every decision once."""
    comparison = Comparison(events, ROUNDS, [store])
    await comparison.lay()
    await comparison.append()
    await comparison.check()
    await comparison.decide([])
    decided = [each.id for one in events.decisions(0, COUNT, "0") for _, of in one for each in of]
    ids = await _ids(store)
    assert ids[:COUNT] == [event.id for event in events.part(0, COUNT)]
    assert sorted(ids[COUNT:]) == sorted(decided)
    assert len(decided) == COUNT == DECISION_EVENTS * (COUNT // DECISION_EVENTS)


async def test_a_conversation_is_read_whole(store: Store, events: Events) -> None:
    """As many events as went there."""
    await store.lay(events.part(0, COUNT))
    (wanted,) = events.conversations(1)
    there = [event for event in events.part(0, COUNT) if event.aggregate == wanted]
    assert await store.read([wanted, wanted]) == 2 * len(there) > 0


@NO_PACKAGE
async def test_one_statement_decides_as_a_transaction_does(
    held: AsyncExitStack, tmp_path: Path, postgres_template: Path, events: Events
) -> None:
    """The same messages, and a stream that moved refuses all of them."""
    server = EmbeddedPostgres(tmp_path / "postgres", template=postgres_template, syncs=False)
    store = await MessageDb.open(held, await held.enter_async_context(server))
    one, other = (events.decisions(0, 4, scope) for scope in ("0", "1"))
    await store.decide(one)
    await store.decide_in_one_statement(other)
    stored = [event.id for decisions in (one, other) for _, of in decisions[0] for event in of]
    assert await _ids(store) == stored
    again = MessageDb(server, store.pool)
    with pytest.raises(asyncpg.RaiseError, match="Wrong expected version"):
        await again.decide_in_one_statement(events.decisions(0, 4, "1"))
    assert await _ids(store) == stored


class Forgetful(Ours):
    """It does not give the last event."""

    @override
    async def batches(self) -> AsyncIterator[Sequence[Recorded]]:
        every = [each async for batch in super().batches() for each in batch]
        yield every[:-1]


async def test_a_store_that_lost_an_event_is_found_out(
    held: AsyncExitStack, tmp_path: Path, events: Events
) -> None:
    """It would be quicker than the others."""
    comparison = Comparison(events, ROUNDS, [await Forgetful.open(held, tmp_path)])
    await comparison.lay()
    await comparison.append()
    with pytest.raises(AssertionError, match=f"something else: {COUNT - 1} events"):
        await comparison.check()


async def test_projections_write_a_row_for_every_event(
    held: AsyncExitStack, tmp_path: Path, postgres_template: Path, events: Events
) -> None:
    """By hand from any store; and our rebuild, whose digest is compared with what was built before."""
    server = EmbeddedPostgres(tmp_path / "postgres", template=postgres_template, syncs=False)
    await held.enter_async_context(server)
    ours = await Ours.open(held, tmp_path / "nats")
    await ours.lay(events.part(0, COUNT))
    assert await ByHand(server.dsn).project(ours) == COUNT
    connection = await asyncpg.connect(server.dsn)
    types = await connection.fetch("SELECT type FROM by_hand ORDER BY position")
    assert await connection.fetchval("SELECT position FROM by_hand_at") == COUNT
    await connection.close()
    assert [row["type"] for row in types] == [
        type(event).__struct_config__.tag for event in events.part(0, COUNT)
    ]
    history = History(ours, server.dsn)
    await history.build()
    assert await history.rebuild() == await history.project(ours) == COUNT
