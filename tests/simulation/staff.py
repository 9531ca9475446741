"""The agents of the simulated shop: they come and go, answer, hand on, promise, put aside, call back, supervise."""

from datetime import datetime, timedelta
from typing import Any

from shared import events
from shared.conversation import Callback, Conversation
from tests.simulation.clockwork import Clockwork, Deed
from tests.simulation.customers import Customers
from tests.simulation.shop import HOTLINE, PARCELS, Habits, workers

CALLS_BACK_EVERY, SUPERVISES_EVERY = timedelta(minutes=8), timedelta(minutes=40)
AHEAD = timedelta(minutes=10)
"""So long before a call is due somebody tries once more."""
PROMISED = (timedelta(minutes=10), timedelta(hours=1), timedelta(hours=4), timedelta(hours=20))
LATER = timedelta(hours=1)
CALLED_BACK = ("reached", "reached", "no_answer", "busy", "voicemail", "wrong_number")
WRITTEN = {"chat": "chat", "mail": "email", "message": "dove"}
Asked = events.ContactOffered | events.TransferOffered


class Staff:
    """Does what agents do. `customers`: whom they confirm."""

    def __init__(self, work: Clockwork, customers: Customers, habits: Habits) -> None:
        self._work, self._customers, self._habits = work, customers, habits
        self.workers = {each.name: each for each in workers()}
        work.reacts.append(self._react)
        work.later(CALLS_BACK_EVERY, self._calls_back)
        work.later(SUPERVISES_EVERY, self._supervises)

    def plan_day(self, midnight: datetime, weekday: int) -> None:
        """Those come who do not have the day off."""
        for worker in self.workers.values():
            if worker.works(weekday):
                begins, ends = (midnight + timedelta(hours=hour) for hour in worker.shift)
                self._work.at(begins, self._gives(worker.name, "sign_in"))
                leaves = self._gives(worker.name, "set_status", status="signed_out")
                self._work.at(ends, leaves)

    def _gives(self, actor: str, verb: str, **fields: Any) -> Deed:
        async def gives() -> None:
            await self._work.gives(actor, verb, **fields)

        return gives

    def _react(self, event: events.AnyEvent) -> None:
        work, name = self._work, event.conversation or ""
        match event:
            case events.ContactOffered() | events.TransferOffered():
                work.later(self._habits.answering, self._answers(event))
            case events.PromiseMade() if event.open.agent in self.workers:
                self._plans_promise(event)
            case (
                events.ContactAccepted()
                | events.TransferAccepted()
                | events.CallbackReached()
                | events.ConversationAssigned()
                | events.ConversationReopened()
            ):
                work.later(self._habits.talk, self._works(name, event.open.agent))
            case events.ConversationWoken() if it := work.watch.open.get(name):
                work.later(self._habits.talk, self._works(name, it.ownership.owner or ""))
            case events.ConversationMerged() if event.open.owner is not None:
                work.later(self._habits.talk, self._works(name, event.open.owner))
            case events.TransferRejected() | events.TransferExpired():
                back = (event.open.returned_to or "").removeprefix("agent-")
                work.later(self._habits.talk, self._works(name, back))
            case events.ConversationResolved() if work.chance.random() < self._habits.reopens:
                work.later(LATER, self._reopens(name))

    def _answers(self, event: Asked) -> Deed:
        async def answers() -> None:
            drawn, habits = self._work.chance.random(), self._habits
            if drawn < habits.ignores:
                return
            verb = "reject" if drawn < habits.ignores + habits.refuses else "accept"
            asked: dict[str, str | None] = {"conversation": event.conversation}
            if isinstance(event, events.TransferOffered):
                what, asked["transfer_id"] = "transfer", event.open.transfer_id
            else:
                what, asked["offer_id"] = "offer", event.open.offer_id
            await self._work.gives(event.open.agent, f"{verb}_{what}", **asked)

        return answers

    # -- a matter of hers ---------------------------------------------------------------------------------

    def _works(self, name: str, agent: str) -> Deed:
        async def works() -> None:
            it = self._work.watch.open.get(name)
            if it is None or it.ownership.owner != agent or it.ownership.transfer is not None:
                return
            if it.handling.snooze is not None:
                return
            habits, drawn = self._habits, self._work.chance.random()
            steps = (
                (habits.pauses, self._pauses),
                (habits.transfers, self._hands_on),
                (habits.escalates, self._escalates),
                (habits.snoozes, self._snoozes),
                (1.0, self._ends),
            )
            for part, step in steps:
                if drawn < part:
                    await step(it, agent)
                    return
                drawn -= part

        return works

    def _goes_on(self, it: Conversation, agent: str) -> None:
        self._work.later(self._habits.talk, self._works(it.id or "", agent))

    async def _pauses(self, it: Conversation, agent: str) -> None:
        await self._work.gives(agent, "set_status", status="away")
        self._goes_on(it, agent)

        async def back() -> None:
            if self._work.watch.agents[agent].status == "away":
                await self._work.gives(agent, "set_status", status="available")

        self._work.later(self._habits.writing, back)

    async def _hands_on(self, it: Conversation, agent: str) -> None:
        other = PARCELS if self.workers[agent].queue == HOTLINE else HOTLINE
        chance = self._work.chance
        somebody = chance.choice([name for name in self.workers if name != agent])
        to = chance.choice([{"queue": other}, {"team": other}, {"agent": somebody}])
        kind = chance.choice(["warm", "cold"])
        told = {"conversation": it.id, "to": to, "kind": kind, "brief": "please look"}
        if await self._work.gives(agent, "transfer", **told):
            self._work.done[f"{kind} transfer"] += 1
            if kind == "warm" and chance.random() < self._habits.refuses:
                self._work.later(self._habits.answering, self._takes_back(it.id or "", agent))
        else:
            self._goes_on(it, agent)

    def _takes_back(self, name: str, agent: str) -> Deed:
        async def takes_back() -> None:
            it = self._work.watch.open.get(name)
            transfer = it.ownership.transfer if it else None
            if it is not None and transfer is not None and transfer.sender == agent:
                told = {"conversation": name, "transfer_id": transfer.transfer_id}
                await self._work.gives(agent, "cancel_transfer", **told)
                self._goes_on(it, agent)

        return takes_back

    async def _escalates(self, it: Conversation, agent: str) -> None:
        if not await self._work.gives(agent, "escalate", conversation=it.id, brief="too hard"):
            self._goes_on(it, agent)

    async def _snoozes(self, it: Conversation, agent: str) -> None:
        until = self._work.router.clock.time + self._work.chance.choice(PROMISED)
        if not await self._work.gives(agent, "snooze", conversation=it.id, until=until):
            self._goes_on(it, agent)

    async def _ends(self, it: Conversation, agent: str) -> None:
        """She answers, promises now and then, and ends what she can end; a call that goes on is ended later."""
        said, chance = {"conversation": it.id}, self._work.chance
        await self._confirms(it, agent)
        last = it.contacts.last
        channel = WRITTEN.get(last.medium, "email") if last else "email"
        asks = chance.random() < self._habits.asks_again
        text = "What is your parcel number?" if asks else "Here it is."
        await self._work.gives(agent, "send_message", channel=channel, text=text, **said)
        if chance.random() < self._habits.waits_for_her:
            self._goes_on(it, agent)
            return
        if chance.random() < self._habits.promises:
            due = self._work.router.clock.time + chance.choice(PROMISED)
            await self._work.gives(agent, "make_promise", text="I write to you", due=due, **said)
        ends = {"disposition": "solved", "summary": "done"}
        await self._work.gives(agent, "wrap_up", **ends, **said)
        if not await self._work.gives(agent, "resolve", **said):
            self._goes_on(it, agent)

    async def _confirms(self, it: Conversation, agent: str) -> None:
        """She asks who a stranger is: it is somebody whom the shop knows, whose matter goes on."""
        last = it.contacts.latest
        person = self._customers.who.get(last.contact_id) if last else None
        customer = self._customers.registered.get(person) if person is not None else None
        if customer is not None and customer != it.customer:
            told = {"conversation": it.id, "customer": customer}
            await self._work.gives(agent, "confirm_customer", **told)

    def _reopens(self, name: str) -> Deed:
        async def reopens() -> None:
            there = self._work.watch.there()
            if there and name in self._work.watch.resolved:
                agent = self._work.chance.choice(there)
                await self._work.gives(agent, "reopen", conversation=name, reason="once more")

        return reopens

    # -- what was promised --------------------------------------------------------------------------------

    def _plans_promise(self, event: events.PromiseMade) -> None:
        """Most are kept in time, some get another time, some are kept late, and some are given up."""
        chance, left = self._work.chance, event.open.due - event.recorded
        drawn, soon = chance.random(), self._work.now + left * chance.uniform(0.1, 0.9)
        late = self._work.now + left + timedelta(minutes=20)
        if drawn < 0.65:
            self._work.at(soon, self._promise(event, "keep_promise"))
        elif drawn < 0.8:
            due = event.open.due + timedelta(hours=2)
            moves = self._promise(event, "renegotiate_promise", due=due, reason="she agreed")
            self._work.at(soon, moves)
            self._work.at(late, self._promise(event, "keep_promise"))
        elif drawn < 0.9:
            self._work.at(late, self._promise(event, "keep_promise"))
        else:
            gives_up = self._promise(event, "withdraw_promise", reason="nobody can")
            self._work.at(chance.choice([soon, late]), gives_up)

    def _promise(self, event: events.PromiseMade, verb: str, **fields: Any) -> Deed:
        """Whoever promised, or else somebody who is there, looks after it; at night nobody does."""

        async def acts() -> None:
            there = self._work.watch.there()
            if not there:
                self._work.later(LATER, acts)
                return
            by = event.open.agent if event.open.agent in there else self._work.chance.choice(there)
            told = {"conversation": event.conversation, "promise_id": event.open.promise_id}
            await self._work.gives(by, verb, **told, **fields)

        return acts

    # -- who looks around ---------------------------------------------------------------------------------

    async def _calls_back(self) -> None:
        """Whoever is there calls back what is owed in her queue, and tries again when it is almost due."""
        self._work.later(CALLS_BACK_EVERY, self._calls_back)
        for name, it in list(self._work.watch.open.items()):
            owed = it.matter.owed
            if owed is not None and self._is_time(owed):
                there = self._work.watch.there(owed.queue)
                if there:
                    by = it.ownership.owner or self._work.chance.choice(there)
                    outcome = self._work.chance.choice(CALLED_BACK)
                    told = {"conversation": name, "callback_id": owed.callback_id}
                    if await self._work.gives(by, "attempt_callback", outcome=outcome, **told):
                        self._work.done[f"called back: {outcome}"] += 1

    def _is_time(self, owed: Callback) -> bool:
        return owed.attempts == 0 or self._work.router.clock.time >= owed.due - AHEAD

    async def _supervises(self) -> None:
        """A supervisor who is there takes something of her queue, or gives it to somebody who is there."""
        self._work.later(SUPERVISES_EVERY, self._supervises)
        watch, chance = self._work.watch, self._work.chance
        for queue, known in self._work.router.policy.queues.items():
            by, there = known.supervisor, watch.there(queue)
            hers = [
                name
                for name, it in watch.open.items()
                if queue in {it.ownership.queue, it.ownership.first_queue}
            ]
            if by not in there or not hers:
                continue
            told = {"conversation": chance.choice(hers), "reason": "it is long"}
            if chance.random() < 0.5:
                await self._work.gives(by, "take_over", **told)
            else:
                await self._work.gives(by, "assign", to=chance.choice(there), **told)
