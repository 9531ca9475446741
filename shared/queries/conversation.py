"""Matters and people: what was said, how they stand, what was shown of them and when."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from shared import events
from shared.conversation import (
    Callback,
    Contact,
    LastEscalation,
    Offer,
    OpenTransfer,
    Promise,
    StatedFact,
    TakenHop,
)
from shared.events.packet import Known, Order, Packet, Possible
from shared.queries.base import Answer, Id, ListAnswer, ListQuestion, Position, Question


class TimelineLine(msgspec.Struct, frozen=True, kw_only=True):
    """`at`: when it happened, as its provider says; `recorded`: when we heard and decided it; `sequence` orders.
    `text`: the words, in full; `quoted`: what they answer, where the provider tells it.

    `open`: the event's open part as it is stored.
    """

    sequence: int
    at: datetime
    recorded: datetime
    type: str
    conversation: str | None
    customer: str | None
    contact_id: str | None
    channel: str | None
    actor: str
    text: str | None
    open: msgspec.Raw
    quoted: str | None = None


class Timeline(Answer, frozen=True, kw_only=True):
    """`next`: `after` of the next page; `None` when this is the last."""

    rows: list[TimelineLine]
    next: int | None


class AskTimeline(Question[Timeline], frozen=True, kw_only=True):
    """What was said and done, in order. Exactly one of `conversation`, `customer`.

    `after`: the `next` of the page before; `limit`: rows at most.
    """

    name = "timeline"
    one_of = ("conversation", "customer")
    conversation: Id | None = None
    customer: Id | None = None
    after: Position = 0
    limit: Annotated[int, Meta(ge=1, le=10_000)] | None = None


class ConversationView(msgspec.Struct, frozen=True, kw_only=True):
    """One matter. `status`: `waiting`, `owned` or `resolved`; `sequence`: of its last event.

    `into`: the conversation in which it goes on; `possible`: customers who may be meant, and why;
    `snoozed_until`: when it comes back to its owner, who has put it aside; `reopened`: how often it was opened again;
    `escalation`: the line that it went up to last, and by when that is to answer.
    Lists hold at most as many entries as a page may have, the first page the latest ones.
    """

    id: str
    sequence: int
    customer: str | None
    status: str
    owner: str | None
    queue: str | None
    opened: datetime | None
    last_activity: datetime | None
    waiting_since: datetime | None
    waited_seconds: int
    channels: list[str]
    matter: str | None
    contacts: list[Contact]
    facts: list[StatedFact]
    promises: list[Promise]
    callbacks: list[Callback]
    offer: Offer | None
    transfer: OpenTransfer | None
    hops: list[TakenHop]
    handovers: int
    repeats: int
    unanswered: int
    packet_id: str | None
    into: str | None = None
    possible: list[Possible] = []
    labels: list[str] = []
    snoozed_until: datetime | None = None
    reopened: int = 0
    escalation: LastEscalation | None = None


class ConversationCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many entries each list has in all, on whatever page."""

    channels: int
    contacts: int
    facts: int
    promises: int
    callbacks: int
    hops: int


class ConversationAnswer(Answer, frozen=True, kw_only=True):
    """`next`: the `after` of the next page, which goes on with the older entries of each list; `None` on the last."""

    conversation: ConversationView
    counts: ConversationCounts
    next: str | None


class AskConversation(ListQuestion[ConversationAnswer], frozen=True, kw_only=True):
    """One matter as it stands.

    `after`: the `next` of the page before, or a packet's `more.next_facts`; `limit`: entries of each list at most.
    """

    name = "conversation"
    conversation: Id


class CustomerView(msgspec.Struct, frozen=True, kw_only=True):
    """One person. `provisional`: nothing but a handle is known."""

    id: str
    provisional: bool
    name: str | None
    salutation: str | None
    language: str | None
    handles: list[Known]
    orders: list[Order]


class ConversationLine(msgspec.Struct, frozen=True, kw_only=True):
    """One matter in a list. `channel`: of its latest contact."""

    id: str
    status: str
    owner: str | None
    queue: str | None
    channel: str | None
    opened: datetime | None
    last_activity: datetime | None


class CustomerAnswer(ListAnswer, frozen=True, kw_only=True):
    """`conversations`: the latest ones, in the order in which they were opened; the next page has older ones.

    `shared_with`: the others who are known by the handle that was asked for: it leads to none of them alone.
    """

    customer: CustomerView
    conversations: list[ConversationLine]
    shared_with: list[str] = []


class Holder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A handle, however it is written; a national phone number is read in the tenant's `region`."""

    kind: events.HandleKind
    value: Annotated[str, Meta(min_length=1, max_length=512)]


class AskCustomer(ListQuestion[CustomerAnswer], frozen=True, kw_only=True):
    """One person and her matters. Exactly one of `customer`, `handle`."""

    name = "customer"
    one_of = ("customer", "handle")
    customer: Id | None = None
    handle: Holder | None = None


class ContextAnswer(Answer, frozen=True, kw_only=True):
    """`packet`: the stored JSON, byte for byte; all `null` when no packet was packaged (or none of this id)."""

    packet: msgspec.Raw
    packet_id: str | None
    sha256: str | None
    sequence: int | None


class AskContext(Question[ContextAnswer], frozen=True, kw_only=True):
    """A context packet, byte for byte as the agent saw it: the conversation's last packet, or the named packet."""

    name = "context"
    one_of = ("conversation", "packet_id")
    conversation: Id | None = None
    packet_id: Id | None = None


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A packet that was stored, byte for byte, and where."""

    packet_id: str
    sha256: str
    sequence: int
    packet: msgspec.Raw


class AsOfAnswer(Answer, frozen=True, kw_only=True):
    """The matter folded from the ledger up to `sequence`; nothing later shows. The same question, the same answer.

    `code_version`: of the fold; `digest`: SHA-256 of the packet's canonical form;
    `shown`: the last packet stored at or before `sequence`, what people really saw; `None` before the first.
    """

    sequence: int
    code_version: str
    digest: str
    packet: Packet
    shown: Shown | None


class AskAsOf(Question[AsOfAnswer], frozen=True, kw_only=True):
    """What was known of a matter at a time. Exactly one of `sequence`, `recorded`, `occurred`.

    `recorded`: our store's time: all that was stored until then; refused while that may still change, which it
    cannot once anything was stored after it, or a minute has passed.
    `occurred`: the providers' time: all events of the conversation before the first that happened later. Something
    that arrives late may move it; ask again by the answer's `sequence` to get the same answer for ever.
    """

    name = "as_of"
    one_of = ("sequence", "recorded", "occurred")
    conversation: Id
    sequence: Position | None = None
    recorded: events.Instant | None = None
    occurred: events.Instant | None = None


CONVERSATION_QUERIES = (AskTimeline, AskConversation, AskCustomer, AskContext, AskAsOf)
