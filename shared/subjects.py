"""Every subject of the bus, built and read in one place.

`<kind>.<id>` is an aggregate, `<kind>-<id>` in words: one exact subject each.
`<p>` is the partition: FNV-1a (32 bit) of the routing key modulo 64; the server's `partition()` gives the same number.
Each lane of contacts has 64 of its own: those of `live` are 0 to 63, of `written` 64 to 127, of `bulk` 128 to 191;
several tenants share them out, and of a tenant's `m` it is the one at the same hash modulo `m` (docs/adr/0085).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from shared import SERVICES, aggregates, events, timers

PARTITIONS = 64
LANES: tuple[events.Lane, ...] = get_args(events.Lane)
"""The lanes of contacts, the first to be decided first; their order is part of the subjects."""
TOKEN_MAX_CHARACTERS = 64
_VARIES = re.compile(r"<[^>]*>")
_TOKEN = re.compile(rf"[a-z0-9_-]{{1,{TOKEN_MAX_CHARACTERS}}}\Z")


def is_token(text: str) -> bool:
    """Tell whether `text` may stand as one token of a subject."""
    return _TOKEN.match(text) is not None


def token(text: str) -> str:
    """Return `text` unchanged. Raises ValueError if it is not one exact subject token."""
    if not is_token(text):
        raise ValueError(f"not a subject token of [a-z0-9_-]{{1,{TOKEN_MAX_CHARACTERS}}}")
    return text


def partition(routing_key: str) -> int:
    """Return the partition 0..63 of a routing key.

    The rule (FNV-1a, 32 bit, modulo the number of partitions) is the one of nats-server's subject mapping.
    """
    return _hashed(routing_key) % PARTITIONS


def _hashed(routing_key: str) -> int:
    value = 0x811C9DC5
    for byte in routing_key.encode():
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


def raw(tenant: str, channel: str, account: str) -> str:
    return f"raw.{partition(account)}.{token(tenant)}.{token(channel)}.{token(account)}"


def raw_of(tenant: str) -> str:
    """Return the filter of every account's deliveries of a tenant."""
    return f"raw.*.{token(tenant)}.*.*"


def body(tenant: str, sha256: str, number: int) -> str:
    """Return the subject of one chunk of a body, counted from 0."""
    return f"body.{token(tenant)}.{token(sha256)}.{number}"


def file(tenant: str, sha256: str, number: int) -> str:
    """Return the subject of one chunk of a file, counted from 0."""
    return f"file.{token(tenant)}.{token(sha256)}.{number}"


def attachment(tenant: str, attachment_id: str) -> str:
    """Return where it stands which file an attachment is."""
    return f"attachment.{token(tenant)}.{token(attachment_id)}"


def balance(tenant: str, channel: str, account: str) -> str:
    return f"balance.{token(tenant)}.{token(channel)}.{token(account)}"


def balance_of(tenant: str) -> str:
    """Return the filter of every account's tally of a tenant."""
    return f"balance.{token(tenant)}.*.*"


def contact(
    tenant: str, channel: str, routing_key: str, event_id: str, partitions: Sequence[int]
) -> str:
    """Return the one subject of a contact event; `routing_key` is the contact's identity, of any characters.

    `partitions`: those of its lane that are its tenant's.
    """
    number = partitions[_hashed(routing_key) % len(partitions)]
    return f"contact.{number}.{token(tenant)}.{token(channel)}.{token(event_id)}"


def contact_partitions(lane: events.Lane) -> range:
    """Return the partitions of CONTACTS that are a lane's."""
    first = LANES.index(lane) * PARTITIONS
    return range(first, first + PARTITIONS)


def beside_contact(subject: str, event_id: str) -> str:
    """Return the subject of an event that comes in the same partition as another one, and so after it."""
    return f"{subject.rpartition('.')[0]}.{token(event_id)}"


def contacts_of(tenant: str) -> str:
    """Return the filter of a tenant's contact events."""
    return f"contact.*.{token(tenant)}.>"


def contact_partition(number: int) -> str:
    """Return the filter of one partition of CONTACTS, of any version's subjects."""
    return f"contact.{number}.>"


def contact_partition_of(tenant: str, filtered: str) -> str:
    """Return the filter of a tenant's contact events in one partition. `filtered`: as `contact_partition` gives it."""
    return f"{filtered.removesuffix('>')}{token(tenant)}.>"


EVERY_AGGREGATE = "ledger.*.*.*.*"
"""The subjects of LEDGER: the server takes nothing of another form into it."""


def ledger(tenant: str, aggregate: str) -> str:
    return f"ledger.{partition(aggregate)}.{token(tenant)}.{_tokens(aggregate)}"


def ledger_of_any(aggregate: str) -> str:
    """Return the filter of an aggregate of whichever tenant."""
    return f"ledger.{partition(aggregate)}.*.{_tokens(aggregate)}"


def ledger_of(tenant: str) -> str:
    """Return the filter of everything in a tenant's ledger."""
    return f"ledger.*.{token(tenant)}.*.*"


def ledger_kind(kind: str, number: int | None = None) -> str:
    """Return the filter of any tenant's aggregates of a kind, by its prefix; `number`: of one partition."""
    return f"ledger.{'*' if number is None else number}.*.{token(kind)}.*"


def about_entry(number: int) -> str:
    """Return the filter of what any tenant recorded about the entry at a sequence of LEDGER."""
    return f"ledger.*.*.{aggregates.ENTRY.prefix}.{number}"


def aggregate_in(subject: str) -> str:
    """Return the aggregate that a subject of LEDGER names."""
    return "-".join(subject.split(".")[-2:])


def tenant_in(subject: str) -> str:
    """Return the tenant that a subject of LEDGER names."""
    return subject.split(".")[2]


def live(tenant: str, aggregate: str) -> str:
    """Return where the server repeats what was stored for an aggregate (lossy, no replay)."""
    return "live." + ledger(tenant, aggregate)


def timer(tenant: str, aggregate: str, kind: str, event_id: str) -> str:
    return f"timer.{token(tenant)}.{_tokens(aggregate)}.{token(kind)}.{token(event_id)}"


def armed(service: str) -> str:
    """Return where a service notes in TIMERS that its timers stand there."""
    return f"timer.armed.{token(service)}"


def fired(tenant: str, aggregate: str, kind: str, event_id: str) -> str:
    return f"fired.{partition(aggregate)}.{token(tenant)}.{_tokens(aggregate)}.{token(kind)}.{token(event_id)}"


def fired_kind(kind: str) -> str:
    """Return the filter of all fired timers of one kind."""
    return f"fired.*.*.*.*.{token(kind)}.*"


def _tokens(aggregate: str) -> str:
    """Return an aggregate as it stands in a subject. Raises ValueError if it has no kind, or is no two tokens."""
    prefix, name = aggregates.split(aggregate)
    return f"{token(prefix)}.{token(name)}"


def refused(tenant: str, command: str) -> str:
    """Return where the refusal of a command is kept; `command`: a hash of its id."""
    return f"refused.{token(tenant)}.{token(command)}"


def command(tenant: str, name: str) -> str:
    return f"cmd.{token(tenant)}.{token(name)}"


def command_of(tenant: str) -> str:
    """Return the filter of every command to a tenant."""
    return f"cmd.{token(tenant)}.*"


def query_of(tenant: str) -> str:
    """Return the filter of every question about a tenant."""
    return f"query.{token(tenant)}.*"


def query(tenant: str, name: str) -> str:
    return f"query.{token(tenant)}.{token(name)}"


def asked_as(request: str, integration: str) -> str:
    """Return where an integration gives a command or asks a query. `request`: a subject of either, or a filter."""
    return f"{request}.as.{token(integration)}"


def asked_as_any(request: str) -> str:
    """Return the filter of what any integration asks. `request`: a subject of commands or queries, or a filter."""
    return f"{request}.as.*"


def request_in(subject: str) -> str:
    """Return the command, query or operation that the subject of a request names, whoever asks."""
    return subject.split(".")[2]


def caller_in(subject: str) -> tuple[str, str]:
    """Return tenant and integration in a subject of `asked_as`."""
    _, tenant, _, _, integration = subject.split(".")
    return tenant, integration


def screen(tenant: str, recipient: str) -> str:
    """Return where the screen of `agent-<id>` or `queue-<name>` listens for its notifications."""
    return f"screen.{token(tenant)}.{token(recipient)}"


def screens_of(tenant: str) -> str:
    """Return the filter of what all screens of a tenant are told."""
    return f"screen.{token(tenant)}.*"


def snapshot(service: str, name: str, part: str) -> str:
    """Return where a part of what a service folded is kept."""
    return f"snapshot.{token(service)}.{token(name)}.{token(part)}"


def answer(tenant: str, page: str) -> str:
    """Return where the answers to one chat page stand; `page`: see `shared.chat_answers.page_of`."""
    return f"answer.{token(tenant)}.{token(page)}"


def visit(tenant: str, visitor: str) -> str:
    """Return where it stands what a visitor did; `visitor`: see `shared.visits.visitor_token`."""
    return f"visit.{partition(visitor)}.{token(tenant)}.{token(visitor)}"


def visitor_of(tenant: str, handle: str) -> str:
    """Return where it stands which visitors were said to have a handle; `handle`: its keyed hash."""
    return f"visitor.{token(tenant)}.{token(handle)}"


LIVE_ANSWERS = "live.answer.*.*"
"""Where the server says that an answer was stored (lossy, no replay)."""
AGENTS_TYPING = "typing.*.*.agent"
"""Where an agent's desk says that she is typing an answer to a chat page."""


def page_in(subject: str) -> str:
    """Return the chat page in a subject of LIVE_ANSWERS or AGENTS_TYPING."""
    return subject.removeprefix("live.").split(".")[2]


def typing(tenant: str, page: str, who: str) -> str:
    """Return where it is said that somebody is typing; `who`: `visitor` or `agent`."""
    return f"typing.{token(tenant)}.{token(page)}.{token(who)}"


def canary(service: str, process: str) -> str:
    """Return where one process of a service stores its canary."""
    return f"canary.{token(service)}.{token(process)}"


def ops(service: str, name: str) -> str:
    return f"ops.{token(service)}.{token(name)}"


# -- who writes ---------------------------------------------------------------------------------------------

SERVER = "the server"
DESK = "desk"
"""The screens of a tenant's agents."""


@dataclass(frozen=True, slots=True)
class Form:
    """A form of subject. `text`: its tokens, `<…>` for those that vary; `writers`: who publishes there.

    `<service>` is the writer's own name. What is asked and answered stands in `deploy/rights.py`.
    """

    text: str
    writers: frozenset[str]

    def pattern(self, **known: str) -> str:
        """Return the filter of its subjects; `known`: tokens that do not vary there."""
        return _VARIES.sub(lambda found: known.get(found.group()[1:-1], "*"), self.text)


def _form(text: str, *writers: str) -> Form:
    return Form(text, frozenset(writers))


FORMS = (
    _form("raw.<p>.<tenant>.<channel>.<account>", "ingest"),
    _form("body.<tenant>.<sha256>.<number>", "ingest"),
    _form("file.<tenant>.<sha256>.<number>", "ingest"),
    _form("attachment.<tenant>.<attachment id>", "ingest"),
    _form("balance.<tenant>.<channel>.<account>", "ingest"),
    _form("contact.<p>.<tenant>.<channel>.<event id>", "ingest", "notify"),
    *(
        _form(f"ledger.<p>.<tenant>.{kind.prefix}.<id>", kind.writer)
        for kind in aggregates.KINDS.values()
    ),
    *(
        _form(f"timer.<tenant>.<kind>.<id>.{kind.name}.<timer id>", kind.reader)
        for kind in timers.KINDS
    ),
    *(
        _form(f"fired.<p>.<tenant>.<kind>.<id>.{kind.name}.now", kind.reader)
        for kind in timers.AT_ONCE
    ),
    _form("fired.<p>.<tenant>.<kind>.<id>.<timer kind>.<timer id>", SERVER),
    _form("timer.armed.<service>", *{kind.reader for kind in timers.KINDS}),
    _form("refused.<tenant>.<command>", "router", "notify"),
    _form("snapshot.<service>.<name>.<part>", "router"),
    _form("answer.<tenant>.<page>", "notify"),
    _form("visit.<p>.<tenant>.<visitor>", "ingest"),
    _form("visitor.<tenant>.<handle>", "ingest"),
    _form("canary.<service>.<process>", *SERVICES),
    _form("live.ledger.<p>.<tenant>.<kind>.<id>", SERVER),
    _form("live.answer.<tenant>.<page>", SERVER),
    _form("typing.<tenant>.<page>.visitor", "ingest"),
    _form("typing.<tenant>.<page>.agent", DESK),
    _form("screen.<tenant>.<recipient>", "notify"),
)
"""Who publishes what, and nobody else may: the users of the bus are made from this table."""
