"""Asks history as a caller on the bus does."""

from typing import Any

import msgspec

from services.history.answering import Answers
from services.history.pool import Pool
from services.history.positions import Positions
from shared import policy
from shared.clock import Clock
from shared.policies import Policies
from shared.queries import QUERIES, answer_to
from shared.settings import Settings
from tests.history.handwritten_ledger import TENANT, HandwrittenLedger, TickingClock
from tests.support.published import schema

WAIT_SECONDS = 0.3


class Caller:
    """Asks as a caller on the bus does: JSON in, JSON out, checked against the documented answer."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers

    async def __call__(self, name: str, tenant: str = TENANT, **asked: Any) -> dict[str, Any]:
        question = QUERIES[name]
        answer = await self.answers.answer(question, tenant, msgspec.json.encode(asked))
        assert type(answer) is answer_to(question)
        body = msgspec.json.encode(answer)
        msgspec.json.decode(body, type=answer_to(question))
        decoded: dict[str, Any] = msgspec.json.decode(body)
        schema(f"answers/{name}").validate(decoded)
        return decoded


def answers_over(
    pool: Pool,
    handwritten: HandwrittenLedger,
    positions: Positions,
    rows_max: int = 500,
    clock: Clock | None = None,
    wait_seconds: float = WAIT_SECONDS,
) -> Answers:
    """Return the answers as the service wires them, over a ledger in memory."""
    policies = Policies(policy.load(Settings().policy))
    return Answers(
        pool,
        handwritten.ledger,
        policies,
        positions,
        clock or TickingClock(),
        rows_max=rows_max,
        wait_seconds=wait_seconds,
    )
