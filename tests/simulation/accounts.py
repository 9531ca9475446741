"""What a simulated week is counted by: who came and how, who worked when, who was told, who was lost."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from deploy.missed import account_of, unnoted
from shared import events
from shared.ledger import Recorded
from tests.simulation.shop import WAYS
from tests.simulation.world import DAY, FIRST_DAY, World

SIGMAS = 4.5
"""So far a share may be from what was asked for by chance: once in a hundred thousand weeks."""
FATES = frozenset({"reached", "answered", "closed", "open", "unreachable"})


def check_mix(world: World) -> dict[str, float]:
    """Check that everybody who came is in the ledger, and that they came by the ways asked for; return the parts."""
    noted = {
        each.event.open.contact_id
        for each in world.seen
        if isinstance(each.event, events.InboundEvent)
    }
    lost = world.customers.came.keys() - noted
    assert not lost, f"they came, and nobody noted it: {sorted(lost)}"
    ways = Counter({way: world.work.done[way] for way in WAYS})
    total = ways.total()
    for way, part in WAYS.items():
        spread = (part * (1 - part) / total) ** 0.5
        assert abs(ways[way] / total - part) < SIGMAS * spread, (way, ways[way], total)
    return {way: ways[way] / total for way in WAYS}


def check_shifts(world: World) -> dict[str, float]:
    """Check that everybody was at work in her shifts and at no other time; return the hours of each."""
    wanted = {each.name: 0.0 for each in world.staff.workers.values()}
    days = [FIRST_DAY + number * DAY for number in range(world.plan.days)]
    for day in days:
        for each in world.staff.workers.values():
            if each.works(day.weekday()) and not world.is_holiday(day):
                wanted[each.name] += each.shift[1] - each.shift[0]
    worked = _hours(world.seen)
    for name, hours in wanted.items():
        off = 4 * world.plan.clock_off.total_seconds() / 3600 * len(days)
        assert abs(worked[name] - hours) <= off, (name, worked[name], hours)
    return wanted


def _hours(seen: Sequence[Recorded]) -> defaultdict[str, float]:
    """Return how long each was signed in, by the ledger's clock; in hours."""
    found: defaultdict[str, float] = defaultdict(float)
    since: dict[str, datetime] = {}
    for each in seen:
        name = each.aggregate.removeprefix("agent-")
        match each.event:
            case events.AgentSignedIn():
                since.setdefault(name, each.event.recorded)
            case events.AgentStatusSet() if each.event.open.status == "signed_out":
                found[name] += (each.event.recorded - since.pop(name)).total_seconds() / 3600
    return found


def check_losses(seen: Sequence[Recorded]) -> Counter[str]:
    """I13: check that every lost call has a fate, and that none ended without a word; return how many have which."""
    assert unnoted(seen) == []
    account = account_of(each.event for each in seen)
    lines = account.contacts(seen[0].event.recorded, seen[-1].event.recorded + DAY)
    fates = Counter[str](each.fate for each in lines)
    assert fates.keys() <= FATES, fates
    return fates


def check_told(seen: Sequence[Recorded], now: datetime, grace: timedelta) -> int:
    """I13: every new request has a notification that was acknowledged, or escalated in its time; return how many have.

    One whose matter goes on elsewhere is withdrawn, and goes on there.
    """
    asked: dict[str, events.NotificationRequestedOpen] = {}
    ended, about = set[str](), set[str]()
    queued = list[str]()
    for each in seen:
        match each.event:
            case events.NotificationRequested(open=opened):
                asked[opened.notification_id] = opened
                about.add(opened.about)
            case (
                events.NotificationAcknowledged()
                | events.NotificationEscalated()
                | events.NotificationWithdrawn()
            ):
                ended.add(each.event.open.notification_id)
            case events.ContactQueued() | events.CallbackRequested():
                queued.append(each.event.id)
    return _told(asked, ended, queued, about, now - grace)


def _told(
    asked: dict[str, events.NotificationRequestedOpen],
    ended: set[str],
    queued: Sequence[str],
    about: set[str],
    now: datetime,
) -> int:
    for name, each in asked.items():
        waits = each.escalates is not None and each.escalates >= now
        assert name in ended or waits, f"{each.reason} to {each.recipient}: nobody was told in time"
    untold = [name for name in queued if name not in about]
    assert untold == [], untold
    return len(asked)
