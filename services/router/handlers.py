"""What arrives at the router, each in one screen: contact events and fired timers."""

from __future__ import annotations

import msgspec

from services.router.clerk import Clerk
from services.router.domain.decide import decide_timer
from services.router.domain.decision import Case, Stamp
from services.router.intake import Intake
from shared.codec import Codec
from shared.errors import NotAnEvent
from shared.events import AnyEvent, ConversationId
from shared.serving import Arrived, Later
from shared.timers import read_timer

TIMER_ASKED_AGAIN_SECONDS = 10.0
TIMER_ASKED_AT_MOST = 2


class Handlers:
    """The router's stream handlers. They never acknowledge: `shared.serving` does."""

    def __init__(self, clerk: Clerk, intake: Intake, codec: Codec) -> None:
        self._clerk = clerk
        self._intake = intake
        self._codec = codec

    async def contact(self, arrived: Arrived) -> None:
        """One message of CONTACTS. Raises: NotAnEvent, EventTypeUnknown, LedgerUnavailable, ViewUnavailable."""
        [event] = await self._codec.unseal([arrived.body])
        await self._intake.take(event)

    async def fired(self, arrived: Arrived) -> None:
        """One fired timer: is it still due? What it asks about may not be stored yet: it is asked once more."""
        try:
            timer = read_timer(arrived.body)
        except msgspec.DecodeError as error:
            raise NotAnEvent() from error
        clerk, now = self._clerk, self._clerk.clock.now()
        stamp = Stamp(
            tenant=timer.tenant,
            cause=f"{timer.kind}:{timer.id}",
            sha256=None,
            now=now,
            occurred=timer.due,
            actor=f"rule:{timer.kind}@{clerk.policy_version(timer.tenant)}",
            policy=clerk.policies.of(timer.tenant),
            policy_version=clerk.policy_version(timer.tenant),
        )
        conversation_id = ConversationId(timer.aggregate.removeprefix("conv-"))
        answered: list[AnyEvent] = []

        async def load(leader: bool) -> Case:  # noqa: FBT001  as the store calls it
            return await clerk.case(timer.tenant, conversation_id, leader=leader)

        def judge(case: Case) -> list[AnyEvent]:
            answered[:] = decide_timer(case, timer.kind, timer.id, stamp)
            return answered

        await clerk.change(timer.tenant, load, judge)
        if not answered and arrived.attempt < TIMER_ASKED_AT_MOST:
            raise Later(TIMER_ASKED_AGAIN_SECONDS, "timer_found_nothing")
