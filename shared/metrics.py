"""What is counted and measured: every metric, its labels and its unit, in one table (docs/adr/0078).

The only file that imports the Prometheus client. `docs/reference/metrics.md` is generated from it. What a label may say
is bounded: by a policy, by the lanes, by the codes of errors, by names in the code. It is never an id, nor anything
that somebody outside has chosen: who counts looks the name up first.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar

import prometheus_client
from prometheus_client.metrics import MetricWrapperBase

from shared import VERSION

SERIES_MAX = 2_000
"""So many series a metric has at most; what would be one more is counted under OTHER. Nothing comes near to it."""
OTHER = "other"
MEDIA_TYPE = prometheus_client.CONTENT_TYPE_LATEST

LABELS = {
    "code": "the code of an error, see [errors](errors.md)",
    "lane": "a lane of contacts: `live`, `written` or `bulk`",
    "version": "the version of the code",
}
"""What each label says."""

REGISTRY = prometheus_client.CollectorRegistry()
METRICS: "list[Metric[Any]]" = []

T = TypeVar("T", bound=MetricWrapperBase)

# Else each would have a series beside it that nobody asks for.
prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
prometheus_client.ProcessCollector(registry=REGISTRY)


class Metric(Generic[T]):
    """One metric, which a process shows once it has something to say.

    `name`: with its unit, as it is asked for; `says`: what it is; `labels`: of LABELS, in the order of their values.
    """

    kind: ClassVar[str]

    def __init__(self, whole: T, name: str, says: str, labels: Sequence[str]) -> None:
        self.name, self.says, self.labels = name, says, labels
        self._whole = whole
        self._series: dict[tuple[str, ...], T] = {}
        METRICS.append(self)

    def _of(self, values: tuple[str, ...]) -> T:
        """Return the series of these values of the labels."""
        found = self._series.get(values)
        return found if found is not None else self._new(values)

    def _new(self, values: tuple[str, ...]) -> T:
        if not self._series:
            REGISTRY.register(self._whole)
        if len(self._series) >= SERIES_MAX:
            return self._whole.labels(*[OTHER] * len(values))
        made = self._series[values] = self._whole.labels(*values) if self.labels else self._whole
        return made


class Counter(Metric[prometheus_client.Counter]):
    """Goes up for as long as the process runs."""

    kind = "counter"

    def __init__(self, name: str, says: str, *labels: str) -> None:
        whole = prometheus_client.Counter(name, says, labels, registry=None)
        super().__init__(whole, name, says, labels)

    def add(self, *values: str, by: float = 1.0) -> None:
        """Count one more, or several."""
        self._of(values).inc(by)


class Gauge(Metric[prometheus_client.Gauge]):
    """Goes up and down."""

    kind = "gauge"

    def __init__(self, name: str, says: str, *labels: str) -> None:
        whole = prometheus_client.Gauge(name, says, labels, registry=None)
        super().__init__(whole, name, says, labels)

    def set(self, to: float | None, *values: str) -> None:
        """Say how it is now; `None`: nobody knows, or there is none of it here."""
        if to is not None or values in self._series:
            self._of(values).set(math.nan if to is None else to)

    def replace(self, found: Mapping[str, float]) -> None:
        """Say how it is for each value of the one label; for what is not named it is 0 from now on."""
        for (value,) in list(self._series):
            self.set(found.get(value, 0.0), value)
        for value, to in found.items():
            self.set(to, value)


BUILD = Gauge("tellonce_build_info", "Which code runs; always 1.", "version")
READY = Gauge("tellonce_ready", "1 while the service does its work, else 0.")
TROUBLES = Gauge("tellonce_troubles", "What keeps it from its work, or from a part of it.", "code")
UNDECIDED = Gauge(
    "tellonce_undecided_contact_events", "Contact events that the router has not decided.", "lane"
)
UNDECIDED_OLDEST = Gauge(
    "tellonce_undecided_oldest_seconds", "For how long the oldest of them has waited.", "lane"
)
UNSENT_OLDEST = Gauge(
    "tellonce_unsent_oldest_seconds",
    "For how long the first ledger event that notify has not told of has stood there.",
)
LAG = Gauge("tellonce_projection_lag_events", "Ledger events that history has not projected.")
PARKED = Gauge("tellonce_parked", "What was set aside or could not be read, for an operator.")


def exposition() -> bytes:
    """Return what the process shows, in Prometheus's text format."""
    BUILD.set(1.0, VERSION)
    return prometheus_client.generate_latest(REGISTRY)
