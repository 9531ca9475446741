"""Matches waiting conversations with free agents. The dispatcher learns from the ledger and may forget everything.

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
from services.router.domain.offers import candidates, waits
from services.router.tolerant_codec import is_unreadable
from shared import aggregates, deciding, errors, events, ids
from shared import conversation as conversations
from shared.conversation import NEW_CONVERSATION, Conversation
from shared.ledger import Ledger, Recorded

TICK_SECONDS = 0.5
"""How often waiting conversations are looked at without an event: a rest after a refusal ends by itself."""

log = structlog.get_logger("router.dispatcher")
Key = tuple[str, events.ConversationId]


class Dispatcher:
    """Offers waiting conversations of all tenants, longest waiting first. `known`: those that are open."""

    def __init__(self, cases: Cases, ledger: Ledger) -> None:
        self._cases = cases
        self._ledger = ledger
        self.known: dict[Key, Conversation] = {}
        self._unreadable: set[Key] = set()
        self._changed = asyncio.Event()
        self.position = 0

    async def follow(self) -> None:
        """Keep the picture of open conversations; runs until cancelled. Raises: StreamDrift.

        The ledger reads tolerantly (`TolerantCodec`): a conversation with an event of a newer version is left to it.
        """
        async for batch in self._ledger.follow(self.position):
            self.see(batch)
            self._changed.set()

    async def dispatch(self) -> None:
        """Make offers whenever something changed or a tick has passed; runs until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_SECONDS):
                    await self._changed.wait()
            self._changed.clear()
            await self.offer_all()

    async def offer_all(self) -> None:
        """Make the offers that can be made now."""
        for key in self._waiting():
            await self._offer(*key)

    def see(self, batch: Sequence[Recorded]) -> None:
        """Take what was recorded into the picture."""
        for recorded in batch:
            self.position = recorded.sequence
            prefix, name = aggregates.split(recorded.aggregate)
            if prefix != aggregates.CONVERSATION.prefix:
                continue
            key = (recorded.event.tenant, events.ConversationId(name))
            if is_unreadable(recorded.event):
                self._unreadable.add(key)
                self.known.pop(key, None)
            if key in self._unreadable:
                continue
            before = self.known.get(key, NEW_CONVERSATION)
            after = conversations.evolve_parts(before, recorded.sequence, recorded.event)
            if after.resolved or after.id is None:  # the latter: something after the end
                self.known.pop(key, None)
            else:
                self.known[key] = after

    def _waiting(self) -> list[Key]:
        """Return the conversations for which somebody must be asked, longest waiting first."""
        found = [
            (since, key)
            for key, waiting in self.known.items()
            if waits(waiting) and (since := waiting.ownership.waiting_since or waiting.opened)
        ]
        return [key for _, key in sorted(found)]

    async def _offer(self, tenant: str, conversation_id: events.ConversationId) -> None:
        if tenant not in self._cases.policies.tenants():
            return
        cases, policy = self._cases, self._cases.policies.of(tenant)
        actor = f"rule:dispatch@{cases.policy_version(tenant)}"

        async def load(reading: deciding.Reading) -> Loaded:
            waiting = await reading.load(folds.CONVERSATION, conversation_id)
            return await cases.load(reading, conversation_id, candidates(policy, waiting))

        def decide(loaded: Loaded) -> list[events.AnyEvent]:
            sequence = str(loaded.conversation.sequence)
            cause = ids.scoped_id("dispatch", tenant, conversation_id, sequence)
            return decide_offer(loaded, cases.origin(tenant, cause, actor))

        try:
            await cases.change(tenant, load, decide, confirm=False)
        except errors.TellonceError as error:
            log.warning("offer_postponed", conversation=conversation_id, code=error.code)
