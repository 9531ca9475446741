"""Deliveries are disturbed as they are told to be, and the same way again; what they say is not changed by it."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from services.ingest.channels import CHANNELS
from services.ingest.domain.delivery import RawDelivery
from services.ingest.domain.outcome import reports_of
from shared.codec import encode
from tests.fakes.disturbed import Disturbance, disturbed
from tests.ingest.running_ingest import Sample, raw
from tests.ingest.test_channels import SAMPLES

GIVEN = list(range(40))


def test_nothing_happens_to_deliveries_on_a_good_day() -> None:
    """No share, no disturbance."""
    assert disturbed(GIVEN, 1, Disturbance(twice=0, late=0)) == GIVEN


@pytest.mark.parametrize("seed", range(20))
def test_a_bad_day_repeats_and_reorders_and_loses_nothing(seed: int) -> None:
    """All of them arrive; the same seed is the same day."""
    found = disturbed(GIVEN, seed, Disturbance())
    assert sorted(set(found)) == GIVEN
    assert len(found) > len(GIVEN)
    assert found != sorted(found)
    assert found == disturbed(GIVEN, seed, Disturbance())


def test_what_is_cut_comes_again_whole_and_what_is_lost_never() -> None:
    """The provider repeats what was not acknowledged; it does not know what was lost behind the door."""
    found = disturbed(GIVEN, 3, Disturbance(twice=0, late=0, cut=1), cut=lambda each: -each)
    assert found == [each for number in GIVEN for each in (-number, number)]
    kept = disturbed(GIVEN, 3, Disturbance(lost=0.5))
    assert 0 < len(set(kept)) < len(GIVEN)
    assert disturbed(GIVEN, 3, Disturbance(lost=1)) == []


def facts_of(deliveries: list[RawDelivery]) -> Mapping[str, bytes]:
    """Return what deliveries report, by event id: the first of an id stays, as in CONTACTS."""
    found: dict[str, bytes] = {}
    for each in deliveries:
        for _, event in reports_of(each, CHANNELS[each.channel].parse(each)):
            found.setdefault(event.id, encode(event))
    return found


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("sample", SAMPLES.items(), ids=SAMPLES)
def test_any_order_of_a_channels_deliveries_tells_the_same(
    sample: tuple[str, Sample], seed: int
) -> None:
    """Three shops deliver at once: which of them comes first, and how often, changes no event."""
    name, given = sample
    deliveries = [
        replace(raw(name, given.body, headers=given.headers), account=account)
        for account in ("one", "two", "three")
    ]
    arrived = disturbed(deliveries, seed, Disturbance(twice=0.9, late=0.9))
    assert facts_of(arrived) == facts_of(deliveries)
