"""What history answers, one JSON object each. `position`: the ledger position that the answer is true for."""

from __future__ import annotations

from datetime import datetime

import msgspec

from shared.conversation import (
    Callback,
    Contact,
    HopTaken,
    Offer,
    OpenTransfer,
    Promise,
    StatedFact,
)
from shared.events.packet import Known, Order, Packet

ANSWER_MAX_BYTES = 768 * 1024
"""Pages end here: the bus takes 1 MiB in one message."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What every answer says."""

    position: int


class TimelineRow(msgspec.Struct, frozen=True, kw_only=True):
    """`at`: when it happened; `recorded`: when we decided it; `sequence` orders. `text`: the words, in full.

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


class Timeline(Answer, frozen=True, kw_only=True):
    """`next`: `after` of the next page; `None` when this is the last."""

    rows: list[TimelineRow]
    next: int | None


class ConversationView(msgspec.Struct, frozen=True, kw_only=True):
    """One matter. `status`: `waiting`, `owned` or `resolved`; `sequence`: of its last event.

    Lists hold at most as many entries as an answer may have rows, the latest ones.
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
    hops: list[HopTaken]
    handovers: int
    repeats: int
    unanswered: int
    packet_id: str | None


class ConversationAnswer(Answer, frozen=True, kw_only=True):
    conversation: ConversationView


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


class CustomerAnswer(Answer, frozen=True, kw_only=True):
    """`conversations`: in the order in which they were opened, the latest last."""

    customer: CustomerView
    conversations: list[ConversationLine]


class ContextAnswer(Answer, frozen=True, kw_only=True):
    """`packet`: the stored JSON, byte for byte; all `null` when no packet was packaged (or none of this id)."""

    packet: msgspec.Raw
    packet_id: str | None
    sha256: str | None
    sequence: int | None


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


class InboxLine(msgspec.Struct, frozen=True, kw_only=True):
    """`offer_id` (and `transfer_id` when a colleague hands it on): what accepts it; `expires`: of offer or transfer."""

    conversation: str
    customer: str | None
    status: str
    owner: str | None
    queue: str | None
    contact_id: str | None
    channel: str | None
    waiting_since: datetime | None
    offer_id: str | None
    agent: str | None
    transfer_id: str | None
    packet_id: str | None
    expires: datetime | None


class Inbox(Answer, frozen=True, kw_only=True):
    """`offered`: somebody is asked; `waiting`: nobody is asked yet; `owned`: taken."""

    offered: list[InboxLine]
    waiting: list[InboxLine]
    owned: list[InboxLine]


class CallbackLine(msgspec.Struct, frozen=True, kw_only=True):
    callback_id: str
    conversation: str
    customer: str | None
    contact_id: str
    queue: str
    due: datetime
    reason: str
    attempts: int
    status: str


class Callbacks(Answer, frozen=True, kw_only=True):
    """The most urgent first."""

    count: int
    callbacks: list[CallbackLine]


class PromiseLine(msgspec.Struct, frozen=True, kw_only=True):
    promise_id: str
    conversation: str
    customer: str | None
    agent: str
    text: str
    made: datetime
    due: datetime
    kept: datetime | None
    status: str


class Promises(Answer, frozen=True, kw_only=True):
    """The most urgent first."""

    count: int
    promises: list[PromiseLine]


class OverlookedLine(msgspec.Struct, frozen=True, kw_only=True):
    """`kind`: `waiting` (in a queue), `owned` (a contact that joined its owner's conversation; `queue` is null),
    `callback` (a call that is owed) or `lost` (a call without a callback); `id`: of the ledger event.

    `state`: of its notification: `none`, `requested` or `sent`.
    """

    id: str
    sequence: int
    conversation: str
    contact_id: str | None
    kind: str
    queue: str | None
    asked: datetime
    notification_id: str | None
    state: str
    escalates: datetime | None


class Overlooked(Answer, frozen=True, kw_only=True):
    """The longest overlooked first."""

    count: int
    requests: list[OverlookedLine]


class KnownEvent(msgspec.Struct, frozen=True, kw_only=True):
    """`raw`: the delivery that became the fact, `<sequence in RAW>:<sha256>`."""

    sequence: int
    raw: str | None


class KnownAnswer(Answer, frozen=True, kw_only=True):
    """Only ids that are known stand here."""

    known: dict[str, KnownEvent]


ANSWERS: dict[str, type[Answer]] = {
    "timeline": Timeline,
    "conversation": ConversationAnswer,
    "customer": CustomerAnswer,
    "context": ContextAnswer,
    "as_of": AsOfAnswer,
    "inbox": Inbox,
    "callbacks": Callbacks,
    "promises": Promises,
    "overlooked": Overlooked,
    "position": Answer,
    "known": KnownAnswer,
}
"""The answer to each question, by the question's name."""
