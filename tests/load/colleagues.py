"""The colleagues: they come for their shifts, take what they are offered, answer, hand over, call back and wrap up."""

import asyncio
import random
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from shared import events
from tests.faults.asking import wait
from tests.load.customers import lasts
from tests.load.floor import Floor

HOURS_OF_DAY = 24
SLOTS = 6
REACTION_SECONDS = (0.2, 2.0)
WORK_SECONDS: Mapping[str, float] = {"chat": 7.0, "email": 5.0, "form": 5.0, "messenger": 5.0}
"""The mean of what one of a channel takes: a day is an hour, so minutes are seconds."""
REFUSES, OVERSEES, HANDS_OVER, WARM = 0.02, 0.02, 0.08, 0.5
NOT_REACHED = 0.25
"""What part of the owed calls reaches nobody at the first try."""
TRIES_MAX = 6
CALLS_BACK_SECONDS = (2.0, 15.0)
LEAVES_WITHIN_SECONDS = 20.0
ANSWERED_BY: Mapping[str, str] = {
    "chat": "chat",
    "email": "email",
    "form": "email",
    "messenger": "messenger",
}


@dataclass(frozen=True, slots=True)
class Shift:
    """`hours`: from and to, of the day."""

    hours: tuple[tuple[float, float], ...]
    queues: tuple[str, ...]


HOTLINE, BRANCH, WAREHOUSE = "hotline", "branch-krakow", "warehouse"
_EARLY, _LATE, _NIGHT = ((6.0, 14.5),), ((13.5, 22.5),), ((0.0, 6.5), (22.0, 24.0))
SHIFTS: Mapping[str, Shift] = {
    **{f"early{n}": Shift(_EARLY, (HOTLINE,)) for n in range(1, 6)},
    **{f"late{n}": Shift(_LATE, (HOTLINE,)) for n in range(1, 6)},
    "branch1": Shift(_EARLY, (BRANCH,)),
    "branch2": Shift(_LATE, (BRANCH,)),
    "store1": Shift(_EARLY, (WAREHOUSE,)),
    "store2": Shift(_LATE, (WAREHOUSE,)),
    "night": Shift(_NIGHT, (HOTLINE, BRANCH, WAREHOUSE)),
}
"""Who works when: the hours overlap, so that what is under way can be finished."""


class Colleagues:
    """Everybody who works. `at_work`: who is there now."""

    def __init__(self, floor: Floor, tasks: asyncio.TaskGroup) -> None:
        self._floor = floor
        self._tasks = tasks
        self._chance = random.Random(f"{floor.observed.seed}/colleagues")
        self._busy: dict[str, int] = {}
        self.at_work: set[str] = set()
        floor.listener = self.see

    # -- shifts ----------------------------------------------------------------------------------------

    async def shifts(self, day_seconds: float) -> None:
        """Let everybody come and go for a day."""
        hour = day_seconds / HOURS_OF_DAY
        moments = sorted(
            (at * hour, comes, name)
            for name, shift in SHIFTS.items()
            for first, last in shift.hours
            for at, comes in ((first, True), (last, False))
        )
        passed = 0.0
        for at, comes, name in moments:
            await wait(at - passed)
            passed = at
            if at < day_seconds:
                self._start(self.comes(name) if comes else self._leaves(name))

    async def comes(self, name: str) -> None:
        """Begin to work."""
        self.at_work.add(name)
        await self._floor.does(name, "sign_in")

    async def everybody_comes(self) -> None:
        """Call in all who are at home."""
        for name in sorted(SHIFTS.keys() - self.at_work):
            await self.comes(name)

    async def _leaves(self, name: str) -> None:
        """Take nothing new, finish what is under way, within bounds, and go: what is left goes back to its queue."""
        await self._floor.does(name, "set_status", status="away")
        for _ in range(int(LEAVES_WITHIN_SECONDS)):
            if not self._busy.get(name):
                break
            await wait(1.0)
        self.at_work.discard(name)
        await self._floor.does(name, "set_status", status="signed_out")

    # -- work ------------------------------------------------------------------------------------------

    def see(self, event: events.AnyEvent) -> None:
        """Begin what an event of the ledger asks of somebody."""
        conversation = str(event.conversation)
        match event:
            case events.ContactOffered():
                offer = {"offer_id": str(event.open.offer_id)}
                self._work(event.open.agent, conversation, "accept_offer", offer)
            case events.TransferOffered():
                transfer = {"transfer_id": str(event.open.transfer_id)}
                self._work(event.open.agent, conversation, "accept_transfer", transfer)
            case events.TransferExpired() | events.TransferRejected() if event.open.returned_to:
                kind, _, name = event.open.returned_to.partition("-")
                if kind == "agent":
                    self._goes_on(name, self._finish(name, conversation))
            case events.CallbackRequested():
                self._start(self._calls_back(event.open, conversation))
            case _:
                pass

    def _work(self, name: str, conversation: str, verb: str, about: dict[str, str]) -> None:
        self._goes_on(name, self._takes(name, conversation, verb, about))

    def _goes_on(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        async def counted() -> None:
            self._busy[name] = self._busy.get(name, 0) + 1
            try:
                await work
            finally:
                self._busy[name] -= 1

        self._start(counted())

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.create_task(work)

    async def _takes(self, name: str, conversation: str, verb: str, about: dict[str, str]) -> None:
        """Accept what is offered, mostly, and see to it."""
        await wait(self._chance.uniform(*REACTION_SECONDS))
        drawn = self._chance.random()
        if drawn < OVERSEES:
            return
        if drawn < OVERSEES + REFUSES:
            await self._floor.does(
                name, verb.replace("accept", "reject"), conversation=conversation, **about
            )
            return
        if await self._floor.does(name, verb, conversation=conversation, **about):
            await self._serves(name, conversation, may_hand_over=verb == "accept_offer")

    async def _serves(self, name: str, conversation: str, *, may_hand_over: bool) -> None:
        """Answer, or talk as long as the call lasts; then hand over or finish."""
        channel = self._floor.channel.get(conversation, "")
        if channel in WORK_SECONDS:
            await wait(lasts(self._chance, WORK_SECONDS[channel]))
        if may_hand_over and self._chance.random() < HANDS_OVER:
            to = self._chance.choice([q for q in (HOTLINE, BRANCH, WAREHOUSE) if q != _desk(name)])
            kind = "warm" if self._chance.random() < WARM else "cold"
            asked = {"to": {"queue": to}, "kind": kind, "brief": "Please see where it is."}
            if await self._floor.does(name, "transfer", conversation=conversation, **asked):
                return
        await self._finish(name, conversation)

    async def _finish(self, name: str, conversation: str) -> None:
        """Answer what was written, wrap up and close; what comes in between is answered as well."""
        about = {"conversation": conversation}
        for _ in range(TRIES_MAX):
            while self._floor.is_talking(conversation):
                await wait()
            await self._answers(name, conversation)
            await wait(self._chance.uniform(*REACTION_SECONDS))
            done = {"disposition": "solved", "summary": "It is on its way."}
            await self._floor.does(name, "wrap_up", **done, **about)
            if await self._floor.does(name, "resolve", **about):
                return
            if self._floor.owner.get(conversation) != name:
                return
            await wait(self._chance.uniform(*REACTION_SECONDS))

    async def _answers(self, name: str, conversation: str) -> None:
        by = ANSWERED_BY.get(self._floor.channel.get(conversation, ""))
        if by is not None:
            text = f"It is on its way. {conversation}"
            await self._floor.does(
                name, "send_message", conversation=conversation, channel=by, text=text
            )

    async def _calls_back(self, owed: events.CallbackRequestedOpen, conversation: str) -> None:
        """Somebody of the queue calls back, and again until she is reached; nobody does while nobody is there."""
        about = {"conversation": conversation, "callback_id": owed.callback_id}
        for tried in range(TRIES_MAX):
            await wait(self._chance.uniform(*CALLS_BACK_SECONDS))
            there = [name for name in sorted(self.at_work) if owed.queue in SHIFTS[name].queues]
            if not there:
                continue
            name = self._chance.choice(there)
            missed = tried < TRIES_MAX - 1 and self._chance.random() < NOT_REACHED
            outcome = "no_answer" if missed else "reached"
            done = await self._floor.does(name, "attempt_callback", outcome=outcome, **about)
            if done and not missed:
                await self._finish(name, conversation)
            if not done or not missed:
                return

    async def clear_up(self) -> None:
        """Finish what somebody still has, by whatever chance it was left."""
        for conversation, name in list(self._floor.owner.items()):
            await self._finish(name, conversation)


def _desk(name: str) -> str:
    return SHIFTS[name].queues[0]
