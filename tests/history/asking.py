"""Asks the desk as a caller on the bus does."""

from __future__ import annotations

from typing import Any

import msgspec

from services.history.answering import Desk
from services.history.domain.answers import ANSWERS
from services.history.positions import Positions
from services.history.store import Pool
from shared import policy
from shared.clock import Clock
from shared.policy import Policies
from shared.settings import Settings
from tests.history.book import TENANT, Book, TickingClock

WAIT_SECONDS = 0.3


class Asker:
    """Asks as a caller on the bus does: JSON in, JSON out, checked against the documented answer."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    async def __call__(self, name: str, tenant: str = TENANT, **asked: Any) -> dict[str, Any]:
        answer = await self.desk.answer(name, tenant, msgspec.json.encode(asked))
        assert type(answer) is ANSWERS[name]
        body = msgspec.json.encode(answer)
        msgspec.json.decode(body, type=ANSWERS[name])
        decoded: dict[str, Any] = msgspec.json.decode(body)
        return decoded


def desk_of(
    pool: Pool,
    book: Book,
    positions: Positions,
    rows_max: int = 500,
    clock: Clock | None = None,
) -> Desk:
    """Return the desk as the service wires it, over a ledger in memory."""
    policies = Policies(policy.load(Settings().policy))
    return Desk(
        pool,
        book.ledger,
        policies,
        positions,
        clock or TickingClock(),
        rows_max=rows_max,
        wait_seconds=WAIT_SECONDS,
    )
