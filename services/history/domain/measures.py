"""The measures of a contact centre by the field's definitions, computed from the ledger alone. Pure.

`docs/explanation/measures.md` has each formula with its source. VERSION rises with every change of one: figures of
different versions are not compared.
"""

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

import msgspec

from services.history.domain.handling import HandledContact, HandledConversation, HandledWork

VERSION = 1
LIVE = frozenset({"call", "chat", "visit"})
"""Media in which the customer waits while she is there."""
REPEAT_WITHIN = timedelta(days=7)


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
            self.since <= contact.began < self.until
            and self.queue in (None, contact.queue)
            and self.agent in (None, contact.agent)
            and self.channel in (None, contact.channel)
        )


class Measures(msgspec.Struct, frozen=True, kw_only=True):
    """Shares are 0 to 1, times seconds; `None` where nothing was there to measure.

    `asa_to_asked`, `asa_to_taken`: of live contacts the average wait until somebody was asked, and took it; `aht`: from
    taking to wrap-up; `abandonment`: of live contacts; `fcr_gross`, `fcr_net`: solved at the first contact, of all and
    of those that went to nobody else; `repeat_contact`: of persons who came again within 7 days in another
    conversation; `occupancy`: of the time available; `acknowledged`: of hand-overs; `repeats_per_hand_over`: facts told
    again; `promise_kept`: in time, of those due; `missed_recovery`: of lost calls, reached; `recovery_seconds`: the
    median.
    """

    version: int = VERSION
    contacts: int
    taken: int
    abandoned: int
    missed: int
    asa_to_asked: float | None
    asa_to_taken: float | None
    aht: float | None
    abandonment: float | None
    transfer_rate: float | None
    fcr_gross: float | None
    fcr_net: float | None
    repeat_contact: float | None
    occupancy: float | None
    acknowledged: float | None
    repeats_per_hand_over: float | None
    promise_kept: float | None
    missed_recovery: float | None
    recovery_seconds: float | None


def measured(handled: HandledWork, scope: Scope) -> Measures:
    """Return the measures of what was handled."""
    contacts = [each for each in handled.contacts.values() if scope.holds(each)]
    names = {each.conversation for each in contacts}
    courses = {name: handled.courses[name] for name in names}
    live = [each for each in contacts if each.medium in LIVE]
    hand_overs = sum(each.hand_overs for each in courses.values())
    solved = [name for name, each in courses.items() if each.resolved is not None]
    again = _came_again(handled.courses)
    first = [name for name in solved if courses[name].contacts == 1 and name not in again]
    at_first = [name for name in first if courses[name].transfers == 0]
    alone = [name for name in solved if courses[name].transfers == 0]
    recovered = _recovered(handled, scope)
    return Measures(
        contacts=len(contacts),
        taken=sum(each.taken is not None for each in contacts),
        abandoned=sum(each.lost is not None and not each.missed for each in contacts),
        missed=sum(each.missed for each in contacts),
        asa_to_asked=_mean(live, lambda it: _seconds(it.queued, it.asked)),
        asa_to_taken=_mean(live, lambda it: _seconds(it.queued, it.taken)),
        aht=_mean(contacts, lambda it: _seconds(it.taken, it.wrapped)),
        abandonment=_share(
            [each.lost is not None for each in live if each.lost or each.taken is not None]
        ),
        transfer_rate=_share([each.transfers > 0 for each in courses.values()]),
        fcr_gross=_ratio(len(at_first), len(solved)),
        fcr_net=_ratio(len(at_first), len(alone)),
        repeat_contact=_share([name in again for name in solved]),
        occupancy=_occupancy(handled, scope),
        acknowledged=_ratio(sum(each.acknowledged for each in courses.values()), hand_overs),
        repeats_per_hand_over=_ratio(sum(each.repeats for each in courses.values()), hand_overs),
        promise_kept=_share(
            [kept for at, kept in handled.promises.values() if scope.since <= at < scope.until]
        ),
        missed_recovery=_ratio(len(recovered), len(_owed(handled, scope))),
        recovery_seconds=statistics.median(recovered) if recovered else None,
    )


def _came_again(courses: dict[str, HandledConversation]) -> set[str]:
    """Return the conversations after whose end the same person opened another one within REPEAT_WITHIN."""
    by_person: dict[str, list[tuple[datetime, str]]] = defaultdict(list)
    for name, each in courses.items():
        if each.customer is not None and each.opened is not None:
            by_person[each.customer].append((each.opened, name))
    found = set[str]()
    for opened in by_person.values():
        in_order = sorted(opened)
        for (_, name), (later, _) in pairwise(in_order):
            ended = courses[name].resolved
            if ended is not None and ended <= later < ended + REPEAT_WITHIN:
                found.add(name)
    return found


def _owed(handled: HandledWork, scope: Scope) -> list[str]:
    return [name for name, since in handled.owed.items() if scope.since <= since < scope.until]


def _recovered(handled: HandledWork, scope: Scope) -> list[float]:
    reached = ((name, handled.recovered.get(name)) for name in _owed(handled, scope))
    return [(at - handled.owed[name]).total_seconds() for name, at in reached if at is not None]


def _occupancy(handled: HandledWork, scope: Scope) -> float | None:
    """Return it over all that is known of the agents, whatever the times of `scope`."""
    agents = [it for name, it in handled.agents.items() if scope.agent in (None, name)]
    present = sum(each.present.total_seconds() for each in agents)
    return _ratio(sum(each.occupied.total_seconds() for each in agents), present)


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
