"""What is counted: names as Prometheus has them, labels that are bounded, a text that its own parser reads."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from shared import metrics
from shared.metrics import LABELS, METRICS, OTHER, Counter, Gauge, Histogram, Metric

NAME = re.compile(r"tellonce_[a-z]+(_[a-z]+)*\Z")
ENDS = {Counter: "_total", Histogram: "_seconds"}


@pytest.fixture
def many() -> Iterator[Counter]:
    """A counter that is of no process."""
    made = Counter("tellonce_tried_total", "Of this test.", "tenant")
    yield made
    METRICS.remove(made)


@pytest.fixture
def balances() -> Iterator[Gauge]:
    """A gauge that is of no process."""
    made = Gauge("tellonce_balances", "Of this test.", "tenant", "type")
    yield made
    made.end()
    METRICS.remove(made)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_metric_is_named_as_prometheus_has_it(metric: Metric[Any]) -> None:
    """The unit stands last, of a counter `total`; a sentence says what it is; each label is explained."""
    assert NAME.match(metric.name)
    assert metric.name.endswith(ENDS.get(type(metric), ""))
    assert metric.says.endswith(".")
    assert set(metric.labels) <= LABELS.keys()


def test_every_label_is_used_and_no_name_stands_twice() -> None:
    """What nobody counts by is explained to nobody."""
    assert {label for metric in METRICS for label in metric.labels} == LABELS.keys()
    assert len({metric.name for metric in METRICS}) == len(METRICS)


def test_however_many_names_there_are_the_series_are_bounded(many: Counter) -> None:
    """A fault that counted by what strangers choose would fill no memory: the rest is one series."""
    for number in range(metrics.SERIES_MAX + 500):
        many.add(f"t{number}")
    many.add("t0")
    shown = samples(many)
    assert len(shown) == metrics.SERIES_MAX + 1
    assert shown["t0"] == 2
    assert shown[OTHER] == 500


def test_a_gauge_that_is_full_shows_no_number_for_several(balances: Gauge) -> None:
    """The last one would look as if it were all theirs. That something is not shown is told."""
    for number in range(metrics.SERIES_MAX + 2):
        balances.set(1, f"t{number}", "form")
    balances.set(2, "t0", "form")
    shown = samples(balances)
    assert len(shown) == metrics.SERIES_MAX
    assert shown["t0"] == 2
    assert OTHER not in shown
    assert samples(metrics.LEFT_OUT)[balances.name] == 2


def test_what_is_not_named_any_more_is_nothing() -> None:
    """A trouble that is over is shown as 0: a series that ends would look as it did last."""
    gauge = Gauge("tellonce_failed", "Of this test.", "code")
    METRICS.remove(gauge)
    gauge.replace({("stream.drift",): 2, ("bus.unavailable",): 1})
    gauge.replace({("stream.drift",): 1})
    assert samples(gauge) == {"stream.drift": 1, "bus.unavailable": 0}


def test_of_what_is_gone_nothing_is_shown(balances: Gauge) -> None:
    """A number that nobody changes any more would have people woken for ever; it comes back with what it is of."""
    for values in (("a", "form"), ("a", "chat"), ("b", "form")):
        balances.set(1, *values)
    balances.end("a")
    balances.end("c")
    assert samples(balances) == {"b": 1}
    balances.end("b")
    assert samples(balances) == {}
    balances.set(2, "a", "form")
    assert samples(balances) == {"a": 2}


def test_what_nobody_knows_is_not_shown_as_a_number() -> None:
    """A process that never had it shows nothing; one that had it, no number."""
    gauge = Gauge("tellonce_unknown", "Of this test.")
    METRICS.remove(gauge)
    gauge.set(None)
    assert "tellonce_unknown" not in metrics.exposition().decode()
    gauge.set(3)
    gauge.set(None)
    assert "tellonce_unknown NaN" in metrics.exposition().decode()


def samples(metric: Counter | Gauge) -> dict[str, float]:
    """Return what the text shows of a metric, by the value of its label."""
    return {
        next(iter(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(metrics.exposition().decode())
        for sample in family.samples
        if sample.name == metric.name
    }
