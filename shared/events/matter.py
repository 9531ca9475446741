"""What the customer told, and the calls she is owed; on `conv-<id>`."""

from typing import Literal

from shared.events.envelope import (
    AgentId,
    CallbackId,
    ContactId,
    Event,
    FactId,
    Instant,
    Nothing,
    PacketId,
    Part,
)

FactOrigin = Literal["agent", "menu", "form", "text"]


class FactStatedOpen(Part, frozen=True, kw_only=True):
    """`name`: a word such as `parcel_number`; `told_to`: the owner at that time, if any."""

    fact_id: FactId
    name: str
    origin: FactOrigin
    channel: str | None
    contact_id: ContactId | None
    told_to: AgentId | None = None


class FactValue(Part, frozen=True, kw_only=True):
    """`value`: at most 512 encoded bytes."""

    value: str


class FactStated(Event[FactStatedOpen, FactValue], frozen=True, kw_only=True, tag="fact.stated"):
    """The customer told something that matters."""


class FactRepeatedOpen(Part, frozen=True, kw_only=True):
    """`hops_since`: hand-overs between the first telling and this one (at least 1)."""

    fact_id: FactId
    name: str
    channel: str | None
    contact_id: ContactId | None
    told_to: AgentId | None = None
    hops_since: int


class FactRepeated(
    Event[FactRepeatedOpen, Nothing], frozen=True, kw_only=True, tag="fact.repeated"
):
    """The customer had to tell a fact again after a hand-over."""


class FactCorrectedOpen(Part, frozen=True, kw_only=True):
    fact_id: FactId
    name: str
    channel: str | None
    contact_id: ContactId | None


class FactCorrected(
    Event[FactCorrectedOpen, FactValue], frozen=True, kw_only=True, tag="fact.corrected"
):
    """A fact was wrong and has a new value; the old one stays in the ledger."""


class CallbackRequestedOpen(Part, frozen=True, kw_only=True, omit_defaults=True):
    """`reason`: how the contact was lost, see `ContactLostOpen`; `due`: in the opening hours of the queue;
    `attempts`: so far, in a conversation that goes on in this one; `policy_version`: of the policy that says by when;
    `since`: when whoever asked to be called back began to wait: from then on its time counts, so that she keeps her
    place. `None`: it counts from this event.
    """

    callback_id: CallbackId
    contact_id: ContactId
    queue: str
    due: Instant
    reason: str
    attempts: int = 0
    policy_version: str | None = None
    since: Instant | None = None


class CallbackRequested(
    Event[CallbackRequestedOpen, Nothing], frozen=True, kw_only=True, tag="callback.requested"
):
    """The customer is owed a call."""


VainOutcome = Literal["no_answer", "busy", "voicemail", "wrong_number"]
"""How a try ended that reached nobody."""


class CallbackAttemptedOpen(Part, frozen=True, kw_only=True, omit_defaults=True):
    """`due`: until when the next try is owed; without it the time stays that of the callback."""

    callback_id: CallbackId
    agent: AgentId
    attempt: int
    due: Instant | None = None
    outcome: VainOutcome = "no_answer"


class CallbackAttempted(
    Event[CallbackAttemptedOpen, Nothing], frozen=True, kw_only=True, tag="callback.attempted"
):
    """An agent called and reached nobody."""


class CallbackReachedOpen(Part, frozen=True, kw_only=True):
    callback_id: CallbackId
    agent: AgentId
    packet_id: PacketId


class CallbackReached(
    Event[CallbackReachedOpen, Nothing], frozen=True, kw_only=True, tag="callback.reached"
):
    """An agent reached the customer, by the owed call or because she came again, and owns the conversation now."""


class CallbackOverdueOpen(Part, frozen=True, kw_only=True):
    """`queue`: that of the lost call; `attempts`: so far; `to`: as for `PromiseOverdueOpen`."""

    callback_id: CallbackId
    queue: str
    due: Instant
    to: str
    attempts: int = 0


class CallbackOverdue(
    Event[CallbackOverdueOpen, Nothing], frozen=True, kw_only=True, tag="callback.overdue"
):
    """The time of an owed call is over, and nobody has reached the customer."""


class CallbackEscalatedOpen(Part, frozen=True, kw_only=True):
    """`attempts`: so far, all that the policy has; `to`: the queue whose supervisor decides what becomes of it;
    `due`: until when somebody does, or calls once more."""

    callback_id: CallbackId
    queue: str
    attempts: int
    due: Instant
    to: str
    policy_version: str


class CallbackEscalated(
    Event[CallbackEscalatedOpen, Nothing], frozen=True, kw_only=True, tag="callback.escalated"
):
    """The customer was called as often as the policy says, and was never reached."""


class CallbackClosedOpen(Part, frozen=True, kw_only=True):
    """`reason`: what the agent says, or `answered`, `wrong_number`, `resolved`."""

    callback_id: CallbackId
    agent: AgentId
    reason: str


class CallbackClosed(
    Event[CallbackClosedOpen, Nothing], frozen=True, kw_only=True, tag="callback.closed"
):
    """The callback ended for a stated reason without a call: `answered` if she wrote since and was answered."""


class MessageUnattendedOpen(Part, frozen=True, kw_only=True):
    """`owner`: who has the conversation and makes a pause; she is told, and the next one after her."""

    contact_id: ContactId
    owner: AgentId


class MessageUnattended(
    Event[MessageUnattendedOpen, Nothing], frozen=True, kw_only=True, tag="message.unattended"
):
    """The customer wrote on while the owner of her conversation makes a pause."""


MatterEvent = (
    FactStated
    | FactRepeated
    | FactCorrected
    | CallbackRequested
    | CallbackAttempted
    | CallbackReached
    | CallbackOverdue
    | CallbackEscalated
    | CallbackClosed
    | MessageUnattended
)
