"""How the simulated shop stands, by its ledger alone, and what must hold at any time."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from services.router.domain import agent as agents
from services.router.domain.agent import ABSENT, Agent
from services.router.domain.answered import last_answer
from services.router.domain.asking import candidates, choose, waits
from shared import aggregates, calendars, conversation, events
from shared.conversation import NEW_CONVERSATION, Conversation
from shared.ledger import Recorded
from shared.policy import Policy

Due = tuple[str, datetime]
"""What is to come, in words, and by when."""


class Watch:
    """`open`: the conversations that are not resolved; `resolved`: those that are; `agents`: how each stands."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.open: dict[str, Conversation] = {}
        self.resolved: dict[str, Conversation] = {}
        self.agents: dict[str, Agent] = dict.fromkeys(policy.agents, ABSENT)

    def see(self, recorded: Recorded) -> None:
        """Take in what was recorded."""
        prefix, name = aggregates.split(recorded.aggregate)
        if prefix == aggregates.AGENT.prefix:
            self.agents[name] = agents.evolve_parts(
                self.agents[name], recorded.sequence, recorded.event
            )
        elif prefix == aggregates.CONVERSATION.prefix:
            known = self.resolved.pop(name, None)
            before = self.open.pop(name, None) or known or NEW_CONVERSATION
            after = conversation.evolve_parts(before, recorded.sequence, recorded.event)
            (self.resolved if after.resolved else self.open)[name] = after

    def there(self, queue: str | None = None) -> list[str]:
        """Return who is at work and makes no pause, of a queue or of all, in order of name."""
        return [
            name
            for name, each in sorted(self.agents.items())
            if each.status == "available"
            and (queue is None or queue in self.policy.agents[name].queues)
        ]

    # -- what must hold -----------------------------------------------------------------------------------

    def check(self, now: datetime, grace: timedelta) -> None:
        """I14, and that nothing due has passed in silence. Raises: AssertionError."""
        for name, it in self.open.items():
            self._is_held(name, it, now, grace)
            self._nobody_is_overlooked(name, it, now)
        self._nothing_passes_in_silence(now - grace)

    def _is_held(self, name: str, it: Conversation, now: datetime, grace: timedelta) -> None:
        """It has an owner who is there, or a queue that somebody on duty sees, while it is open."""
        owner, queue, offer = it.ownership.owner, it.ownership.queue, it.ownership.offer
        assert offer is None or self.agents[offer.agent].on_duty, (name, offer, "she is gone")
        assert (owner is None) != (queue is None), (name, owner, queue)
        aside = it.ownership.transfer is not None or it.handling.snooze is not None
        if owner is not None:
            assert aside or self.agents[owner].on_duty, (name, owner, "is gone and owns it")
            return
        assert queue in self.policy.queues, (name, queue)
        hours = self.policy.hours(queue)
        if calendars.is_open(hours, now - grace) and calendars.is_open(hours, now + grace):
            on_duty = [each for each, it in self.agents.items() if it.on_duty]
            sees = [each for each in on_duty if queue in self.policy.agents[each].queues]
            assert sees, (name, queue, now, "nobody on duty sees it")

    def _nobody_is_overlooked(self, name: str, it: Conversation, now: datetime) -> None:
        """Whoever waits waits because nobody could be asked."""
        if waits(it):
            names = candidates(self.policy, it, now)
            choice = choose(self.policy, it, names, lambda each: self.agents[each], now)
            assert choice.agent is None, (name, choice, "is free and was not asked")

    def _nothing_passes_in_silence(self, now: datetime) -> None:
        for name, it in self.open.items():
            for what, due in (*_due(it), *_promised(it)):
                assert due >= now, (name, what, due, "has passed and nobody was told")
        for name, it in self.resolved.items():
            for what, due in _promised(it) if it.into is None else ():
                assert due >= now, (name, what, due, "has passed and nobody was told")


def _promised(it: Conversation) -> Iterator[Due]:
    for each in it.matter.promises.values():
        if each.is_open and each.promise_id not in it.matter.overdue:
            yield f"promise {each.promise_id}", each.due


def _due(it: Conversation) -> Iterator[Due]:
    """Yield what an open conversation is to come to by a time, unless it was said already that it did not."""
    ownership, handling, wait = it.ownership, it.handling, it.live_wait
    if ownership.offer is not None:
        yield "offer", ownership.offer.expires
    if ownership.transfer is not None:
        yield "transfer", ownership.transfer.expires
    if handling.snooze is not None:
        yield "snooze", handling.snooze.until
    if wait is not None and wait.exceeds is not None and _still_waits(it, wait.contact_id):
        yield "wait", wait.exceeds
    yield from _clocks(it)


def _clocks(it: Conversation) -> Iterator[Due]:
    """Yield by when she is to be called, answered and helped."""
    for each in it.matter.callbacks.values():
        if each.status == "open" and each.callback_id not in it.matter.overdue:
            yield f"callback {each.callback_id}", each.due
    for clock in (it.levels.response, it.levels.resolution):
        if clock is not None and not (clock.breached or clock.paused or clock.answered):
            yield f"{clock.target} clock", clock.due
    line = it.escalation
    if line.due is None or line.made is None or line.told:
        return
    answered = last_answer(it, without=line.sender)
    spoken = any(each.medium == "call" and each.live for each in it.contacts.by_id.values())
    if not spoken and (answered is None or answered <= line.made):
        yield "escalation", line.due


def _still_waits(it: Conversation, contact_id: events.ContactId) -> bool:
    contact = it.contacts.by_id.get(contact_id)
    return (
        contact is not None
        and contact.live
        and contact.status == "waiting"
        and it.ownership.owner is None
    )
