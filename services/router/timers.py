"""Fired timers: questions whether something is still due."""

from msgspec.structs import replace

from services.router.cases import Cases
from services.router.domain import folds
from services.router.domain.decide import decide_timer
from services.router.domain.decision import Loaded
from services.router.domain.due import promiser, tries
from shared import aggregates, arrivals, deciding, events, timers

ASKED_AGAIN_SECONDS = 10.0
ASKED_AT_MOST = 2


class FiredTimers:
    """Answers the router's timers. It never acknowledges: `shared.serving` does."""

    def __init__(self, cases: Cases) -> None:
        self._cases = cases

    async def ask(self, arrived: arrivals.ArrivedMessage) -> None:
        """Ask whether a fired timer is still due. Ask again later when the subject of the timer is not stored yet.

        Raises: NotAnEvent, TenantUnknown, TimerKindUnknown, Later, EventTypeUnknown, LedgerUnavailable.
        """
        timer, cases = timers.read_timer(arrived.body), self._cases
        version = cases.policy_version(timer.tenant)
        actor = f"rule:{timer.kind}@{version}"
        origin = cases.origin(timer.tenant, f"{timer.kind}:{timer.id}", actor, timer.due)
        _, name = aggregates.split(timer.aggregate)

        async def load(reading: deciding.Reading) -> Loaded:
            conversation = await reading.load(folds.CONVERSATION, name)
            return await cases.load(
                reading, events.ConversationId(name), promiser(conversation, timer.id)
            )

        def decide(loaded: Loaded) -> list[events.AnyEvent]:
            tried = tries(loaded.conversation, timer.id)
            cause = f"{origin.cause}:{tried}" if tried else origin.cause
            return decide_timer(loaded, timer.kind, timer.id, replace(origin, cause=cause))

        changed = await cases.change(timer.tenant, load, decide)
        if not changed.events and arrived.attempt < ASKED_AT_MOST:
            raise arrivals.Later(ASKED_AGAIN_SECONDS, "timer_found_nothing")
