"""Fired timers: questions whether something is still due."""

from dataclasses import replace as with_more

from msgspec.structs import replace

from services.router.cases import Cases
from services.router.domain import another_way, feedback, folds, undelivered, waiting
from services.router.domain.decide import decide_timer
from services.router.domain.decision import Loaded
from services.router.domain.due import promiser, tries
from shared import aggregates, arrivals, deciding, events, timers

ASKED_AGAIN_SECONDS = 10.0
ASKED_AT_MOST = 2
EARLY_SECONDS = 1.0
"""A timer that fires earlier than this by our clock waits for it: agents are told their times by ours, and the server,
which counts them, may be ahead."""


class FiredTimers:
    """Answers the router's timers. It never acknowledges: `shared.serving` does."""

    def __init__(self, cases: Cases) -> None:
        self._cases = cases

    async def ask(self, arrived: arrivals.ArrivedMessage) -> None:
        """Ask whether a fired timer is still due. Ask again later when the subject of the timer is not stored yet, and
        when its time has not come by our clock.

        Raises: NotAnEvent, TenantUnknown, TimerKindUnknown, Later, EventTypeUnknown, LedgerUnavailable.
        """
        timer, cases = timers.read_timer(arrived.body), self._cases
        early = (timer.due - cases.clock.now()).total_seconds()
        if early > EARLY_SECONDS:
            raise arrivals.Later(early, "timer_early")
        version = cases.policy_version(timer.tenant)
        actor = f"rule:{timer.kind}@{version}"
        origin = cases.origin(timer.tenant, f"{timer.kind}:{timer.id}", actor, timer.due)
        _, name = aggregates.split(timer.aggregate)

        async def load(reading: deciding.Reading) -> Loaded:
            if timer.kind == timers.WAIT_EXCEEDED.name and not origin.policy.wait_offer:
                return Loaded(await reading.load(folds.CONVERSATION, name))
            if timer.kind == timers.MESSAGE_UNDELIVERED.name:
                return await self._undelivered(reading, name, timer)
            if timer.kind == timers.FEEDBACK_DUE.name:
                return await cases.with_hers(
                    reading, await cases.load(reading, events.ConversationId(name))
                )
            conversation = await reading.load(folds.CONVERSATION, name)
            return await cases.load(
                reading, events.ConversationId(name), promiser(conversation, timer.id)
            )

        def decide(loaded: Loaded) -> list[events.AnyEvent]:
            conversation = loaded.conversation
            which = (
                tries(conversation, timer.id)
                or waiting.asked_about(conversation, timer.id)
                or feedback.asked_about(conversation, timer.id)
            )
            cause = f"{origin.cause}:{which}" if which else origin.cause
            return decide_timer(loaded, timer.kind, timer.id, replace(origin, cause=cause))

        changed = await cases.change(timer.tenant, load, decide)
        if not changed.events and arrived.attempt < ASKED_AT_MOST:
            raise arrivals.Later(ASKED_AGAIN_SECONDS, "timer_found_nothing")

    async def _undelivered(
        self, reading: deciding.Reading, name: str, timer: timers.Timer
    ) -> Loaded:
        """Load where a message was written and goes on, whether it has arrived, and where else it may go."""
        matter = await self._cases.going_on(reading, events.ConversationId(name))
        loaded = await self._cases.load(reading, events.ConversationId(matter[-1].id or name))
        wanted = undelivered.waiting(matter, timer.id)
        if not wanted:
            return loaded
        written = await self._cases.deciding.ledger.read_leader(timer.tenant, timer.aggregate)
        found = [
            each.event
            for each in written
            if isinstance(each.event, events.MessageRequested)
            and each.event.open.message_id in wanted
        ]
        policy, opened = self._cases.policies.of(timer.tenant), found[0].open
        account = policy.account(opened.channel, opened.account)
        sent_to = found[0].personal.to if found[0].personal else None
        to = another_way.address(policy, account, matter[0], loaded.customer, sent_to)
        known = await self._cases.handles(reading, [to] if to else [])
        return with_more(loaded, undelivered=found, handles=known)
