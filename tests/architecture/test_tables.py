"""Tables that two places must agree on: kinds of aggregates, timers, commands."""

from services.notify.app import NAME as NOTIFY
from services.router.app import NAME as ROUTER
from services.router.domain import decide, folds
from shared import aggregates, events, timers
from shared.aggregates import Folded
from shared.commands import COMMANDS

ANSWERED = {ROUTER: set(decide.TIMERS), NOTIFY: {timers.NOTIFICATION_ESCALATION.name}}
"""The kinds of timers that each service answers."""


def test_every_command_of_the_router_has_its_row() -> None:
    """Who may give it, in which states, which decision; a row for nothing is gone with its command."""
    served = {kind for kind in COMMANDS.values() if kind.served_by == ROUTER}
    assert set(decide.RULES) == served


def test_every_timer_that_is_armed_has_a_reader() -> None:
    """A kind without one would be armed, fire, and nobody would answer."""
    assert {kind.reader for kind in timers.KINDS} <= set(ANSWERED)
    for service, answered in ANSWERED.items():
        assert set(timers.read_by(service)) == answered
    assert len({kind.name for kind in timers.KINDS}) == len(timers.KINDS)
    armed_by = {event for kind in timers.KINDS for event in kind.armed_by}
    assert armed_by <= set(events.event_types().values())


def test_a_service_folds_what_it_writes() -> None:
    """The router binds each kind that it writes to its fold; notify has one kind."""
    folded = {each.kind for each in vars(folds).values() if isinstance(each, Folded)}
    assert folded == {kind for kind in aggregates.KINDS.values() if kind.writer == ROUTER}
    assert [k for k in aggregates.KINDS.values() if k.writer == NOTIFY] == [aggregates.NOTIFICATION]
