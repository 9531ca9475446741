"""What goes through the stores is what a ledger holds, and every store gets the same."""

import pytest

from tests.peers.events import DECISION_EVENTS, Events, decision, many, recorded, uuid_of


@pytest.fixture(scope="module")
def twice() -> Events:
    return many(2 * len(recorded()))


def test_events_are_those_of_the_recorded_ledger(twice: Events) -> None:
    """Same types in the same order, copy after copy."""
    types = [type(event) for event in Events(recorded()).part(0, len(recorded()))]
    assert [type(event) for event in twice.part(0, len(twice))] == [*types, *types]


def test_no_id_is_in_two_copies(twice: Events) -> None:
    """A store that knows an event by its id would store half of them."""
    assert len({event.id for event in twice.part(0, len(twice))}) == len(twice)


def test_a_decision_is_four_events_of_three_aggregates(twice: Events) -> None:
    """On aggregates of their own: no event of a decision is refused for what was stored before."""
    part = twice.part(0, len(twice))
    made = twice.decisions(0, len(twice), "0")
    assert len(made) == len(twice) // DECISION_EVENTS
    assert {tuple(len(events) for _, events in each) for each in made} == {(2, 1, 1)}
    written = [aggregate for each in made for aggregate, _ in each]
    assert len(set(written)) == len(written) == 3 * len(made)
    assert not set(written) & {event.aggregate for event in part}
    assert all(event.aggregate == aggregate for aggregate, events in made[0] for event in events)
    ids = [event.id for each in made for _, events in each for event in events]
    assert len({*ids, *(event.id for event in part)}) == 2 * len(twice)


def test_another_scope_decides_on_other_aggregates(twice: Events) -> None:
    """So that one store can do it in two ways."""
    four = twice.part(0, DECISION_EVENTS)
    one, same, other = (decision(four, scope) for scope in ("0", "0", "1"))
    assert one == same
    assert not {aggregate for aggregate, _ in one} & {aggregate for aggregate, _ in other}


def test_what_does_not_fill_a_decision_is_left_out(twice: Events) -> None:
    """Eleven events are two decisions."""
    assert len(twice.decisions(0, 11, "0")) == 2


def test_conversations_to_read_are_of_both_copies(twice: Events) -> None:
    """Spread over all, as often as they are wanted, none twice, and nothing that is no conversation."""
    found = twice.conversations(6)
    assert len(set(found)) == len(found) == 6
    assert all(aggregate.startswith("conv-") for aggregate in found)
    halves = [{event.aggregate for event in twice.part(*half)} for half in ((0, 256), (256, 512))]
    assert all(half & set(found) for half in halves)


def test_an_id_is_always_the_same_uuid() -> None:
    """A stream is found again by it."""
    assert uuid_of("a") == uuid_of("a") != uuid_of("b")
