"""What notify may be asked to decide. Time, ids and policy enter here; the domain asks nobody."""

from datetime import datetime
from typing import Any, Literal

import msgspec

from shared import aggregates, events, memory
from shared.policy import Policy

SERVICE = "service:notify"
"""Who decides where no agent does."""


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """What every decision needs.

    Attributes:
        conversation: in whose notifications it is decided; for what concerns an account or a lane, its aggregate.
        cause: id of the ledger event, command or timer behind it; with the aggregate it gives the ids of the events.
        cause_sha256: of a command's canonical body; `None` for events and timers.
        now: when it is decided, with a zone.
    """

    tenant: str
    conversation: events.ConversationId
    customer: events.CustomerId | None = None
    correlation: str | None = None
    cause: str
    cause_sha256: str | None = None
    actor: str = SERVICE
    now: datetime
    traceparent: str | None = None

    @property
    def origin(self) -> events.Origin:
        """What the events of this command have in common."""
        return events.Origin(
            tenant=self.tenant,
            service="notify",
            actor=self.actor,
            occurred=self.now,
            recorded=self.now,
            cause=self.cause,
            cause_sha256=self.cause_sha256,
            conversation=self.conversation if _is_conversation(self.conversation) else None,
            customer=self.customer,
            correlation=self.correlation,
            traceparent=self.traceparent,
        )


class TellRequest(Command, frozen=True, kw_only=True):
    """Something waits for somebody: tell the queue or the owner, once per request.

    `request`: what makes it one: a contact, a callback, or the event that brought the conversation back to a queue;
    `recipient`: `queue-<name>` or `agent-<id>`; `policy`: says how they are told, and when it escalates;
    `at_once`: it escalates now, for who is told was told before; `by`: who has dealt with `settled` by what she did.
    """

    request: str
    reason: events.NotificationReason = "new_request"
    recipient: str
    at_once: bool = False
    policy: Policy
    by: events.AgentId | None = None
    settled: tuple[str, ...] = ()


class TellOwner(Command, frozen=True, kw_only=True):
    """An agent took a waiting conversation: this acknowledges its new requests, and notify tells the new owner.

    `owned_before`: the owner until now; an agent who owned the conversation already is not told again.
    `earlier`: ids of the conversation's events before this one; requests of later events stay open.
    `policy`: as for `TellRequest`. `seen_by`: who has seen what waited, where it is not the new owner;
    `taken_from`: the owner from whom a supervisor took it, who is told so; `reason`: what the new owner is told, that
    it is hers, or that the customer holds the line as well.
    """

    agent: events.AgentId
    owned_before: events.AgentId | None
    earlier: frozenset[str]
    policy: Policy
    seen_by: events.AgentId | None = None
    taken_from: events.AgentId | None = None
    reason: Literal["owner_changed", "left_on_hold"] = "owner_changed"


class Attend(Command, frozen=True, kw_only=True):
    """An agent dealt with these requests, which acknowledges them as well as a command does."""

    agent: events.AgentId
    requests: tuple[str, ...]


class Answer(Command, frozen=True, kw_only=True):
    """An agent went on with the matter: she has seen all that she herself was told of. `earlier`: as for `TellOwner`.

    She wrote to the customer, handed the matter on, put it aside, or resolved it. `only`: she has seen what has this
    reason, and no more: she took the customer off hold.
    """

    agent: events.AgentId
    earlier: frozenset[str]
    only: events.NotificationReason | None = None


class Withdraw(Command, frozen=True, kw_only=True):
    """The conversation goes on in another one, `into`: there somebody has it, or waits for somebody."""

    into: events.ConversationId


class IntendMessage(Command, frozen=True, kw_only=True):
    """A message to the customer is about to leave. It is decided once; a second time decides nothing.

    `attempt`: of this try alone; see `NotificationRequestedOpen`.
    """

    message_id: events.MessageId
    channel: str
    attempt: str


class RecordSent(Command, frozen=True, kw_only=True):
    """The transport, or a message's channel, took it."""

    notification_id: events.NotificationId
    transport: str
    provider_id: str | None = None


class Acknowledge(Command, frozen=True, kw_only=True):
    """An agent says that she has seen it. `issued`: when she said so; `policy`: says whether she was told.

    `older_sha256`: see `shared.requests.sha256_before_verbs`.
    """

    issued: datetime
    notification_id: events.NotificationId
    agent: events.AgentId
    policy: Policy
    older_sha256: str | None = None

    def seen_in(self, known: memory.Memory) -> memory.RememberedCommand | None:
        """Return what it wrote before; `None` when it is new. Raises: CommandIdReused."""
        return memory.recall(known, self.cause, self.cause_sha256, self.older_sha256)


class Escalate(Command, frozen=True, kw_only=True):
    """Time is up: still unacknowledged? `policy`: says who is told then; `there`: agents who are there to see it."""

    notification_id: events.NotificationId
    policy: Policy
    there: frozenset[events.AgentId] = frozenset()


AnyCommand = (
    TellRequest
    | TellOwner
    | Attend
    | Answer
    | Withdraw
    | IntendMessage
    | RecordSent
    | Acknowledge
    | Escalate
)


def _is_conversation(name: str) -> bool:
    return aggregates.split(name)[0] not in {aggregates.ACCOUNT.prefix, aggregates.LANE.prefix}


def origin(event: events.AnyEvent, now: datetime) -> dict[str, Any]:
    """Return the fields of a command that a ledger event of a conversation, an account or a lane causes."""
    return {
        "tenant": event.tenant,
        "conversation": event.conversation or events.ConversationId(event.aggregate),
        "customer": event.customer,
        "correlation": event.correlation,
        "cause": event.id,
        "now": now,
        "traceparent": event.traceparent,
    }
