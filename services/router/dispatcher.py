"""Matches waiting conversations with free agents, and takes them from owners who are gone, by what changed.

It learns from the ledger and may forget all of it; a snapshot spares a new one the reading (docs/adr/0035).

Two dispatchers at once do no harm: an offer is written at the expected sequence of the conversation and of the
agent, so the second one conflicts.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Sequence

import structlog

from services.router import snapshot
from services.router.cases import Cases
from services.router.domain import folds
from services.router.domain.decide import decide_return
from services.router.domain.decision import Loaded
from services.router.lines import Key
from services.router.offering import Offering
from services.router.picture import Picture
from services.router.snapshot import Snapshots
from services.router.tolerant_codec import is_unreadable
from shared import aggregates, deciding, errors, events, ids, metrics
from shared.ledger import Ledger, Recorded

KEPT_EVENTS = 4_000
"""A snapshot is kept each time the ledger has grown by so much: a router that starts reads no more than that."""
KEEP_SECONDS = 2.0
LONGEST_SLEEP_SECONDS = 60.0
"""A due time is looked at so late at most, should the clock be set back."""

RETURN = "return"

log = structlog.get_logger("router.dispatcher")


class Dispatcher:
    """Offers waiting conversations of all tenants, longest waiting first, to as many as there is room for."""

    def __init__(self, cases: Cases, ledger: Ledger, snapshots: Snapshots) -> None:
        self._cases = cases
        self._ledger = ledger
        self._snapshots = snapshots
        self.picture = Picture(cases.policies)
        self.offering = Offering(cases, self.picture)
        cases.deciding.begins, cases.deciding.learns = self._begins, self._learns
        self._changed = asyncio.Event()
        self._past: int | None = None
        self._newest: Recorded | None = None
        self._kept = 0
        self.position = 0

    def _begins(self, tenant: str, aggregate: str) -> deciding.Beginning | None:
        return self.picture.beginning(tenant, aggregate, self._cases.clock.now())

    def _learns(self, tenant: str, changed: deciding.Changed) -> None:
        """Take in what was decided here, before the ledger gives it: whoever is free is asked at once."""
        self.picture.take(tenant, changed.standing, self._cases.clock.now())
        if changed.events and self._past is not None:
            self._learned(self._past)

    async def follow(self) -> None:
        """Keep the picture; runs until cancelled. Raises: StreamDrift, LedgerUnavailable.

        The ledger reads tolerantly (`TolerantCodec`): a conversation with an event of a newer version is left to it.
        Nobody is asked before the whole past is known.
        """
        past = await self._ledger.position()
        await self.begin()
        self._learned(past)
        async for batch in self._ledger.follow(self.position):
            await self.take(batch)
            self._learned(past)

    async def take(self, batch: Sequence[Recorded]) -> None:
        """Take what was recorded into the picture, and read again what is known anew."""
        self.see([await self._looked_at(each) for each in batch])
        for recorded in batch:
            if isinstance(recorded.event, events.EntryRejected):
                await self._regain(recorded.event.open.sequence)
            elif isinstance(recorded.event, events.ConversationReopened):
                # A resolved one is not kept in the picture: it is read again as it stands.
                await self._read_again(recorded.event.tenant, recorded.aggregate)

    def take_up(self, tenants: Iterable[str]) -> None:
        """Go on by the policies that these tenants have now."""
        self.picture.take_up(tenants, self._cases.clock.now())
        if self._past is not None:
            self._learned(self._past)

    def _learned(self, past: int) -> None:
        self._past = past
        if self.position >= past:
            self._changed.set()

    async def check(self) -> None:
        """Raises: StillReading until the whole past is known."""
        if self._past is None or self.position < self._past:
            raise errors.StillReading(position=self.position, wanted=self._past)

    async def begin(self) -> None:
        """Begin where the newest snapshot ends, if it fits. Raises: LedgerUnavailable."""
        kept = await self._snapshots.newest()
        if kept is None:
            return
        at = await self._ledger.get(kept.position)
        if not snapshot.fits(kept, at):
            log.info("snapshot_left", position=kept.position, version=kept.version)
            return
        now = self._cases.clock.now()
        self.picture.hours.begin(kept.hours)
        for tenant, conversation in kept.conversations:
            self.picture.know(tenant, conversation.id or "", conversation, now)
        for tenant, agent_id, agent in kept.agents:
            self.picture.know(tenant, agent_id, agent, now)
        for tenant, aggregate in kept.unreadable:
            self.picture.lose(tenant, aggregate, now)
            await self._read_again(tenant, aggregate)
        log.info("snapshot_taken_up", position=kept.position)
        self._newest, self._kept, self.position = at, kept.position, kept.position

    async def keep(self) -> None:
        """Keep a snapshot whenever the ledger has grown by KEPT_EVENTS; runs until cancelled."""
        while True:
            await asyncio.sleep(KEEP_SECONDS)
            if self.position - self._kept >= KEPT_EVENTS:
                await self.keep_now()

    async def keep_now(self) -> None:
        """Keep a snapshot; what cannot be kept is tried again later."""
        at = self._newest
        if at is None:
            return
        try:
            await self._snapshots.keep(snapshot.take(self.picture, at))
            self._kept = at.sequence
        except errors.TellonceError as error:
            log.warning("snapshot_not_kept", code=error.code)

    async def dispatch(self) -> None:
        """Act whenever something changed or fell due; runs until cancelled."""
        await self._changed.wait()
        while True:
            self._changed.clear()
            await self.return_all()
            await self.offering.offer_all()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._sleep_seconds()):
                    await self._changed.wait()

    def _sleep_seconds(self) -> float | None:
        due = self.picture.due()
        if due is None:
            return None
        left = (due - self._cases.clock.now()).total_seconds()
        return min(max(left, 0.0), LONGEST_SLEEP_SECONDS)

    async def return_all(self) -> None:
        """Let go to their queues what is with owners who are gone; what cannot be decided now is tried again."""
        for key in sorted(self.picture.left):
            if await self._return(key):
                self.picture.left.discard(key)
            else:
                self.picture.postpone(key, self._cases.clock.now())

    async def _looked_at(self, recorded: Recorded) -> Recorded:
        """Return what an operator recorded in the place of an entry that cannot be read; else the entry as it is."""
        if is_unreadable(recorded.event):
            with contextlib.suppress(errors.EventTypeUnknown, errors.NotAnEvent):
                return await self._cases.deciding.ledger.get(recorded.sequence) or recorded
        return recorded

    async def _regain(self, sequence: int) -> None:
        """Look again at the conversation or agent that an entry kept from being read, until it was rejected."""
        with contextlib.suppress(errors.EventTypeUnknown, errors.NotAnEvent):
            entry = await self._cases.deciding.ledger.get(sequence)
            if entry is not None:
                await self._read_again(entry.event.tenant, entry.aggregate)

    async def _read_again(self, tenant: str, aggregate: str) -> None:
        """Take in a conversation or an agent that could not be read, if it can be now."""
        deciding_on, (prefix, name) = self._cases.deciding, aggregates.split(aggregate)
        state: object = None
        with contextlib.suppress(errors.EventTypeUnknown, errors.NotAnEvent):
            if prefix == aggregates.CONVERSATION.prefix:
                state = await deciding_on.load(tenant, folds.CONVERSATION, name, leader=True)
            elif prefix == aggregates.AGENT.prefix:
                state = await deciding_on.load(tenant, folds.AGENT, name, leader=True)
            self.picture.regain(tenant, aggregate)
            self.picture.know(tenant, name, state, self._cases.clock.now())

    def measure(self) -> None:
        """Show who waits to be taken."""
        found, now = self.picture.waiting(), self._cases.clock.now()
        metrics.WAITING.replace({key: number for key, (number, _) in found.items()})
        waited = {key: max(0.0, (now - since).total_seconds()) for key, (_, since) in found.items()}
        metrics.WAITING_OLDEST.replace(waited)

    def see(self, batch: Sequence[Recorded]) -> None:
        """Take what was recorded into the picture."""
        now = self._cases.clock.now()
        for recorded in batch:
            self.position, self._newest = recorded.sequence, recorded
            self._cases.deciding.hear(recorded)
            self.picture.see(recorded, now)

    async def _return(self, key: Key) -> bool:
        """Take a conversation from whoever is gone; tell whether that could be decided.

        What was read for it is known from then on.
        """
        cases, (tenant, conversation_id) = self._cases, key

        async def load(reading: deciding.Reading) -> Loaded:
            return await cases.load(reading, conversation_id)

        def decide(loaded: Loaded) -> list[events.AnyEvent]:
            sequence = str(loaded.conversation.sequence)
            cause = ids.scoped_id(RETURN, tenant, conversation_id, sequence)
            actor = f"rule:{RETURN}@{cases.policy_version(tenant)}"
            return decide_return(loaded, cases.origin(tenant, cause, actor))

        try:
            await cases.change(tenant, load, decide)
        except errors.TellonceError as error:
            log.warning("return_postponed", conversation=conversation_id, code=error.code)
            return False
        except Exception:
            # A fault of ours in one decision is not to keep everybody else waiting.
            log.exception("return_failed", conversation=conversation_id)
            return False
        return True
