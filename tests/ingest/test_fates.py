"""What became of a delivery, and the counts of many: the rule alone, with no store."""

from collections import Counter

import pytest

from services.ingest.domain.fates import Fate, counted, fate_of
from services.ingest.domain.tally import Tally, lose, take
from shared.queries import Counts, SetAsideState


@pytest.mark.parametrize(
    ("ids", "first_seen", "set_aside", "quarantined", "fate"),
    [
        ([], {}, {}, False, "ignored"),
        (["a"], {}, {}, False, "missing"),
        (["a"], {"a": 7}, {}, False, "accepted"),
        (["a"], {"a": 7}, {}, True, "quarantined"),
        (["a"], {"a": 3}, {}, False, "duplicate"),
        (["a"], {"a": 3}, {}, True, "duplicate"),
        (["a", "b"], {"a": 3, "b": 7}, {}, False, "accepted"),
        (["a", "b"], {"a": 3, "b": 5}, {}, False, "duplicate"),
        (["a", "b"], {"a": 7}, {}, False, "missing"),
        (["a"], {"a": 7}, {"a": "parked"}, False, "parked"),
        (["a"], {"a": 7}, {"a": "skipped"}, True, "skipped"),
        (["a"], {"a": 3}, {"a": "parked"}, False, "duplicate"),
        (["a", "b"], {"a": 7, "b": 7}, {"b": "skipped"}, False, "skipped"),
        (["a", "b"], {"a": 7, "b": 7}, {"a": "parked", "b": "skipped"}, False, "parked"),
        (["a", "b"], {"a": 3, "b": 7}, {"a": "parked"}, False, "accepted"),
        (["a", "b"], {"a": 7}, {"a": "parked"}, False, "missing"),
    ],
)
def test_the_fate_of_a_delivery(
    ids: list[str],
    first_seen: dict[str, int],
    set_aside: dict[str, SetAsideState],
    quarantined: bool,
    fate: Fate,
) -> None:
    """What became of the delivery at position 7."""
    assert fate_of(7, ids, first_seen, set_aside, quarantined=quarantined) == fate


def test_a_tally_counts_each_delivery_once_whenever_it_is_settled() -> None:
    """What is undecided is missing; once settled, or gone from RAW, it is looked at no more."""
    tally = take(Tally(raw="r"), [(3, "accepted"), (5, "missing"), (9, "missing")])
    assert (tally.position, tally.undecided) == (9, (5, 9))
    assert tally.counts() == {"received": 3, "accepted": 1, "missing": 2}
    tally = lose(take(tally, [(5, "duplicate"), (9, "missing")]), [9, 3])
    assert (tally.position, tally.undecided) == (9, ())
    assert tally.counts() == {"received": 3, "accepted": 1, "duplicate": 1, "missing": 1}


def test_a_tally_looks_at_what_is_parked_until_somebody_has_settled_it() -> None:
    """Decided or given up it is no longer parked; what RAW let go of stays what it was."""
    found: list[tuple[int, Fate]] = [(3, "parked"), (5, "parked"), (7, "missing"), (9, "parked")]
    tally = take(Tally(raw="r"), found)
    assert (tally.unsettled, tally.counts()) == (
        (3, 5, 7, 9),
        {"received": 4, "parked": 3, "missing": 1},
    )
    tally = take(tally, [(3, "accepted"), (5, "skipped"), (7, "parked")])
    assert tally.unsettled == (7, 9)
    tally = lose(tally, [9])
    assert (tally.unsettled, tally.counts()) == (
        (7,),
        {"received": 4, "accepted": 1, "skipped": 1, "parked": 2},
    )


def test_counts_add_up() -> None:
    """Whatever is counted is received."""
    fates: Counter[Fate] = Counter(["accepted", "accepted", "duplicate", "ignored", "missing"])
    assert Counts(**counted(fates + fates)) == Counts(
        received=10, accepted=4, duplicate=2, ignored=2, missing=2
    )
