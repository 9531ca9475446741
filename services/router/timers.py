"""Fired timers: questions whether something is still due."""

from __future__ import annotations

from services.router.clerk import Clerk
from services.router.domain.decide import decide_timer
from services.router.domain.decision import Case, Stamp
from shared import aggregates
from shared.codec import UNREADABLE
from shared.errors import NotAnEvent
from shared.events import AnyEvent, ConversationId
from shared.serving import Arrived, Later
from shared.timers import read_timer

TIMER_ASKED_AGAIN_SECONDS = 10.0
TIMER_ASKED_AT_MOST = 2


class FiredTimers:
    """Answers the router's timers. It never acknowledges: `shared.serving` does."""

    def __init__(self, clerk: Clerk) -> None:
        self._clerk = clerk

    async def ask(self, arrived: Arrived) -> None:
        """One fired timer: is it still due? What it asks about may not be stored yet: it is asked once more.

        Raises: NotAnEvent, TenantUnknown, Later, EventTypeUnknown, LedgerUnavailable.
        """
        try:
            timer = read_timer(arrived.body)
        except UNREADABLE as error:
            raise NotAnEvent() from error
        clerk, now = self._clerk, self._clerk.clock.now()
        policy = clerk.policies.of(timer.tenant)
        stamp = Stamp(
            tenant=timer.tenant,
            cause=f"{timer.kind}:{timer.id}",
            sha256=None,
            now=now,
            occurred=timer.due,
            actor=f"rule:{timer.kind}@{clerk.policy_version(timer.tenant)}",
            policy=policy,
            policy_version=clerk.policy_version(timer.tenant),
        )
        conversation_id = ConversationId(aggregates.split(timer.aggregate)[1])
        answered: list[AnyEvent] = []

        async def load(leader: bool) -> Case:
            return await clerk.case(timer.tenant, conversation_id, leader=leader)

        def judge(case: Case) -> list[AnyEvent]:
            answered[:] = decide_timer(case, timer.kind, timer.id, stamp)
            return answered

        await clerk.change(timer.tenant, load, judge)
        if not answered and arrived.attempt < TIMER_ASKED_AT_MOST:
            raise Later(TIMER_ASKED_AGAIN_SECONDS, "timer_found_nothing")
