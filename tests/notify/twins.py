"""In-memory twins of what notify talks to, and a fuse that kills it at the n-th step."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from services.notify.carriers import NotTaken, Transaction, Unanswered
from services.notify.domain.asking import (
    NO_WORD,
    NOT_TAKEN,
    UNCLEAR,
    Doubt,
    no_finding,
    no_question,
)
from services.notify.domain.messages import CustomerMessage
from services.notify.domain.notices import Notice
from services.notify.domain.outcomes import Outcome
from shared import events
from shared.ledger import Appended, Guard, Recorded, Write
from shared.timers import Timer
from tests.notify.samples import NOW
from tests.support.memory_ledger import MemoryLedger
from tests.support.memory_timers import MemoryTimers


class Killed(BaseException):
    """Signal 9: nothing of the code may catch it."""


class Fuse:
    """Kills at the step number `at` (from 0); `steps` names all that were passed."""

    def __init__(self, at: int | None = None) -> None:
        self.at = at
        self.steps: list[str] = []

    def step(self, name: str) -> None:
        self.steps.append(name)
        if self.at == len(self.steps) - 1:
            raise Killed(name)


class FixedClock:
    def now(self) -> datetime:
        return NOW


class SetClock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> datetime:
        return self.time


class FusedLedger:
    """The ledger, with a step before and after each append.

    `together`: how many intents have to be decided before any is appended.
    """

    def __init__(
        self, ledger: MemoryLedger, fuse: Fuse, together: asyncio.Barrier | None = None
    ) -> None:
        self._ledger = ledger
        self._fuse = fuse
        self._together = together

    async def append(
        self, tenant: str, writes: Sequence[Write], guards: Sequence[Guard] = ()
    ) -> Appended:
        name = writes[0].events[-1].type
        if self._together is not None and name == "notification.requested":
            await self._together.wait()
        self._fuse.step(f"before {name}")
        appended = await self._ledger.append(tenant, writes, guards)
        self._fuse.step(f"after {name}")
        return appended

    def forget(self) -> None:
        self._ledger.forget()

    async def stand_in(self, recorded: Recorded) -> Recorded | None:
        return await self._ledger.stand_in(recorded)

    async def read(self, tenant: str, aggregate: str, *, after: int = 0) -> list[Recorded]:
        return await self._ledger.read(tenant, aggregate, after=after)

    async def read_all(self, tenant: str, after: Mapping[str, int]) -> list[list[Recorded]]:
        return await self._ledger.read_all(tenant, after)

    async def read_leader(self, tenant: str, aggregate: str, *, after: int = 0) -> list[Recorded]:
        return await self._ledger.read_leader(tenant, aggregate, after=after)

    async def get(self, sequence: int) -> Recorded | None:
        return await self._ledger.get(sequence)

    async def position(self) -> int:
        return await self._ledger.position()

    def follow(self, after: int) -> AsyncIterator[Sequence[Recorded]]:
        return self._ledger.follow(after)


class PigeonPost:
    """A channel beside e-mail, as far from it as the contract allows: names for addresses, words for answers."""

    NAME = "pigeon"
    MEDIUM: events.Medium = "letter"
    CARRIER = "memory"
    SECRETS: Sequence[str] = ()
    TEMPLATES = False
    OUTCOMES: Mapping[str, Outcome] = {
        "landed": Outcome(kind="sent"),
        "fog": Outcome(kind="failed", reason="fog", temporary=True),
        "hawk": Outcome(kind="failed", reason="hawk"),
    }

    def address(self, to: str) -> str | None:
        """A loft is a name in capital letters."""
        return to.upper() if to.isalpha() else None

    def render(self, message: CustomerMessage, now: datetime) -> str:
        return f"{message.sender} to {message.to}: {message.text}"

    def parts(self, message: CustomerMessage) -> int | None:
        return len(message.text.split())

    def ask(self, message: CustomerMessage, doubt: Doubt) -> Any:
        return no_question(message, doubt)

    def found(self, answer: str, message: CustomerMessage, doubt: Doubt) -> Outcome:
        return no_finding(answer, message, doubt)

    def outcome(self, answer: str) -> Outcome:
        return self.OUTCOMES.get(answer, Outcome(kind="uncertain", reason="unheard_of"))


class HomingPost(PigeonPost):
    """Another one, which can be asked what came home."""

    NAME = "homing"
    QUESTION = "what came home?"

    def ask(self, message: CustomerMessage, doubt: Doubt) -> str | None:
        return self.QUESTION

    def found(self, answer: str, message: CustomerMessage, doubt: Doubt) -> Outcome:
        return FOUND[answer]


FOUND = {
    "it": Outcome(kind="sent", provider_id="ring-7"),
    "nothing": NOT_TAKEN,
    "two": UNCLEAR,
    "asleep": NO_WORD,
}


class HomingLoft:
    """Takes pigeons, and says what it has. `loses`: the last step is never answered; `word`: what it says instead."""

    def __init__(self) -> None:
        self.taken: list[Any] = []
        self.asked = 0
        self.loses = False
        self.word: str | None = None
        self.fuse = Fuse()

    @contextlib.asynccontextmanager
    async def transaction(self, request: Any) -> AsyncIterator[Transaction]:
        self.fuse.step("ask" if request == HomingPost.QUESTION else "begin")
        yield _LoftTransaction(self, request)

    def answer(self, request: Any) -> str:
        if request == HomingPost.QUESTION:
            self.asked += 1
            return self.word or ("it" if self.taken else "nothing")
        self.taken.append(request)
        return "landed"


class _LoftTransaction:
    def __init__(self, loft: HomingLoft, request: Any) -> None:
        self._loft = loft
        self._request = request

    async def commit(self) -> Any:
        loft, asks = self._loft, self._request == HomingPost.QUESTION
        loft.fuse.step("before answer" if asks else "before commit")
        answer = loft.answer(self._request)
        loft.fuse.step("after answer" if asks else "after commit")
        if loft.loses and not asks:
            raise Unanswered
        return answer

    async def again(self, pause_seconds: float) -> bool:
        return False


class MemoryCarrier:
    """Takes whatever is rendered into a list.

    Attributes:
        answer: what a commit is answered with; an exception is raised instead.
        refusal: raised on entering while it is set.
        later: what the next commits are answered with; without any, the first one is the last.
    """

    def __init__(self, answer: Any, refusal: NotTaken | None = None) -> None:
        self.answer = answer
        self.later: list[Any] = []
        self.pauses: list[float] = []
        self.taken: list[Any] = []
        self.refusal = refusal
        self.fuse = Fuse()

    @contextlib.asynccontextmanager
    async def transaction(self, request: Any) -> AsyncIterator[Transaction]:
        self.fuse.step("begin")
        if self.refusal is not None:
            raise self.refusal
        yield _MemoryTransaction(self, request)


class _MemoryTransaction:
    def __init__(self, carrier: MemoryCarrier, request: Any) -> None:
        self._carrier = carrier
        self._request = request

    async def commit(self) -> Any:
        self._carrier.fuse.step("before commit")
        answer = self._carrier.answer
        if not isinstance(answer, NotTaken) and answer != "fog":
            self._carrier.taken.append(self._request)
        self._carrier.fuse.step("after commit")
        if isinstance(answer, NotTaken | Unanswered):
            raise answer
        return answer

    async def again(self, pause_seconds: float) -> bool:
        self._carrier.pauses.append(pause_seconds)
        if self._carrier.later:
            self._carrier.answer = self._carrier.later.pop(0)
            return True
        return False


class MemoryReports:
    """CONTACTS: the first event of an id stays, as in the stream and at the router."""

    def __init__(self) -> None:
        self.stored: dict[str, events.OutcomeEvent] = {}
        self.fuse = Fuse()

    async def report(self, event: events.OutcomeEvent) -> None:
        self.fuse.step("before report")
        self.stored.setdefault(event.id, event)
        self.fuse.step("after report")


class MemoryTransport:
    """Keeps notices. `fault`: raised instead, while it is set; `hangs`: it never answers."""

    def __init__(self, name: str = "screen") -> None:
        self.NAME = name
        self.sent: list[tuple[str, Notice]] = []
        self.fault: Exception | None = None
        self.hangs = False
        self.fuse = Fuse()

    async def send(self, tenant: str, notice: Notice) -> None:
        self.fuse.step(f"before {self.NAME}")
        if self.hangs:
            await asyncio.Event().wait()
        if self.fault is not None:
            raise self.fault
        self.sent.append((tenant, notice))
        self.fuse.step(f"after {self.NAME}")


class FusedTimers(MemoryTimers):
    """The timers, with a step before and after each is armed."""

    def __init__(self) -> None:
        super().__init__()
        self.fuse = Fuse()

    async def arm(self, timer: Timer) -> None:
        self.fuse.step("before arm")
        await super().arm(timer)
        self.fuse.step("after arm")
