"""The measures of a contact centre by the field's definitions, computed from the ledger alone. Pure.

`docs/explanation/measures.md` has each formula with its source.
"""

import statistics
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from services.history.domain import attendance, handling
from services.history.domain.attendance import NEVER_THERE, Attendance, Stretch
from services.history.domain.handling import (
    LIVE,
    NOTHING_HANDLED,
    HandledContact,
    HandledConversation,
)
from services.history.domain.matters import Matter, matters
from shared import aggregates
from shared.ledger import Recorded
from shared.queries import Measures

REPEAT_WITHIN = timedelta(days=7)
ANSWERED_WITHIN_SECONDS = 20.0
SHORT_SECONDS = 5.0
"""Who is gone so soon had not begun to wait."""


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """What is measured: contacts that began in `since` <= t < `until`, of a queue, an agent, a channel, where given."""

    since: datetime
    until: datetime
    queue: str | None = None
    agent: str | None = None
    channel: str | None = None

    def holds(self, contact: HandledContact) -> bool:
        """Tell whether a contact is measured."""
        return (
            contact.began is not None
            and self.since <= contact.began < self.until
            and self.queue in (None, contact.queue)
            and self.agent in (None, contact.agent)
            and self.channel in (None, contact.channel)
        )


@dataclass
class HandledWork:
    """What was handled: conversations by id, and the time of agents.

    For a scope it may lack conversations that have no part in it, see the query `handled_in`.
    """

    conversations: dict[str, HandledConversation] = field(default_factory=dict)
    agents: dict[str, Attendance] = field(default_factory=dict)
    stretches: dict[str, list[Stretch]] = field(default_factory=lambda: defaultdict(list))

    def see(self, recorded: Recorded) -> None:
        """Take in one event of a tenant's ledger."""
        kind, name = aggregates.split(recorded.aggregate)
        if kind == aggregates.CONVERSATION.prefix:
            known = self.conversations.get(name, NOTHING_HANDLED)
            self.conversations[name] = handling.evolve(known, recorded.event)
        elif kind == aggregates.AGENT.prefix and isinstance(
            recorded.event, attendance.AttendanceEvent
        ):
            before = self.agents.get(name, NEVER_THERE)
            after = self.agents[name] = attendance.evolve(before, recorded.event)
            stretch = attendance.ended(before, after)
            if stretch is not None:
                self.stretches[name].append(stretch)

    def of_agents(self, agent: str | None) -> list[Stretch]:
        """Return the stretches of an agent, or of all, with those that go on."""
        over = [it for name, each in self.stretches.items() if agent in (None, name) for it in each]
        here = [each.stretch for name, each in self.agents.items() if agent in (None, name)]
        return over + [each for each in here if each is not None]


def measured(handled: HandledWork, scope: Scope) -> Measures:
    """Return the measures of what was handled."""
    within = [
        (matter, contacts)
        for matter in matters(handled.conversations)
        if (contacts := [each for each in matter.contacts() if scope.holds(each)])
    ]
    contacts = [each for _, found in within for each in found]
    courses = [matter for matter, _ in within]
    live = [each for each in contacts if each.medium in LIVE]
    hand_overs = _total(courses, "hand_overs")
    solved = [each for each in courses if each.ends(scope.since)]
    again, same = _came_again(handled, solved, scope)
    first = [each for each in solved if each.began() == 1 and each.name not in again]
    at_first = [each for each in first if each.total("transfers") == 0]
    alone = [each for each in solved if each.total("transfers") == 0]
    owed, recovered = _recovered(within)
    asked_how = [each for each in contacts if each.asked_how]
    scores = [each.score for each in asked_how if each.score is not None]
    return Measures(
        contacts=len(contacts),
        taken=sum(each.taken is not None for each in contacts),
        abandoned=sum(each.gave_up and not each.missed for each in contacts),
        missed=sum(each.missed for each in contacts),
        asa_to_asked=_mean(live, lambda it: _seconds(it.queued, it.asked)),
        asa_to_taken=_mean(live, lambda it: _seconds(it.queued, it.taken)),
        aht=_mean(contacts, lambda it: _seconds(it.taken, it.wrapped)),
        service_level_20s_with_abandoned=_service_level(live, lambda _: True),
        service_level_20s_without_short_abandoned=_service_level(live, _waited),
        service_level_20s_without_abandoned=_service_level(live, lambda _: False),
        abandonment=_abandoned(live, lambda _: True),
        abandonment_before_asked=_abandoned(live, lambda it: it.asked is None),
        abandonment_after_asked=_abandoned(live, lambda it: it.asked is not None),
        transfer_rate=_share([each.total("transfers") > 0 for each in courses]),
        fcr_gross=_ratio(len(at_first), len(solved)),
        fcr_net=_ratio(len(at_first), len(alone)),
        repeat_contact=_ratio(len(again), len(solved)),
        repeat_contact_same_matter=_ratio(len(same), len(solved)),
        occupancy=_occupancy(handled, scope),
        acknowledged=_ratio(_total(courses, "acknowledged"), hand_overs),
        repeats_per_hand_over=_ratio(_total(courses, "repeats"), hand_overs),
        promise_kept=_promises_kept(handled, scope),
        missed_recovery=_ratio(len(recovered), owed),
        recovery_seconds=statistics.median(recovered) if recovered else None,
        feedback_score=statistics.fmean(scores) if scores else None,
        feedback_rate=_ratio(len(scores), len(asked_how)),
    )


# -- live contacts --------------------------------------------------------------------------------------


def _service_level(
    live: Sequence[HandledContact], counts: Callable[[HandledContact], bool]
) -> float | None:
    """Return the share of those taken in time; `counts`: which of the lost are in it."""
    taken = [_seconds(it.queued or it.began, it.taken) for it in live if it.taken is not None]
    lost = sum(counts(each) for each in live if each.taken is None and each.gave_up)
    in_time = sum(each is not None and each <= ANSWERED_WITHIN_SECONDS for each in taken)
    return _ratio(in_time, len(taken) + lost)


def _waited(contact: HandledContact) -> bool:
    waited = _seconds(contact.queued or contact.began, contact.lost)
    return waited is not None and waited >= SHORT_SECONDS


def _abandoned(
    live: Sequence[HandledContact], counts: Callable[[HandledContact], bool]
) -> float | None:
    ended = [each for each in live if each.gave_up or each.taken is not None]
    return _ratio(sum(each.gave_up and counts(each) for each in ended), len(ended))


# -- matters --------------------------------------------------------------------------------------------


def _came_again(
    handled: HandledWork, solved: Sequence[Matter], scope: Scope
) -> tuple[set[str], set[str]]:
    """Return the matters after whose end the person came again within REPEAT_WITHIN, and which with the same one."""
    opened = defaultdict[str, list[tuple[datetime, str]]](list)
    following = defaultdict[tuple[str, str | None], list[tuple[datetime, str]]](list)
    for name, each in handled.conversations.items():
        if each.customer is not None and each.opened is not None:
            insort(opened[each.customer], (each.opened, name))
            following[each.customer, each.after].append((each.opened, name))
    again, same = set[str](), set[str]()
    for matter in solved:
        ends, whose = matter.ends(scope.since), matter.customer or ""
        reopened = [at for each in matter.parts.values() for at in each.reopened]
        after = [each for part in matter.parts for each in following.get((whose, part), ())]
        went_on = [at for at, name in after if name not in matter.parts]
        if any(_soon_after(ends, at) for at in (*reopened, *went_on)):
            same.add(matter.name)
        if matter.name in same or _another(opened.get(whose, []), ends, matter.parts):
            again.add(matter.name)
    return again, same


def _another(
    opened: Sequence[tuple[datetime, str]], ends: Iterable[datetime], but: Container[str]
) -> bool:
    """Tell whether another conversation was opened soon after an end; `opened`: in the order in which they were."""
    for end in ends:
        first, last = (bisect_left(opened, (at, "")) for at in (end, end + REPEAT_WITHIN))
        if any(opened[k][1] not in but for k in range(first, last)):
            return True
    return False


def _soon_after(ends: Iterable[datetime], at: datetime) -> bool:
    return any(end <= at < end + REPEAT_WITHIN for end in ends)


def _recovered(
    within: Iterable[tuple[Matter, Sequence[HandledContact]]],
) -> tuple[int, list[float]]:
    """Return how many were lost whose number is known, and after how many seconds who was reached was reached."""
    owed, recovered = 0, list[float]()
    for matter, contacts in within:
        for contact in contacts:
            if contact.lost is None:
                continue
            call = matter.call_for(contact)
            owed += call is not None or not contact.unreachable
            if call is not None and call.reached is not None:
                recovered.append((call.reached - contact.lost).total_seconds())
    return owed, recovered


def _promises_kept(handled: HandledWork, scope: Scope) -> float | None:
    """Return it over all whose time was in `scope`, whoever's they are."""
    ends = [end for each in handled.conversations.values() for end in each.promises.values()]
    return _share([each.in_time for each in ends if scope.since <= each.at < scope.until])


def _occupancy(handled: HandledWork, scope: Scope) -> float | None:
    """Return it over the time of `scope`."""
    present = occupied = timedelta(0)
    for each in handled.of_agents(scope.agent):
        since, until = max(each.since, scope.since), min(each.until, scope.until)
        if since < until:
            present += until - since
            occupied += until - since if each.occupied else timedelta(0)
    return _ratio(occupied.total_seconds(), present.total_seconds())


# -- arithmetic -----------------------------------------------------------------------------------------


def _total(courses: Iterable[Matter], name: str) -> int:
    return sum(each.total(name) for each in courses)


def _seconds(since: datetime | None, until: datetime | None) -> float | None:
    return (until - since).total_seconds() if since is not None and until is not None else None


def _mean(
    contacts: Iterable[HandledContact], seconds: Callable[[HandledContact], float | None]
) -> float | None:
    known = [each for each in map(seconds, contacts) if each is not None]
    return statistics.fmean(known) if known else None


def _share(cases: Sequence[bool]) -> float | None:
    return _ratio(sum(cases), len(cases))


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None
