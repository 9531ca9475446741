"""Tables that two places must agree on: kinds of aggregates, timers, commands."""

import ast
from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import fields

from services.notify.app import NAME as NOTIFY
from services.router.app import NAME as ROUTER
from services.router.domain import decide, folds
from shared import aggregates, events, streams, timers
from shared.aggregates import Folded
from shared.commands import COMMANDS
from tests.architecture.test_shared import modules, reached, services
from tests.architecture.tree import Source

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


def test_every_question_of_a_timer_can_be_read_from_the_ledger() -> None:
    """What arms it and what answers it name the id that it asks about."""
    known = set(events.event_types().values())
    for kind in timers.KINDS:
        for event in (*kind.armed_by, *kind.answered_by):
            assert event in known
            assert kind.about in _open_fields(event), (kind.name, event)


def _open_fields(event: type[Struct]) -> set[str]:
    """Return the fields of an event's open part."""
    data = next(field.type for field in fields(event) if field.name == "data")
    return {field.name for field in fields(data.__args__[0])}


def test_a_service_watches_every_stream_that_it_uses() -> None:
    """One that it does not watch may be gone for ever, and it says that it is ready."""
    known = modules()
    assert {config["name"] for config in streams.stream_configs()} == streams.USED_BY.keys()
    for service in services():
        reach = reached(service, known) - {"shared.streams"}
        named = {name for module in reach for name in _streams_in(known[module])}
        watched = {name for name, users in streams.USED_BY.items() if service in users}
        assert named <= watched, (service, named - watched)


def _streams_in(source: Source) -> Iterator[str]:
    """Yield the streams that a module names."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            named = getattr(streams, node.attr, None) if node.value.id == "streams" else None
            if named in streams.USED_BY:
                yield str(named)


def test_a_service_folds_what_it_writes() -> None:
    """The router binds each kind that it writes to its fold; notify has one kind."""
    folded = {each.kind for each in vars(folds).values() if isinstance(each, Folded)}
    assert folded == {kind for kind in aggregates.KINDS.values() if kind.writer == ROUTER}
    assert [k for k in aggregates.KINDS.values() if k.writer == NOTIFY] == [aggregates.NOTIFICATION]
