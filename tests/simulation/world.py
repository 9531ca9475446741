"""Everything that happens in the simulated shop: customers come and go, agents work in shifts, machines fail.

One seed, one week: every moment is drawn in an order that is the same each time.
"""

import heapq
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count

from shared import events
from shared.conversation import Conversation
from shared.ledger import Recorded
from tests.load.day import Arrival, planned
from tests.router import samples
from tests.router.invariants import check_owners
from tests.simulation.quick_router import QuickRouter
from tests.simulation.shop import HOTLINE, WAREHOUSE, Habits, Worker, the_policy, workers

DAY = timedelta(days=1)
MORNING = datetime.combine(samples.NOON.date(), datetime.min.time(), samples.NOON.tzinfo)
"""The week begins at midnight of the day of the tests."""
CALLS_BACK_EVERY = timedelta(minutes=2)
FAILS_EVERY = timedelta(hours=3)
PROMISED = timedelta(hours=1)
LATE_AGAIN = timedelta(hours=1)
MAILBOX = "email"
CHANNELS = {"chat": "chat", "mail": MAILBOX, "social": "dove"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long and how much. `kills`: whether the router is; `clock_off`: how wrong its clock may be then."""

    days: int
    contacts_a_day: float
    kills: bool = True
    clock_off: timedelta = timedelta(seconds=90)


Deed = Callable[[], Awaitable[None]]


class World:
    """The shop over `days`. `done`: how often what was done; `seen`: what was recorded so far.

    Faults are drawn from a chance of their own: without them the same people do the same.
    """

    def __init__(self, seed: int, plan: Plan) -> None:
        self.chance, self._fate = random.Random(seed), random.Random(f"fate {seed}")
        self.plan, self.habits = plan, Habits()
        self.workers = {each.name: each for each in workers()}
        self.router = QuickRouter(the_policy(list(self.workers.values())))
        self.now = self.router.clock.time = MORNING
        self.end = MORNING + plan.days * DAY
        self.done: dict[str, int] = {}
        self.seen: list[Recorded] = []
        self._off = timedelta(0)
        self._moments: list[tuple[datetime, int, Deed]] = []
        self._count, self._names = count(), count(1)
        self._talks: dict[str, Arrival] = {}
        came: list[Arrival] = []
        for day in range(plan.days):
            came += self._plan_day(MORNING + day * DAY, came)
        self._later(CALLS_BACK_EVERY, self._calls_back)
        if plan.kills:
            self._fails_later()

    def _plan_day(self, midnight: datetime, before: Sequence[Arrival]) -> list[Arrival]:
        seconds = DAY.total_seconds()
        arrivals = planned(self.chance, self.plan.contacts_a_day, seconds, before=before)
        for arrival in arrivals:
            self._at(midnight + timedelta(seconds=arrival.seconds), self._comes(arrival))
        for worker in self.workers.values():
            if midnight.weekday() not in worker.free:
                begins, ends = (midnight + timedelta(hours=hour) for hour in worker.shift)
                self._at(begins, self._signs_in(worker))
                self._at(ends, self._signs_out(worker))
        return arrivals

    # -- time -------------------------------------------------------------------------------------------

    def _at(self, when: datetime, deed: Deed) -> None:
        heapq.heappush(self._moments, (when, next(self._count), deed))

    def _later(self, mean: timedelta, deed: Deed) -> None:
        """Have it happen after a time drawn with this mean."""
        seconds = self.chance.expovariate(1 / mean.total_seconds())
        self._at(self.now + timedelta(seconds=seconds), deed)

    async def run(self) -> None:
        """Let everything happen, in order, until the week is over."""
        while self._moments and self._moments[0][0] < self.end:
            when, _, deed = heapq.heappop(self._moments)
            await self._passes(when)
            await deed()
            await self._settles()
        await self._passes(self.end)

    async def _passes(self, until: datetime) -> None:
        """Let timers fire on the way, each at its own time."""
        while (due := self.router.heap.next()) is not None and due <= until:
            self._is(max(due, self.now))
            await self.router.timers_fire(self.now)
            await self._settles()
        self._is(max(until, self.now))

    def _is(self, now: datetime) -> None:
        self.now = now
        self.router.clock.time = now + self._off

    async def _settles(self) -> None:
        """The dispatcher does what it can; people begin to react."""
        await self.router.dispatch()
        await self.router.follow()
        news = await self.router.news(len(self.seen))
        self.seen += news
        for each in news:
            self._react(each.event)

    # -- customers --------------------------------------------------------------------------------------

    def _comes(self, arrival: Arrival) -> Deed:
        async def comes() -> None:
            self._count_up(arrival.way)
            if arrival.way == "phone":
                await self._calls(arrival)
            elif arrival.way == "form":
                form = samples.form(
                    self._words(arrival), self._name("f"), handles=self._of(arrival), at=self.now
                )
                await self._reports(form)
            else:
                await self._writes(arrival, self._name("m"), 0)

        return comes

    async def _calls(self, arrival: Arrival) -> None:
        name, who = self._name("CA"), [samples.phone(_phone(arrival.person))]
        if self.chance.random() < self.habits.missed:
            await self._reports(samples.call("missed", name, handles=who, at=self.now))
            return
        await self._reports(samples.call("started", name, handles=who, at=self.now))
        menu = samples.call("menu", name, handles=who, at=self.now, k=1, digits="2")
        await self._reports(menu)
        self._talks[samples.contact("twilio_voice", name)] = arrival
        self._later(self.habits.patience, self._hangs_up(name, arrival, unless_taken=True))

    def _hangs_up(self, name: str, arrival: Arrival, *, unless_taken: bool) -> Deed:
        async def hangs_up() -> None:
            contact_id = samples.contact("twilio_voice", name)
            if unless_taken and await self._is_taken(contact_id):
                talk = self._hangs_up(name, arrival, unless_taken=False)
                self._later(self.habits.talk, talk)
                return
            if self._talks.pop(contact_id, None) is not None:
                who = [samples.phone(_phone(arrival.person))]
                await self._reports(samples.call("ended", name, handles=who, at=self.now, k=2))

        return hangs_up

    async def _is_taken(self, contact_id: str) -> bool:
        return any(
            isinstance(each.event, events.ContactAccepted)
            and each.event.open.contact_id == contact_id
            for each in reversed(self.seen[-4_000:])
        )

    async def _writes(self, arrival: Arrival, name: str, k: int) -> None:
        channel = CHANNELS[arrival.way]
        message = samples.message(
            self._words(arrival), name, channel=channel, k=k, handles=self._of(arrival), at=self.now
        )
        await self._reports(message)
        if self.chance.random() < self.habits.writes_again:
            session = name if channel == "chat" else self._name("m")

            async def again() -> None:
                await self._writes(arrival, session, k + 1)

            self._later(self.habits.writing, again)

    async def _reports(self, event: events.InboundEvent) -> None:
        """A channel reports it; some of what it reports comes twice, and the second time may be late."""
        await self.router.takes(event)
        if self.chance.random() < self.habits.told_twice:

            async def again() -> None:
                before = await self.router.ledger.position()
                await self.router.takes(event)
                assert await self.router.ledger.position() == before, event.id

            self._later(LATE_AGAIN, again)

    def _of(self, arrival: Arrival) -> list[events.Handle]:
        return [samples.mail(f"p{arrival.person}@customer.example")]

    def _words(self, arrival: Arrival) -> str:
        """What she says: of some the number of her parcel, told anew each time."""
        return f"Where is it? {52:02}{arrival.person:022}" if arrival.person % 3 else "A question"

    def _name(self, kind: str) -> str:
        return f"{kind}{next(self._names)}"

    def _count_up(self, what: str) -> None:
        self.done[what] = self.done.get(what, 0) + 1

    # -- agents -----------------------------------------------------------------------------------------

    def _signs_in(self, worker: Worker) -> Deed:
        async def signs_in() -> None:
            await self.router.gives(worker.name, "sign_in")

        return signs_in

    def _signs_out(self, worker: Worker) -> Deed:
        async def signs_out() -> None:
            await self.router.gives(worker.name, "set_status", status="signed_out")
            await self.router.dispatch()
            await check_owners(self.router)

        return signs_out

    def _react(self, event: events.AnyEvent) -> None:
        match event:
            case events.ContactOffered() | events.TransferOffered():
                self._later(self.habits.answering, self._answers(event))
            case events.PromiseMade():
                self._later(PROMISED / 2, self._keeps(event))
            case events.ContactAccepted() | events.TransferAccepted() | events.CallbackReached():
                self._later(
                    self.habits.talk, self._works(event.conversation or "", event.open.agent)
                )

    def _answers(self, event: events.ContactOffered | events.TransferOffered) -> Deed:
        async def answers() -> None:
            drawn, habits = self.chance.random(), self.habits
            if drawn < habits.ignores:
                return
            verb = "reject" if drawn < habits.ignores + habits.refuses else "accept"
            asked: dict[str, str | None] = {"conversation": event.conversation}
            if isinstance(event, events.TransferOffered):
                what, asked["transfer_id"] = "transfer", event.open.transfer_id
            else:
                what, asked["offer_id"] = "offer", event.open.offer_id
            if await self.router.gives(event.open.agent, f"{verb}_{what}", **asked):
                self._count_up(f"{verb}_{what}")

        return answers

    def _keeps(self, promise: events.PromiseMade) -> Deed:
        async def keeps() -> None:
            told = {"conversation": promise.conversation, "promise_id": promise.open.promise_id}
            await self.router.gives(promise.open.agent, "keep_promise", **told)

        return keeps

    def _works(self, name: str, agent: str) -> Deed:
        async def works() -> None:
            it = await self._conversation(name)
            if it.resolved or it.ownership.owner != agent or it.ownership.transfer is not None:
                return
            if self.chance.random() < self.habits.pauses:
                await self._pauses(agent)
            if self.chance.random() < self.habits.transfers:
                await self._hands_on(name, agent)
            else:
                await self._ends(it, agent)

        return works

    async def _pauses(self, agent: str) -> None:
        await self.router.gives(agent, "set_status", status="away")

        async def back() -> None:
            if (await self.router.agent(agent)).status == "away":
                await self.router.gives(agent, "set_status", status="available")

        self._later(self.habits.writing, back)

    async def _hands_on(self, name: str, agent: str) -> None:
        other = WAREHOUSE if self.workers[agent].queue == HOTLINE else HOTLINE
        to = self.chance.choice(
            [{"queue": other}, {"team": other}, {"agent": self._somebody(agent)}]
        )
        kind = self.chance.choice(["warm", "cold"])
        told = {"conversation": name, "to": to, "kind": kind, "brief": "please look"}
        if await self.router.gives(agent, "transfer", **told):
            self._count_up(f"{kind}_transfer")
        self._later(2 * self.habits.talk, self._works(name, agent))

    def _somebody(self, agent: str) -> str:
        return self.chance.choice([name for name in self.workers if name != agent])

    async def _ends(self, it: Conversation, agent: str) -> None:
        """She answers, promises now and then, and ends what she can end; a call that goes on is ended later."""
        said = {"conversation": it.id}
        await self.router.gives(agent, "send_message", channel=MAILBOX, text="Here it is.", **said)
        if self.chance.random() < self.habits.promises:
            due = self.router.clock.time + PROMISED
            await self.router.gives(agent, "make_promise", text="I write to you", due=due, **said)
        await self.router.gives(agent, "wrap_up", disposition="solved", summary="done", **said)
        if not await self.router.gives(agent, "resolve", **said):
            self._later(self.habits.talk, self._works(it.id or "", agent))

    async def _calls_back(self) -> None:
        """Whoever is there calls back what is owed in her queue."""
        self._later(CALLS_BACK_EVERY, self._calls_back)
        for (_, name), it in list(self.router.dispatcher.picture.open.items()):
            owed = [each for each in it.matter.callbacks.values() if each.status == "open"]
            if not owed:
                continue
            there = [
                each.name
                for each in self.workers.values()
                if each.queue == owed[0].queue and (await self.router.agent(each.name)).on_duty
            ]
            if there:
                outcome = self.chance.choice(["reached", "reached", "no_answer"])
                asked = {"conversation": name, "callback_id": owed[0].callback_id}
                by = it.ownership.owner or self.chance.choice(there)
                if await self.router.gives(by, "attempt_callback", outcome=outcome, **asked):
                    self._count_up(f"called_back_{outcome}")

    async def _conversation(self, name: str) -> Conversation:
        found = self.router.dispatcher.picture.open.get(
            (samples.TENANT, events.ConversationId(name))
        )
        return found or Conversation(resolved=True)

    # -- machines ---------------------------------------------------------------------------------------

    async def _fails(self) -> None:
        """The router is killed and begins anew, with its snapshot or without; its clock may be wrong from now on."""
        self._fails_later()
        self._count_up("kills")
        if self._fate.random() < 0.5:
            await self.router.dispatcher.keep_now()
        self.router.restart()
        await self.router.dispatcher.begin()
        self._off = self.plan.clock_off * self._fate.uniform(-1, 1)
        self._is(self.now)

    def _fails_later(self) -> None:
        seconds = self._fate.expovariate(1 / FAILS_EVERY.total_seconds())
        self._at(self.now + timedelta(seconds=seconds), self._fails)


def _phone(person: int) -> str:
    return f"+4860{person:07}"
