"""What became of an append whose answer is missing or says too little: the leader knows."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from shared import errors, subjects
from shared.bus import Bus
from shared.ledger import Appended
from shared.ledger.plan import Plan

HALF_SEEN_ATTEMPTS = 3
"""A leader that has just changed may show the first part of a batch for a moment."""
HALF_SEEN_DELAY_SECONDS = 0.03


@dataclass(frozen=True, slots=True)
class _Standing:
    """Where an aggregate stands. `ours`: sequences of our events, if exactly they follow `expected`."""

    aggregate: str
    expected: int
    actual: int
    ours: Sequence[int]

    @property
    def fresh(self) -> bool:
        return self.actual == self.expected

    def conflict(self) -> errors.LedgerConflict:
        return errors.LedgerConflict(
            aggregate=self.aggregate, expected=self.expected, actual=self.actual
        )


async def resolve(bus: Bus, stream: str, wanted: Plan) -> Appended | None:
    """Return the append if all of it is stored, `None` if nothing is and it may be tried again.

    Raises: LedgerConflict when an aggregate or a guard stands elsewhere; as `Bus.api`.
    """
    attempt = 0
    while True:
        attempt += 1
        standings = [await _standing(bus, stream, wanted, a) for a in wanted.expected]
        if all(standing.ours for standing in standings):
            ordered = [sequence for standing in standings for sequence in standing.ours]
            return wanted.appended(ordered, duplicate=True)
        for standing in standings:
            if not standing.fresh and not standing.ours:
                raise standing.conflict()
        if all(standing.fresh for standing in standings):
            await _check_guards(bus, stream, wanted)
            return None
        if attempt >= HALF_SEEN_ATTEMPTS:
            raise next(standing for standing in standings if not standing.fresh).conflict()
        await asyncio.sleep(HALF_SEEN_DELAY_SECONDS)


async def _standing(bus: Bus, stream: str, wanted: Plan, aggregate: str) -> _Standing:
    expected = wanted.expected[aggregate]
    subject = subjects.ledger(wanted.tenant, aggregate)
    last = await bus.leader_get(stream, last_by_subject=subject)
    actual = 0 if last is None else last.sequence
    ours: list[int] = []
    if actual > expected:
        position = expected
        for message in wanted.of(aggregate):
            stored = await bus.leader_get(stream, sequence=position + 1, next_by_subject=subject)
            if stored is None or stored.body != message.body:
                return _Standing(aggregate, expected, actual, [])
            position = stored.sequence
            ours.append(position)
    return _Standing(aggregate, expected, actual, ours)


async def _check_guards(bus: Bus, stream: str, wanted: Plan) -> None:
    for guard in wanted.guards:
        subject = subjects.ledger(wanted.tenant, guard.aggregate)
        last = await bus.leader_get(stream, last_by_subject=subject)
        actual = 0 if last is None else last.sequence
        if actual != guard.expected:
            raise _Standing(guard.aggregate, guard.expected, actual, []).conflict()
