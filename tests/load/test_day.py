"""The plan of a day: the same seed gives the same day, and its shape is the one that was asked for."""

import itertools
import random
from collections import Counter

from tests.load.day import BACK, CONTACTS_MAX, EVEN, HOURS, WAYS, planned

SECONDS = 2_400.0
MANY = 20_000.0


def test_the_same_seed_gives_the_same_day() -> None:
    """And another one another."""
    assert planned(random.Random(7), 500, SECONDS) == planned(random.Random(7), 500, SECONDS)
    assert planned(random.Random(7), 500, SECONDS) != planned(random.Random(8), 500, SECONDS)


def test_arrivals_follow_the_hours_of_the_day() -> None:
    """Every hour has its share, within five times what chance spreads it by."""
    found = planned(random.Random(1), MANY, SECONDS)
    came = Counter(int(each.seconds / SECONDS * len(HOURS)) for each in found)
    for hour, weight in enumerate(HOURS):
        expected = MANY * weight / sum(HOURS)
        assert abs(came[hour] - expected) < 5 * expected**0.5, hour


def test_arrivals_come_by_chance_and_in_order() -> None:
    """The gaps of an even hour vary as those of a Poisson process: by as much as they last."""
    moments = [each.seconds for each in planned(random.Random(1), MANY, SECONDS, EVEN)]
    gaps = [b - a for a, b in itertools.pairwise(moments)]
    mean = sum(gaps) / len(gaps)
    spread = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert moments == sorted(moments)
    assert 0.95 < spread / mean < 1.05


def test_every_way_has_its_share() -> None:
    """Within a hundredth of all."""
    ways = Counter(each.way for each in planned(random.Random(3), MANY, SECONDS))
    for way, share in WAYS.items():
        assert abs(ways[way] / ways.total() - share) < 0.01


def test_some_have_come_before_also_by_another_way() -> None:
    """A person's number tells who came before; people of the morning come back in the afternoon."""
    morning = planned(random.Random(3), 2_000, SECONDS)
    later = planned(random.Random(4), 2_000, SECONDS, EVEN, before=morning)
    known = {each.person for each in morning}
    ways = {each.person: each.way for each in morning}
    back = [each for each in later if each.person in known]
    assert [each.number for each in (*morning, *later)] == list(
        range(1, len(morning) + len(later) + 1)
    )
    new = {each.person for each in later} - known
    assert abs(len(new) / len(later) - (1 - BACK)) < 0.05
    assert any(ways[each.person] != each.way for each in back)


def test_a_day_is_bounded() -> None:
    """However much is asked for."""
    assert len(planned(random.Random(1), CONTACTS_MAX * 1.2, SECONDS)) == CONTACTS_MAX
