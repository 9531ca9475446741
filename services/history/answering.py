"""Answers questions: who may ask, how long to wait for a position, from the tables or from the ledger itself."""

import asyncio
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from services.history.domain import as_of
from services.history.pool import Pool, Snapshot
from services.history.positions import Positions
from services.history.store import Session
from services.history.tables import ANSWERED_BY, AT_A_GLANCE, table
from shared import aggregates, errors, instants, queries, requests, subjects
from shared.clock import Clock
from shared.ledger import LedgerReader
from shared.policies import Policies
from shared.policy import Policy

LOOK_AGAIN_SECONDS = 0.05
"""How often a process that stands by looks whether the projector has reached a position."""
CLOCKS_APART_MAX_SECONDS = 60.0
"""How far the clock of a NATS server, which stamps what it stores, may be behind ours. NTP keeps it far closer."""


class Answers:
    """Answers questions."""

    def __init__(
        self,
        pool: Pool,
        ledger: LedgerReader,
        policies: Policies,
        positions: Positions,
        clock: Clock,
        *,
        rows_max: int,
        wait_seconds: float,
    ) -> None:
        self._pool = pool
        self._ledger = ledger
        self._policies = policies
        self._positions = positions
        self._clock = clock
        self._rows_max = rows_max
        self._wait_seconds = wait_seconds
        self._end_seen = 0

    async def answer(
        self, kind: type[queries.Question[Any]], tenant: str, body: bytes
    ) -> queries.Answer:
        """Return the answer to one request for a kind of question.

        Raises: TenantUnknown, CommandUnreadable, PositionBeyondEnd, PositionNotReached, ViewUnavailable,
            LedgerUnavailable, ConversationUnknown, CustomerUnknown, AgentUnknown.
        """
        if not self._positions.agreed:
            raise errors.ViewUnavailable(reason="not_of_this_ledger")
        policy = self._policies.of(tenant)
        asked = requests.read_question(kind, body)
        if asked.min_seq is not None:
            await self._must_exist(asked.min_seq)
            await self._reached(policy, asked.min_seq)
        if isinstance(asked, queries.AskAsOf):
            return await self._as_of(policy, asked)
        return await self._ask(policy, asked)

    async def _ask(self, policy: Policy, asked: queries.Question[Any]) -> queries.Answer:
        async def read(snapshot: Snapshot) -> queries.Answer:
            reading = table.Reading(
                snapshot.rows, snapshot.count, snapshot.position, policy, self._rows_max
            )
            return await ANSWERED_BY[type(asked)](reading, asked)

        glance = type(asked) in AT_A_GLANCE
        answer: queries.Answer = await self._pool.read(read, at_a_glance=glance)
        return answer

    async def _must_exist(self, position: int) -> None:
        """Refuse a position that the ledger has not given out: who waits for it only keeps others from being answered.

        Raises: PositionBeyondEnd, LedgerUnavailable.
        """
        if position > self._end_seen and not self._positions.holds(position):
            self._end_seen = max(self._end_seen, await self._ledger.position())
            if position > self._end_seen:
                raise errors.PositionBeyondEnd(position=self._end_seen, wanted=position)

    async def _reached(self, policy: Policy, position: int) -> None:
        """Wait until the tables hold a position. Raises: PositionNotReached after the wait, ViewUnavailable."""
        deadline = asyncio.get_running_loop().time() + self._wait_seconds
        while not self._positions.holds(position):
            here = await self._ask(policy, queries.AskPosition())
            if here.position >= position:
                return
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                raise errors.PositionNotReached(position=here.position, wanted=position)
            await self._positions.next_move(min(left, LOOK_AGAIN_SECONDS))

    # -- as of: the ledger itself -----------------------------------------------------------------------

    async def _as_of(self, policy: Policy, asked: queries.AskAsOf) -> queries.AsOfAnswer:
        aggregate = aggregates.CONVERSATION.of(asked.conversation)
        if not subjects.is_token(aggregate):
            raise errors.ConversationUnknown(conversation=asked.conversation)
        sequence = await self._sequence(policy, asked)
        read = partial(self._ledger.read_leader, policy.tenant)
        history = await read(aggregate)
        if asked.occurred is not None:
            sequence = as_of.sequence_occurred(history, asked.occurred)
        of_conversation = as_of.until(history, sequence)
        customer = as_of.customer_in(of_conversation)
        of_customer = [] if customer is None else await read(aggregates.CUSTOMER.of(customer))
        return as_of.answer(
            policy.tenant, sequence, of_conversation, as_of.until(of_customer, sequence)
        )

    async def _sequence(self, policy: Policy, asked: queries.AskAsOf) -> int:
        """Return the ledger position that is asked about; 0 for an occurred time, which the events tell.

        Raises: PositionNotReached for one that does not exist yet: its answer would change.
        """
        if asked.recorded is not None:
            return await self._sequence_recorded(policy, asked.recorded)
        if asked.sequence is not None:
            end = await self._ledger.position()
            if asked.sequence > end:
                raise errors.PositionNotReached(position=end, wanted=asked.sequence)
            return asked.sequence
        return 0

    async def _sequence_recorded(self, policy: Policy, recorded: datetime) -> int:
        """Return the last position that was stored at or before an instant.

        No later event can move it once one was stored after the instant, for `settled` never goes back. In a silent
        ledger the instant must lie so far back that no server's clock can still say it.
        Raises: PositionNotReached while it could move.
        """
        surely_past = self._clock.now() - timedelta(seconds=CLOCKS_APART_MAX_SECONDS)
        end = await self._ledger.position()
        await self._reached(policy, end)

        async def read(session: Session) -> tuple[datetime, int]:
            settled = await session.fetch_one("settled")
            row = await session.fetch_one("sequence_at", instants.within(recorded))
            assert settled is not None
            return settled["settled"], 0 if row is None else int(row["sequence"])

        found: tuple[datetime, int] = await self._pool.read(read)
        settled, sequence = found
        if recorded >= settled and recorded >= surely_past:
            raise errors.PositionNotReached(position=end, reason="not_settled")
        return sequence
