"""What may be asked of history: request/reply on `query.<tenant>.<name>`, one JSON object each.

Unknown fields are refused (`command.unreadable`), so that a typing error is no wider question.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from shared.codec import UNREADABLE
from shared.errors import CommandUnreadable
from shared.events import HandleKind, Instant

IDS_MAX = 1_000
QUESTION_MAX_BYTES = 262_144
Position = Annotated[int, Meta(ge=0, le=2**53)]
Id = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.:-]{1,128}\Z")]
Name = Annotated[str, Meta(pattern=r"^[a-z0-9_-]{1,48}\Z")]


class Question(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every question may say.

    `min_seq`: a position (of a command's reply) that the answer must hold; it waits for it, within a limit.
    """

    name: ClassVar[str]

    min_seq: Position | None = None


class AskTimeline(Question, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was said and done, in order. Exactly one of `conversation`, `customer`.

    `after`: the `next` of the page before; `limit`: rows at most.
    """

    name = "timeline"

    conversation: Id | None = None
    customer: Id | None = None
    after: Position = 0
    limit: Annotated[int, Meta(ge=1, le=10_000)] | None = None

    def __post_init__(self) -> None:
        _exactly_one(conversation=self.conversation, customer=self.customer)


class AskConversation(Question, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One matter as it stands."""

    name = "conversation"

    conversation: Id


class Holder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A handle as the ledger holds it: a phone number in E.164, a lower-case address."""

    kind: HandleKind
    value: Annotated[str, Meta(min_length=1, max_length=512)]


class AskCustomer(Question, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One person and her matters. Exactly one of `customer`, `handle`."""

    name = "customer"

    customer: Id | None = None
    handle: Holder | None = None

    def __post_init__(self) -> None:
        _exactly_one(customer=self.customer, handle=self.handle)


class AskContext(Question, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A context packet, byte for byte as it was shown: the conversation's last one, or the one named."""

    name = "context"

    conversation: Id | None = None
    packet_id: Id | None = None

    def __post_init__(self) -> None:
        _exactly_one(conversation=self.conversation, packet_id=self.packet_id)


class AskAsOf(Question, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was known of a matter at a time. Exactly one of `sequence`, `recorded`, `occurred`.

    `recorded`: our store's time: all that was stored until then; refused while that may still change, which it
    cannot once anything was stored after it, or a minute has passed.
    `occurred`: the providers' time: all events of the conversation before the first that happened later. Something
    that arrives late may move it; ask again by the answer's `sequence` to get the same answer for ever.
    """

    name = "as_of"

    conversation: Id
    sequence: Position | None = None
    recorded: Instant | None = None
    occurred: Instant | None = None

    def __post_init__(self) -> None:
        _exactly_one(sequence=self.sequence, recorded=self.recorded, occurred=self.occurred)


class AskInbox(Question, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an agent, a queue, or the whole tenant has before it. At most one of `agent`, `queue`."""

    name = "inbox"

    agent: Name | None = None
    queue: Name | None = None

    def __post_init__(self) -> None:
        if self.agent is not None and self.queue is not None:
            raise ValueError("at most one of agent, queue")


class AskCallbacks(Question, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is owed a call."""

    name = "callbacks"

    queue: Name | None = None
    status: Literal["open", "reached", "closed"] | None = None


class AskPromises(Question, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was promised."""

    name = "promises"

    agent: Name | None = None
    status: Literal["open", "kept"] | None = None


class AskOverlooked(Question, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Requests that nobody acknowledged and that were not escalated."""

    name = "overlooked"


class AskPosition(Question, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far history is."""

    name = "position"


class AskKnown(Question, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which of these event ids became facts."""

    name = "known"

    ids: Annotated[list[Id], Meta(max_length=IDS_MAX)]


AnyQuestion = (
    AskTimeline
    | AskConversation
    | AskCustomer
    | AskContext
    | AskAsOf
    | AskInbox
    | AskCallbacks
    | AskPromises
    | AskOverlooked
    | AskPosition
    | AskKnown
)

QUESTIONS: dict[str, type[AnyQuestion]] = {
    kind.name: kind
    for kind in (
        AskTimeline,
        AskConversation,
        AskCustomer,
        AskContext,
        AskAsOf,
        AskInbox,
        AskCallbacks,
        AskPromises,
        AskOverlooked,
        AskPosition,
        AskKnown,
    )
}
"""Every question by the last token of its subject."""


def read(name: str, body: bytes) -> AnyQuestion:
    """Return the question in a request; an empty body is `{}`. Raises: CommandUnreadable."""
    if len(body) > QUESTION_MAX_BYTES:
        raise CommandUnreadable(limit_bytes=QUESTION_MAX_BYTES)
    try:
        question: AnyQuestion = msgspec.json.decode(body or b"{}", type=QUESTIONS[name])
    except UNREADABLE as error:
        raise CommandUnreadable(reason=str(error)) from error
    return question


def _exactly_one(**given: object) -> None:
    if sum(value is not None for value in given.values()) != 1:
        raise ValueError(f"exactly one of {', '.join(given)}")
