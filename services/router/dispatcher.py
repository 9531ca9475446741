"""Matches waiting conversations with free agents, by what changed. It learns from the ledger and may forget all of it.

Two dispatchers at once do no harm: an offer is written at the expected sequence of the conversation and of the
agent, so the second one conflicts.
"""

import asyncio
import contextlib
from collections.abc import Sequence

import structlog

from services.router.cases import Cases
from services.router.domain import folds
from services.router.domain.decide import decide_offer
from services.router.domain.decision import Loaded
from services.router.domain.offers import candidates
from services.router.picture import Picture
from shared import aggregates, deciding, errors, events, ids
from shared.ledger import Ledger, Recorded

LONGEST_SLEEP_SECONDS = 60.0
"""A due time is looked at so late at most, should the clock be set back."""

log = structlog.get_logger("router.dispatcher")


class Dispatcher:
    """Offers waiting conversations of all tenants, longest waiting first, to as many as there is room for."""

    def __init__(self, cases: Cases, ledger: Ledger) -> None:
        self._cases = cases
        self._ledger = ledger
        self.picture = Picture(cases.policies)
        self._changed = asyncio.Event()
        self.position = 0

    async def follow(self) -> None:
        """Keep the picture; runs until cancelled. Raises: StreamDrift, LedgerUnavailable.

        The ledger reads tolerantly (`TolerantCodec`): a conversation with an event of a newer version is left to it.
        Nobody is asked before the whole past is known.
        """
        past = await self._ledger.position()
        if self.position >= past:
            self._changed.set()
        async for batch in self._ledger.follow(self.position):
            self.see(batch)
            if self.position >= past:
                self._changed.set()

    async def dispatch(self) -> None:
        """Make offers whenever something changed or fell due; runs until cancelled."""
        await self._changed.wait()
        while True:
            self._changed.clear()
            await self.offer_all()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._sleep_seconds()):
                    await self._changed.wait()

    def _sleep_seconds(self) -> float | None:
        due = self.picture.due()
        if due is None:
            return None
        left = (due - self._cases.clock.now()).total_seconds()
        return min(max(left, 0.0), LONGEST_SLEEP_SECONDS)

    async def offer_all(self) -> None:
        """Make the offers that can be made now."""
        while (waiting := self.picture.next(self._cases.clock.now())) is not None:
            if not await self._offer(*waiting):
                self.picture.postpone(waiting, self._cases.clock.now())

    def see(self, batch: Sequence[Recorded]) -> None:
        """Take what was recorded into the picture."""
        now = self._cases.clock.now()
        for recorded in batch:
            self.position = recorded.sequence
            self.picture.see(recorded, now)

    async def _offer(self, tenant: str, conversation_id: events.ConversationId) -> bool:
        """Offer a conversation; tell whether that was written. What was read for it is known from then on."""
        cases, policy = self._cases, self._cases.policies.of(tenant)
        actor = f"rule:dispatch@{cases.policy_version(tenant)}"

        async def load(reading: deciding.Reading) -> Loaded:
            waiting = await reading.load(folds.CONVERSATION, conversation_id)
            asked = candidates(policy, waiting)
            readable = [name for name in asked if self.picture.readable(tenant, name)]
            return await cases.load(reading, conversation_id, readable)

        def decide(loaded: Loaded) -> list[events.AnyEvent]:
            sequence = str(loaded.conversation.sequence)
            cause = ids.scoped_id("dispatch", tenant, conversation_id, sequence)
            return decide_offer(loaded, cases.origin(tenant, cause, actor))

        try:
            changed = await cases.change(tenant, load, decide)
        except errors.TellonceError as error:
            log.warning("offer_postponed", conversation=conversation_id, code=error.code)
            return False
        for aggregate, standing in changed.standing.items():
            _, name = aggregates.split(aggregate)
            self.picture.know(tenant, name, standing.state, cases.clock.now())
        return bool(changed.events)
