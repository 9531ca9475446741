"""All messages of a subject between two positions, from whatever replica answers."""

import pytest

from shared import streams, subjects
from shared.bus import gets
from tests.support.ledger import TENANT, LaggingBus, ServerPlace, new_aggregate, write

NAMES = ("a", "b", "c", "d", "e")


@pytest.mark.parametrize("batch", [2, 10])
@pytest.mark.parametrize("lacking", [0, 1, 3, 5, 100])
async def test_a_replica_that_lags_hides_nothing(
    server_place: ServerPlace, lacking: int, batch: int
) -> None:
    """What it lacks comes from the leader, in order, and nothing beyond what was asked for."""
    aggregate, ledger = new_aggregate(), await server_place.ledger()
    positions = [0]
    for name in NAMES:
        await ledger.append(TENANT, [write(new_aggregate(), 0, name)])
        mine = await ledger.append(TENANT, [write(aggregate, positions[-1], name)])
        positions.append(mine.position)
    lagging = LaggingBus(await server_place.bus(), lacking)
    subject = subjects.ledger(TENANT, aggregate)
    for first, last, wanted in (
        (1, positions[5], positions[1:]),
        (positions[1], positions[5] - 1, positions[1:5]),
        (positions[1] + 1, positions[3], positions[2:4]),
        (positions[5] + 1, positions[5] + 10, []),
        (positions[2], positions[2] - 1, []),
    ):
        pages = gets.between(lagging, streams.LEDGER, subject, first, last, batch=batch)
        found = [page async for page in pages]
        assert [each.sequence for page in found for each in page] == wanted
        assert all(0 < len(page) <= batch for page in found)
