"""What is counted and measured: every metric, its labels and its unit, in one table (docs/adr/0078).

The only file that imports the Prometheus client. `docs/reference/metrics.md` is generated from it. What a label may say
is bounded: by a policy, by the lanes, by the codes of errors, by names in the code. It is never an id, nor anything
that somebody outside has chosen: who counts looks the name up first.
"""

import contextlib
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar

import prometheus_client
from prometheus_client.metrics import MetricWrapperBase
from typing_extensions import override

from shared import VERSION, errors

SERIES_MAX = 2_000
"""So many series a metric has at most. What would be one more is counted under OTHER; of a gauge it is not shown."""
OTHER = "other"
MEDIA_TYPE = prometheus_client.CONTENT_TYPE_LATEST

LABELS = {
    "account": "an account of a policy, `<channel>/<name>`",
    "channel": "a channel; empty where a request at a door names no account of ours",
    "code": "the code of an error, see [errors](errors.md)",
    "fate": "`received`, `accepted`, `duplicate`, `ignored`, `quarantined`, `parked`, `skipped` or `missing`",
    "group": "who may be asked, `queue-<name>` or `team-<name>`",
    "lane": "a lane of contacts: `live`, `written` or `bulk`",
    "metric": "a metric of this table",
    "outcome": "how it ended: a word that the metric names, or the code of an error",
    "request": "a command or a query, or what a service is asked of itself",
    "tenant": "a tenant; empty where a request at a door names none of ours",
    "transport": "by which an agent is told",
    "type": "a type of event, see [events](events.md)",
    "version": "the version of the code",
    "work": "a durable consumer, its lanes and partitions together",
}
"""What each label says."""

REGISTRY = prometheus_client.CollectorRegistry()
METRICS: "list[Metric[Any]]" = []

T = TypeVar("T", bound=MetricWrapperBase)
Values = TypeVar("Values", bound=tuple[str, ...])

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
            LEFT_OUT.add(self.name)
            return self._rest()
        made = self._series[values] = self._whole.labels(*values) if self.labels else self._whole
        return made

    def _rest(self) -> T:
        """Return what is taken in the place of one series more."""
        return self._whole.labels(*[OTHER] * len(self.labels))


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
        self._unshown = prometheus_client.Gauge(name, says, registry=None)

    @override
    def _rest(self) -> prometheus_client.Gauge:
        """Of several the last number would be shown, as if it were of them all."""
        return self._unshown

    def set(self, to: float | None, *values: str) -> None:
        """Say how it is now; `None`: nobody knows, or there is none of it here."""
        if to is not None or values in self._series:
            self._of(values).set(math.nan if to is None else to)

    def replace(self, found: Mapping[Values, float]) -> None:
        """Say how it is for each of these values; for what is not named it is 0 from now on."""
        for known in self._series:
            self.set(0.0, *known)
        for values, to in found.items():
            self.set(to, *values)

    def end(self, *first: str) -> None:
        """Show nothing any more of what is gone. `first`: the first values of its labels."""
        over = [each for each in self._series if each[: len(first)] == first]
        for values in over:
            del self._series[values]
            self._whole.remove(*values)
        if over and not self._series:
            REGISTRY.unregister(self._whole)


class Histogram(Metric[prometheus_client.Histogram]):
    """Seconds, by how many took no longer than each of the bounds."""

    kind = "histogram"

    def __init__(self, name: str, says: str, *labels: str, bounds: Sequence[float]) -> None:
        whole = prometheus_client.Histogram(name, says, labels, registry=None, buckets=bounds)
        super().__init__(whole, name, says, labels)
        self.bounds = bounds

    def observe(self, seconds: float, *values: str) -> None:
        """Take one more in."""
        self._of(values).observe(seconds)


QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""For what is answered at once."""
PATIENT = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0, 3_600.0)
"""For what may have waited."""

# -- every service ----------------------------------------------------------------------------------

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
LEFT_OUT = Counter(
    "tellonce_series_left_out_total",
    "Values for which a metric had no series left: nobody sees whose they are.",
    "metric",
)
LOOP_LATE = Gauge(
    "tellonce_loop_late_seconds", "How late its loop woke it to its last look at itself."
)
REQUESTS = Counter(
    "tellonce_requests_total", "Requests on the bus: `answered` or refused.", "request", "outcome"
)
REQUEST_SECONDS = Histogram(
    "tellonce_request_seconds", "How long they took.", "request", bounds=QUICK
)

# -- ingest -----------------------------------------------------------------------------------------

DOOR_ANSWERS = Counter(
    "tellonce_door_answers_total",
    "Requests at the doors: `stored` in RAW, a `handshake`, or refused.",
    "tenant",
    "channel",
    "outcome",
)
DOOR_SECONDS = Histogram(
    "tellonce_door_answer_seconds", "From a request's head to its answer.", "channel", bounds=QUICK
)
DELIVERIES = Counter(
    "tellonce_deliveries_total",
    "Deliveries that were read: `published`, `ignored` or `quarantined`. Read again they count again.",
    "tenant",
    "channel",
    "outcome",
)
BALANCE = Gauge(
    "tellonce_balance",
    "What became of an account's deliveries, as this process counted them last (ADR 0033).",
    "tenant",
    "account",
    "fate",
)
FILES = Counter(
    "tellonce_files_total",
    "Files of messages: `stored`, `delayed` or `failed`.",
    "tenant",
    "outcome",
)

# -- what writes the ledger: router and notify --------------------------------------------------------

MESSAGES = Counter(
    "tellonce_messages_total",
    "Messages of durable consumers: `done`, `later`, `retried`, `failed`, `parked` or `dead_lettered`.",
    "work",
    "outcome",
)
HANDLING_SECONDS = Histogram(
    "tellonce_handling_seconds", "How long one was handled.", "work", bounds=QUICK
)
RETRIES = Counter(
    "tellonce_retries_total", "Messages that are to come again because of an error.", "work", "code"
)
DECISIONS = Counter(
    "tellonce_decisions_total", "Decisions: `appended`, `nothing`, or refused.", "tenant", "outcome"
)
DECISION_SECONDS = Histogram(
    "tellonce_decision_seconds", "From loading to the append, conflicts included.", bounds=QUICK
)
CONFLICTS = Counter(
    "tellonce_append_conflicts_total", "Appends that somebody else was faster than."
)
EVENTS = Counter("tellonce_events_total", "Events appended to the ledger.", "tenant", "type")

# -- router -----------------------------------------------------------------------------------------

DECIDED_SECONDS = Histogram(
    "tellonce_decided_seconds",
    "From a delivery's arrival to the decision about what it reports; without imports.",
    "channel",
    bounds=PATIENT,
)
WAITING = Gauge("tellonce_waiting", "Conversations that wait to be taken.", "tenant", "group")
WAITING_OLDEST = Gauge(
    "tellonce_waiting_oldest_seconds",
    "For how long the first of them has waited.",
    "tenant",
    "group",
)

# -- notify -----------------------------------------------------------------------------------------

NOTICES = Counter(
    "tellonce_notices_total",
    "What agents are told: `sent` or `not_sent`.",
    "tenant",
    "transport",
    "outcome",
)
TOLD_SECONDS = Histogram(
    "tellonce_told_seconds",
    "From a decision to telling whom it concerns.",
    "transport",
    bounds=PATIENT,
)
SENT = Counter(
    "tellonce_customer_messages_total",
    "Messages to customers: `sent`, `failed` or `uncertain`.",
    "tenant",
    "channel",
    "outcome",
)

# -- history ----------------------------------------------------------------------------------------

POSITION = Gauge(
    "tellonce_projection_position", "The last position of the ledger that is projected here."
)
PROJECTED = Counter("tellonce_projected_events_total", "Events that were projected.")
PROJECTED_SECONDS = Histogram(
    "tellonce_projected_seconds",
    "From storing the last event of a batch to committing its rows.",
    bounds=PATIENT,
)


@contextlib.contextmanager
def decision(tenant: str) -> Iterator[list[str]]:
    """Count one decision, by the outcome that it is told or the code of what is raised, and how long it took."""
    began, outcome = time.perf_counter(), list[str]()
    try:
        yield outcome
    except errors.TellonceError as error:
        outcome.append(error.code)
        raise
    finally:
        DECISIONS.add(tenant, *(outcome or [errors.InternalFailure.code]))
        DECISION_SECONDS.observe(time.perf_counter() - began)


def exposition() -> bytes:
    """Return what the process shows, in Prometheus's text format."""
    BUILD.set(1.0, VERSION)
    return prometheus_client.generate_latest(REGISTRY)
