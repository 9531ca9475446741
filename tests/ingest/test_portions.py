"""Large mails are read in portions, which are bounded by what must be fetched."""

from dataclasses import replace

import pytest

from services.ingest.domain.delivery import BodyReference, RawDelivery, portions
from tests.ingest.running_ingest import (
    raw,
)

# -- portions ---------------------------------------------------------------------------------------------


def elsewhere(sequence: int, size_bytes: int) -> RawDelivery:
    ref = BodyReference(sha256="0" * 64, size_bytes=size_bytes, chunks=1)
    return replace(raw("email", b"", sequence=sequence), elsewhere=ref)


@pytest.mark.parametrize(
    ("sizes_bytes", "portioned"),
    [
        ([], []),
        ([None] * 5, [[1, 2, 3, 4, 5]]),
        ([4, None, 5, None, 3], [[1, 2, 3, 4], [5]]),
        ([20, 20, None, 1], [[1], [2], [3, 4]]),
    ],
)
def test_portions_are_bounded_by_the_bodies_that_must_be_fetched(
    sizes_bytes: list[int | None], portioned: list[list[int]]
) -> None:
    """In order, none left out; one that is larger than a portion is one."""
    deliveries = [
        raw("email", b"x" * 100, sequence=number) if size is None else elsewhere(number, size)
        for number, size in enumerate(sizes_bytes, 1)
    ]
    found = [[each.sequence for each in portion] for portion in portions(deliveries, 10)]
    assert found == portioned
