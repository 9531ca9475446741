"""The defaults of the version before: what a policy does not ask for is not begun while that version may come back.

It cannot read what it does not know, and would leave each matter in which that stands (docs/adr/0083). Whoever makes a
release keeps this list to what is new in it.
"""

from msgspec.structs import replace

from shared.overload import LaneRule, Overload
from shared.policy.levels import DEFAULT
from shared.policy.model import Policy, TimeLimits
from shared.policy.quality import Discontent

NEW = TimeLimits()
UNCHANGED = {
    "wait_seconds": (),
    "promise_due_soon_seconds": 3_660 * 86_400.0,
    "callback_retry_seconds": (900.0,) * 16,
}
"""Nobody counts how long somebody waits; no promise is so long that whoever made it is reminded; a call is tried
without an end that anybody would see."""


def as_before(policy: Policy) -> Policy:
    """Return a policy without the service levels, limits of waits and of lanes, reminders, ends of trying and looks at
    how a matter went that it left to us."""
    times = {
        name: value
        for name, value in UNCHANGED.items()
        if getattr(policy.times, name) == getattr(NEW, name)
    }
    levels = () if policy.service_levels == DEFAULT else policy.service_levels
    discontent = None if policy.discontent == Discontent() else policy.discontent
    times_before = replace(policy.times, **times)
    return replace(
        policy,
        service_levels=levels,
        times=times_before,
        overload=_lanes_before(policy.overload),
        discontent=discontent,
    )


def _lanes_before(overload: Overload) -> Overload:
    """Return it without the limits that it left to us: nobody says that a lane is behind."""

    def untold(rule: LaneRule) -> LaneRule:
        return replace(rule, limits=()) if rule.limits is None else rule

    live, written, bulk = map(untold, (overload.live, overload.written, overload.bulk))
    return replace(overload, live=live, written=written, bulk=bulk)
