"""The streams and durable consumers, as data. `shared/ensuring.py` brings them to the server and checks them there.

Field names are those of the JetStream API (docs.nats.io, "StreamConfig", "ConsumerConfig"; ADR-50, ADR-51).
Durations are in nanoseconds there.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from shared import SERVICES, aggregates, events, subjects, timers
from shared.commands import REMEMBERED, SKEW
from shared.comparing import Config, matching
from shared.settings import Settings

RAW, BALANCE, CONTACTS, LEDGER, TIMERS = "RAW", "BALANCE", "CONTACTS", "LEDGER", "TIMERS"
CANARY, REFUSALS, SNAPSHOTS = "CANARY", "REFUSALS", "SNAPSHOTS"
BODIES, ANSWERS, FILES, VISITS = "BODIES", "ANSWERS", "FILES", "VISITS"

USED_BY: dict[str, frozenset[str]] = {
    RAW: frozenset({"ingest"}),
    BODIES: frozenset({"ingest"}),
    FILES: frozenset({"ingest"}),
    BALANCE: frozenset({"ingest"}),
    CONTACTS: frozenset({"ingest", "router", "notify"}),
    LEDGER: frozenset({"ingest", "router", "history", "notify"}),
    TIMERS: frozenset({"router", "notify"}),
    CANARY: frozenset(SERVICES),
    REFUSALS: frozenset({"router", "notify"}),
    SNAPSHOTS: frozenset({"router"}),
    ANSWERS: frozenset({"ingest", "notify"}),
    VISITS: frozenset({"ingest", "router"}),
}
"""Who cannot work without a stream, and so watches it: what becomes of the others is no matter of a service."""

SECOND_NS = 1_000_000_000
DAY_NS = 86_400 * SECOND_NS
MESSAGE_MAX_BYTES = 256 * 1024
RAW_KEPT_DAYS = 90
BODIES_KEPT_DAYS = RAW_KEPT_DAYS + 1
"""A body is stored before the delivery that names it, and outlives it."""
CONTACTS_KEPT_DAYS = 7
CANARIES_KEPT_SECONDS = 3_600
ANSWERS_KEPT_DAYS = 14
ANSWERS_OF_A_PAGE = 256
"""Of a page that is not opened for so long, or is sent more meanwhile, the oldest go first."""
VISITS_KEPT_DAYS = 30
VISITS_OF_A_VISITOR = 50
"""So many events of a visitor are kept, and as many visitors of one who was said to be several."""
REFUSALS_KEPT_SECONDS = int((REMEMBERED + SKEW).total_seconds())
REFUSALS_MAX_BYTES = 64 * 1024 * 1024
"""More than a hundred thousand refusals; beyond, the oldest go first."""
ACK_WAIT_SECONDS = 2
ATTACHMENTS_ACK_PENDING = 1_000
"""A file whose provider is away keeps its place until it is tried again, and must not keep others back."""
NOTIFY_KINDS = (
    aggregates.CONVERSATION,
    aggregates.ACCOUNT,
    aggregates.WORK,
    aggregates.LANE,
)
"""What notify tells people of stands in aggregates of these kinds; messages to customers in conversations."""
NOTIFY_LANES = 16
NOTIFY_LEDGER, NOTIFY_MESSAGES = "notify-ledger", "notify-messages"
"""The consumers of older versions: that before the lanes (docs/adr/0068), that of messages (docs/adr/0071)."""
NOTIFY_SENDING = "notify-sending"
NOTIFY_MESSAGES_ACK_PENDING = 64
NOTIFY_SENDING_ACK_PENDING = 1_000
"""A message whose provider is away keeps its place until it is tried again, and must not keep others back."""
ROUTER_CONSUMERS: Mapping[events.Lane, int] = {
    "live": subjects.PARTITIONS,
    "written": 32,
    "bulk": 8,
}
"""By so many consumers the router reads a lane of contacts, each with one message outstanding."""
FIRED_ACK_PENDING = 10_000
"""A timer that finds nothing keeps its place until it is asked once more, 10 s later; most timers find nothing."""


@dataclass(frozen=True, slots=True)
class Consumer:
    """A durable consumer and its stream.

    `lane`: of contacts, whose events it gives.
    `widens`: a version may widen its filters, and its reader leaves what it does not know to a newer one; so it may
    give more than this version needs.
    `after`: the consumer of an older version whose work it goes on with: it begins where that one stands when it is
    made, and at the stream's beginning where there is none.
    """

    stream: str
    config: Config
    widens: bool = False
    after: str = ""
    lane: events.Lane | None = None

    @property
    def name(self) -> str:
        return str(self.config["durable_name"])

    @property
    def work(self) -> str:
        """Its name without the number of its lane or partition."""
        return self.name.rstrip("0123456789").rstrip("-")


@dataclass(frozen=True, slots=True)
class WantedStreams:
    """Streams and consumers that somebody needs."""

    streams: Sequence[Config] = ()
    consumers: Sequence[Consumer] = ()


def stream_configs(*, replicas: int = 1, duplicate_window_seconds: float = 120.0) -> list[Config]:
    """Return the configurations of all streams."""
    common = {
        "storage": "file",
        "retention": "limits",
        "num_replicas": replicas,
        "duplicate_window": int(duplicate_window_seconds * SECOND_NS),
        "max_msg_size": MESSAGE_MAX_BYTES,
        "allow_direct": True,
    }
    contacts = CONTACTS_KEPT_DAYS * DAY_NS
    return [
        {"name": RAW, "subjects": ["raw.>"], "max_age": RAW_KEPT_DAYS * DAY_NS, **common},
        {"name": CONTACTS, "subjects": ["contact.>"], "max_age": contacts, **common},
        {
            "name": LEDGER,
            "subjects": [subjects.EVERY_AGGREGATE],
            "max_age": 0,
            "discard": "new",
            "deny_delete": True,
            "deny_purge": True,
            "allow_atomic": True,
            "republish": {"src": "ledger.>", "dest": "live.ledger.>"},
            **common,
        },
        {
            "name": TIMERS,
            "subjects": ["timer.>", "fired.>"],
            "max_age": 0,
            "allow_msg_schedules": True,
            "allow_msg_ttl": True,
            **common,
        },
        {
            "name": ANSWERS,
            "subjects": ["answer.*.*"],
            "max_age": ANSWERS_KEPT_DAYS * DAY_NS,
            "max_msgs_per_subject": ANSWERS_OF_A_PAGE,
            "republish": {"src": "answer.>", "dest": "live.answer.>", "headers_only": True},
            **common,
        },
        {
            "name": VISITS,
            "subjects": ["visit.*.*.*", "visitor.*.*"],
            "max_age": VISITS_KEPT_DAYS * DAY_NS,
            "max_msgs_per_subject": VISITS_OF_A_VISITOR,
            **common,
        },
        *_newest_only(common),
    ]


def wanted_by(service: str, chosen: Settings, consumers: Sequence[Consumer] = ()) -> WantedStreams:
    """Return the streams that a service uses, and its consumers."""
    every = stream_configs(
        replicas=chosen.replicas, duplicate_window_seconds=chosen.duplicate_window_seconds
    )
    used = [config for config in every if service in USED_BY[config["name"]]]
    return WantedStreams(streams=used, consumers=consumers)


def _newest_only(common: Config) -> Iterable[Config]:
    """Return those of which the newest message of a subject is kept; most of them not for long."""
    newest = {"max_msgs_per_subject": 1, **common}
    bodies = BODIES_KEPT_DAYS * DAY_NS
    canaries, refusals = CANARIES_KEPT_SECONDS, REFUSALS_KEPT_SECONDS
    return (
        {"name": BODIES, "subjects": ["body.*.*.*"], "max_age": bodies, **newest},
        {"name": FILES, "subjects": ["file.*.*.*", "attachment.*.*"], "max_age": 0, **newest},
        {"name": BALANCE, "subjects": ["balance.*.*.*"], "max_age": 0, **newest},
        {"name": CANARY, "subjects": ["canary.>"], "max_age": canaries * SECOND_NS, **newest},
        {
            "name": REFUSALS,
            "subjects": ["refused.>"],
            "max_age": refusals * SECOND_NS,
            "max_bytes": REFUSALS_MAX_BYTES,
            "discard": "old",
            **newest,
        },
        {
            "name": SNAPSHOTS,
            "subjects": ["snapshot.*.*.*"],
            "max_age": 0,
            "allow_atomic": True,
            **newest,
        },
    )


def router_consumers() -> list[Consumer]:
    """Return the consumers of each lane of CONTACTS, each with one message outstanding, and that of fired timers."""
    contacts = [
        _router_contacts(lane, number)
        for lane, count in ROUTER_CONSUMERS.items()
        for number in range(count)
    ]
    return [*contacts, _fired("router")]


def router_contacts(number: int, lane: events.Lane = "live") -> str:
    """Return the durable name of a consumer of CONTACTS; the first lane's are those of versions before the lanes."""
    return f"router-contacts-{number}" if lane == "live" else f"router-{lane}-{number}"


def contact_partitions(lane: events.Lane, number: int = 0, of: int = 1) -> list[int]:
    """Return the partitions of a lane that are for one of several tenants, counted from 0 (docs/adr/0085).

    They are all that some of the router's consumers read: another tenant's contacts wait at other consumers, as far as
    the lane has as many consumers as there are tenants.
    """
    consumers = ROUTER_CONSUMERS[lane]
    return [
        partition
        for consumer in range(number % consumers, consumers, of)
        for partition in _read_by(lane, consumer)
    ]


def _read_by(lane: events.Lane, consumer: int) -> Sequence[int]:
    return subjects.contact_partitions(lane)[consumer :: ROUTER_CONSUMERS[lane]]


def _router_contacts(lane: events.Lane, number: int) -> Consumer:
    filters = [subjects.contact_partition(each) for each in _read_by(lane, number)]
    config = _durable(router_contacts(number, lane), filters, ack_pending=1)
    return Consumer(CONTACTS, config, widens=True, lane=lane)


def notify_consumers() -> list[Consumer]:
    """Return notify's consumers: the lanes of the ledger, that of messages to customers, and of its fired timers.

    A lane gives its partitions of the ledger in order, one event at a time: whichever replica takes one, the events of
    an aggregate come one after another.
    Messages to customers have their own, with several outstanding, to which the lanes hand them on: a provider that is
    away must not keep an agent from being told, nor one recipient that is refused for a while keep the message to
    another back.
    """
    return [
        *(_notify_lane(number) for number in range(NOTIFY_LANES)),
        Consumer(
            TIMERS,
            _durable(
                NOTIFY_SENDING,
                [subjects.fired_kind(kind.name) for kind in timers.AT_ONCE],
                ack_pending=NOTIFY_SENDING_ACK_PENDING,
            ),
            widens=True,
        ),
        _fired("notify"),
    ]


def notify_messages() -> Consumer:
    """Return the consumer by which older versions take messages to customers: they make it, and it may stand."""
    config = _durable(
        NOTIFY_MESSAGES,
        [subjects.ledger_kind(aggregates.CONVERSATION.prefix)],
        ack_pending=NOTIFY_MESSAGES_ACK_PENDING,
    )
    return Consumer(LEDGER, config, widens=True)


def notify_lane(number: int) -> str:
    """Return the durable name of one lane of the ledger."""
    return f"notify-lane-{number}"


def _notify_lane(number: int) -> Consumer:
    filters = [
        subjects.ledger_kind(kind.prefix, partition)
        for partition in range(number, subjects.PARTITIONS, NOTIFY_LANES)
        for kind in NOTIFY_KINDS
    ]
    config = _durable(notify_lane(number), filters, ack_pending=1)
    return Consumer(LEDGER, config, widens=True, after=NOTIFY_LEDGER)


def ingest_consumers(tenant: str, accounts: Iterable[str], batch: int) -> list[Consumer]:
    """Return one consumer of RAW per account (`<channel>/<name>`), with one batch outstanding."""
    return [
        Consumer(
            RAW,
            _durable(
                ingest_normalise(tenant, channel, name),
                [subjects.raw(tenant, channel, name)],
                ack_pending=batch,
            ),
        )
        for channel, _, name in (account.partition("/") for account in accounts)
    ]


def ingest_normalise(tenant: str, channel: str, account: str) -> str:
    """Return the durable name of an account's consumer on RAW."""
    return f"ingest-normalise-{tenant}-{channel}-{account}"


def ingest_attachments(tenant: str) -> Consumer:
    """Return the consumer that gives a tenant's contact events to whoever fetches their files."""
    durable, filters = f"ingest-attachments-{tenant}", [subjects.contacts_of(tenant)]
    return Consumer(CONTACTS, _durable(durable, filters, ack_pending=ATTACHMENTS_ACK_PENDING))


def fired(service: str) -> str:
    """Return the durable name of a service's consumer of fired timers."""
    return f"{service}-fired"


def _fired(service: str) -> Consumer:
    """Return the consumer of the fired timers that a service answers."""
    filters = [subjects.fired_kind(kind) for kind in timers.read_by(service)]
    config = _durable(fired(service), filters, ack_pending=FIRED_ACK_PENDING)
    return Consumer(TIMERS, config, widens=True)


def _durable(name: str, filters: list[str], *, ack_pending: int) -> Config:
    return {
        "durable_name": name,
        "ack_policy": "explicit",
        "deliver_policy": "all",
        "ack_wait": ACK_WAIT_SECONDS * SECOND_NS,
        "max_ack_pending": ack_pending,
        "max_deliver": -1,
        **matching(filters),
    }
