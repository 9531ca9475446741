"""Who may do what on the bus, derived from the tables of subjects, streams, consumers, commands and queries.

The users of a server are made from this (`python -m deploy.bus_users`), and docs/reference/rights.md. What no table
gives is refused: a service writes what `subjects.FORMS` says, reads the streams that `streams.USED_BY` says, takes its
own consumers' messages, and hears what it is asked and what comes to its own inboxes. Streams are made, changed, purged
and deleted by the bootstrap job alone. A tenant's desk asks as the house does, an integration under its own name alone
(docs/adr/0077).
Source: docs.nats.io "Authorization" and "JetStream wire API".
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from shared import SERVICES, commands, queries, streams, subjects
from shared.bus.micro import VERBS
from shared.nkey import INBOX, INBOXES, inbox_of
from shared.policy import Policy

BOOTSTRAP, OPERATOR = "bootstrap", "operator"
HOUSE = (*SERVICES, BOOTSTRAP, OPERATOR)
"""The users of every cell; beside them stand those of its tenants."""
KEEPER = "keeper"
"""Who may do everything: for an emergency, and for whoever tries the whole. No server has one unless asked for."""
DESK, INTEGRATION = subjects.DESK, "integration"
OUTSIDE = (DESK, INTEGRATION)
"""Who stands outside of the cell. A server writes wherever a request wants its answer, also into a stream: what they
ask is answered in another account, one for each kind, which has no stream."""
ASKED = {
    DESK: (
        *("cmd.*.*", "query.*.*"),
        *(form.pattern() for form in subjects.FORMS if DESK in form.writers),
    ),
    INTEGRATION: ("cmd.*.*.as.*", "query.*.*.as.*"),
}
TOLD = {DESK: ("live.ledger.>", "screen.>"), INTEGRATION: ("live.ledger.>",)}
"""What the account of a kind imports; of these an outsider asks and hears what its own rights say."""
SERVER_INFO = "$SYS.REQ.USER.INFO"
"""Who the connected server is, and who we are to it."""
FOLLOWERS = frozenset({"router", "history", "notify"})
"""Who reads the ledger from its beginning, by consumers of his own that nobody keeps."""
TAKE = "MSG.NEXT"
FOLLOWING = ("CREATE", TAKE, "DELETE")
Asked: TypeAlias = "type[commands.Command] | type[queries.Question[Any]]"
ASKS: Mapping[str, tuple[Asked, ...]] = {
    "ingest": (queries.AskKnown, queries.AskOnDuty, queries.AskWaiting),
    "router": (queries.AskKnown, queries.AskParked),
    "notify": (commands.ParkWork,),
}
"""What services ask one another."""
HEARS = {"ingest": (subjects.LIVE_ANSWERS, subjects.AGENTS_TYPING)}
"""What services listen to that nobody asks them."""
DURABLE = (*streams.router_consumers(), *streams.notify_consumers(), streams.notify_messages())
CONSUMERS = {
    "ingest": ((streams.RAW, "*"), (streams.CONTACTS, "*")),
    "router": tuple((each.stream, each.name) for each in streams.router_consumers()),
    "notify": tuple(
        (each.stream, each.name)
        for each in (*streams.notify_consumers(), streams.notify_messages())
    ),
}
"""Whose messages a service takes and acknowledges. Ingest's have the names of tenants and accounts, which change."""
OF_LEDGER = tuple(each.name for each in DURABLE if each.stream == streams.LEDGER)


@dataclass(frozen=True, slots=True)
class Rights:
    """Filters of subjects: what a user may publish, `but` not these of them, and what it may hear."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    but: tuple[str, ...] = ()


def of(user: str, public: str) -> Rights:
    """Return the rights of a user: of the house, of a tenant (see `kind_of`), or `keeper`. `public`: of its key.

    Raises: ValueError for a user that there is not.
    """
    own = f"{inbox_of(public)}.>"
    if kind_of(user):
        inboxes = (own, f"{INBOX}.{user}.>")
        return Rights((*_of_outsider(user), *inboxes), (*_heard_outside(user), *inboxes))
    if user in SERVICES:
        return Rights(
            tuple(_of_service(user)), (*_heard_by_service(user), own), tuple(_spared_by(user))
        )
    if user in HOUSE:
        return Rights((*_of_person(user), own), (own,))
    if user == KEEPER:
        return Rights((">",), (">",))
    raise ValueError(f"no user of the bus: {user}")


def kind_of(user: str) -> str | None:
    """Return which of OUTSIDE a user is: `desk-<tenant>` or `integration-<tenant>.<name>`; `None`: neither."""
    kind, _, whose = user.partition("-")
    parts = whose.split(".")
    wanted = {DESK: 1, INTEGRATION: 2}.get(kind)
    return kind if len(parts) == wanted and all(map(subjects.is_token, parts)) else None


def is_user(user: str) -> bool:
    """Tell whether there is such a user of the bus."""
    return user in {*HOUSE, KEEPER} or kind_of(user) is not None


def integrations(policies: Iterable[Policy]) -> list[str]:
    """Return the user of each integration that policies name."""
    return [
        f"{INTEGRATION}-{policy.tenant}.{name}"
        for policy in policies
        for name in policy.integrations
    ]


def _of_service(name: str) -> Iterator[str]:
    yield from _written(name)
    for stream, users in streams.USED_BY.items():
        if name in users:
            yield from _reading(stream)
    for stream, consumer in CONSUMERS.get(name, ()):
        yield f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        yield f"$JS.ACK.{stream}.{consumer}.>"
    if name in FOLLOWERS:
        yield from (f"$JS.API.CONSUMER.{act}.{streams.LEDGER}.*" for act in FOLLOWING)
    for asked in ASKS.get(name, ()):
        yield _asked(asked)
    yield from (SERVER_INFO, *(f"{inbox}.>" for inbox in INBOXES))


def _spared_by(name: str) -> Iterator[str]:
    """The durable consumers of the ledger, beside which followers make their own: names are whole tokens."""
    if name not in FOLLOWERS:
        return
    own = {consumer for _, consumer in CONSUMERS.get(name, ())}
    for consumer in OF_LEDGER:
        for act in FOLLOWING:
            if act != TAKE or consumer not in own:
                yield f"$JS.API.CONSUMER.{act}.{streams.LEDGER}.{consumer}"


def _heard_by_service(name: str) -> Iterator[str]:
    served: list[Asked] = [*commands.COMMANDS.values(), *queries.QUERIES.values()]
    for kind in served:
        if kind.served_by == name:
            yield from (_asked(kind), subjects.asked_as_any(_asked(kind)))
    yield f"ops.{name}.*"
    for verb in VERBS:
        yield from (f"$SRV.{verb}", f"$SRV.{verb}.{name}", f"$SRV.{verb}.{name}.*")
    yield from HEARS.get(name, ())


def _of_person(name: str) -> Iterator[str]:
    """The bootstrap job may do everything to streams; an operator looks at all, and asks."""
    yield from (SERVER_INFO, *_written(name))
    if name == BOOTSTRAP:
        yield from ("$JS.API.>", "$JS.SNAPSHOT.>")
        return
    yield from ("cmd.>", "query.>", "ops.>", "$SRV.>", "$JS.API.INFO")
    for stream in streams.USED_BY:
        yield from _reading(stream)


def _of_outsider(user: str) -> Iterator[str]:
    kind, _, whose = user.partition("-")
    tenant, _, name = whose.partition(".")
    for asked in (subjects.command_of(tenant), subjects.query_of(tenant)):
        yield subjects.asked_as(asked, name) if kind == INTEGRATION else asked
    yield from (form.pattern(tenant=tenant) for form in subjects.FORMS if kind in form.writers)


def _heard_outside(user: str) -> Iterator[str]:
    kind, _, whose = user.partition("-")
    tenant, _, _ = whose.partition(".")
    yield f"live.{subjects.ledger_of(tenant)}"
    if kind == DESK:
        yield subjects.screens_of(tenant)


def _written(name: str) -> Iterator[str]:
    for form in subjects.FORMS:
        if name in form.writers:
            yield form.pattern(service=name)


def _reading(stream: str) -> Iterator[str]:
    for call in ("STREAM.INFO", "STREAM.MSG.GET", "DIRECT.GET", "CONSUMER.LIST"):
        yield f"$JS.API.{call}.{stream}"
    yield f"$JS.API.CONSUMER.INFO.{stream}.*"


def _asked(kind: Asked) -> str:
    return f"cmd.*.{kind.verb}" if issubclass(kind, commands.Command) else f"query.*.{kind.name}"
