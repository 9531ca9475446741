"""An agent is sought for a contact, takes it and wraps it up; on `conv-<id>`."""

from typing import Literal

from shared.events.envelope import (
    AgentId,
    CallbackId,
    ContactId,
    ConversationId,
    CustomerId,
    Event,
    Instant,
    Nothing,
    OfferId,
    PacketId,
    Part,
    TransferId,
)

PriorityReason = Literal["queue", "account", "vip", "cart", "rule"]
"""Why somebody is served before others who came earlier."""


class ContactQueuedOpen(Part, frozen=True, kw_only=True, omit_defaults=True):
    """`rule`: the entry point or reason that chose the queue; `exceeds`: when somebody who waits on the line, or in a
    chat, will have waited for the first limit that is ahead; `None` where no limit is.

    `skills`, `language`: what whoever takes it must be able to do and to speak; `priority`: how many seconds ahead of
    others she stands, by reason; `last_agent`: who owned her matter before, and is asked first.
    """

    contact_id: ContactId
    queue: str
    rule: str
    policy_version: str
    exceeds: Instant | None = None
    skills: dict[str, int] = {}
    language: str | None = None
    priority: dict[PriorityReason, int] = {}
    last_agent: AgentId | None = None


class ContactQueued(
    Event[ContactQueuedOpen, Nothing], frozen=True, kw_only=True, tag="contact.queued"
):
    """The contact waits for an agent of a queue."""


class ContactWaitExceededOpen(Part, frozen=True, kw_only=True, omit_defaults=True):
    """`limit_seconds`: which limit of the policy has passed; `since`: when the wait began; `exceeds`: when the next
    limit passes, `None` after the last one."""

    contact_id: ContactId
    queue: str
    since: Instant
    limit_seconds: float
    rule: str
    policy_version: str
    exceeds: Instant | None = None


class ContactWaitExceeded(
    Event[ContactWaitExceededOpen, Nothing],
    frozen=True,
    kw_only=True,
    tag="contact.wait_exceeded",
):
    """Somebody who is on the line, or in a chat, waits for longer than she should."""


class ContactWaitStartedOpen(Part, frozen=True, kw_only=True, omit_defaults=True):
    """`since`: when the wait began; `exceeds`: when it passes the first limit that is ahead."""

    contact_id: ContactId
    queue: str
    since: Instant
    exceeds: Instant
    rule: str
    policy_version: str


class ContactWaitStarted(
    Event[ContactWaitStartedOpen, Nothing],
    frozen=True,
    kw_only=True,
    tag="contact.wait_started",
):
    """Who is on the line, or in a chat, waits and was not queued for it: an agent had her, or a mail waits as well."""


class ContactOfferedOpen(Part, frozen=True, kw_only=True):
    """`passed_over`: agents of the queue who were not chosen, each with the reason; of very many some 30.

    `queue`: of whose agents she is: another one than where it waits by the rule `dispatch.overflow_<step>`.
    """

    offer_id: OfferId
    contact_id: ContactId
    queue: str
    agent: AgentId
    packet_id: PacketId
    expires: Instant
    rule: str
    policy_version: str
    passed_over: dict[str, str] = {}


class ContactOffered(
    Event[ContactOfferedOpen, Nothing], frozen=True, kw_only=True, tag="contact.offered"
):
    """One agent is asked to take the contact; the same batch reserves the agent."""


class ContactAcceptedOpen(Part, frozen=True, kw_only=True):
    offer_id: OfferId
    contact_id: ContactId
    agent: AgentId
    packet_id: PacketId


class ContactAccepted(
    Event[ContactAcceptedOpen, Nothing], frozen=True, kw_only=True, tag="contact.accepted"
):
    """The agent took the contact, acknowledges the packet and owns the conversation."""


class ContactRejectedOpen(Part, frozen=True, kw_only=True):
    offer_id: OfferId
    contact_id: ContactId
    agent: AgentId
    reason: str | None = None


class ContactRejected(
    Event[ContactRejectedOpen, Nothing], frozen=True, kw_only=True, tag="contact.rejected"
):
    """The agent refused the offer; the contact waits on."""


class ContactOfferExpiredOpen(Part, frozen=True, kw_only=True):
    offer_id: OfferId
    contact_id: ContactId
    agent: AgentId


class ContactOfferExpired(
    Event[ContactOfferExpiredOpen, Nothing], frozen=True, kw_only=True, tag="contact.offer_expired"
):
    """The agent did not answer in time; the contact waits on."""


class OfferWithdrawnOpen(Part, frozen=True, kw_only=True):
    """`reason`: `signed_out`, or `not_in_policy` when the policy has no such agent any more.

    Exactly one of `contact_id`, `transfer_id` names the matter that was offered.
    """

    offer_id: OfferId
    agent: AgentId
    reason: Literal["signed_out", "not_in_policy"]
    contact_id: ContactId | None = None
    transfer_id: TransferId | None = None


class OfferWithdrawn(
    Event[OfferWithdrawnOpen, Nothing], frozen=True, kw_only=True, tag="offer.withdrawn"
):
    """Whoever was asked is not there any more: the next one can be asked at once."""


LostReason = Literal[
    "missed", "abandoned", "voicemail", "after_hours", "transfer_failed", "requested"
]
"""How a contact was lost. `missed`: the provider never connected it; `abandoned`: she hung up before somebody took it;
`voicemail`: she spoke on the machine; `after_hours`: it came while nobody was there; `transfer_failed`: an agent had
it, and whoever it was handed on to did not take it; `requested`: she asked to be called back, and hung up.
"""


class ContactLostOpen(Part, frozen=True, kw_only=True, omit_defaults=True):
    """`reason`: `None` of an older event, whose type says it.

    `unreachable`: no number is known where she could be called: no call is owed, and nothing has `callback_id`, until
    the number is told after all.
    """

    contact_id: ContactId
    callback_id: CallbackId
    queue: str
    reason: LostReason | None = None
    unreachable: bool = False


class ContactAbandoned(
    Event[ContactLostOpen, Nothing], frozen=True, kw_only=True, tag="contact.abandoned"
):
    """The customer hung up before an agent took the contact; a callback is owed."""


class ContactMissed(
    Event[ContactLostOpen, Nothing], frozen=True, kw_only=True, tag="contact.missed"
):
    """The call was never connected; a callback is owed."""


class ContactWrappedUpOpen(Part, frozen=True, kw_only=True, omit_defaults=True):
    """`disposition`: a word of the policy, for example `solved`, `forwarded`.

    `confirmed_by_customer`: whether she said that it is so; `None` where the agent says nothing of it.
    """

    contact_id: ContactId
    agent: AgentId
    disposition: str
    confirmed_by_customer: bool | None = None


class ContactWrappedUpPersonal(Part, frozen=True, kw_only=True):
    summary: str
    next_step: str | None = None


class ContactWrappedUp(
    Event[ContactWrappedUpOpen, ContactWrappedUpPersonal],
    frozen=True,
    kw_only=True,
    tag="contact.wrapped_up",
):
    """The agent wrote down how the contact went."""


class ContactCompletedOpen(Part, frozen=True, kw_only=True, omit_defaults=True):
    """`asks`: when the customer is asked how it was; `None`: she is not."""

    contact_id: ContactId
    asks: Instant | None = None


class ContactCompleted(
    Event[ContactCompletedOpen, Nothing], frozen=True, kw_only=True, tag="contact.completed"
):
    """The contact is over and wrapped up."""


class CommandNotedOpen(Part, frozen=True, kw_only=True, omit_defaults=True):
    """`customer`: whom the command registered, where it is noted beside her: whoever holds her handles later, the
    command is found here; `conversation`: where the contact belongs that the command recorded."""

    command: str
    customer: CustomerId | None = None
    conversation: ConversationId | None = None


class CommandNoted(
    Event[CommandNotedOpen, Nothing], frozen=True, kw_only=True, tag="command.noted"
):
    """A command found nothing to change here. The note makes a repeated command change nothing later either."""


WorkEvent = (
    ContactQueued
    | ContactWaitExceeded
    | ContactWaitStarted
    | ContactOffered
    | ContactAccepted
    | ContactRejected
    | ContactOfferExpired
    | OfferWithdrawn
    | ContactAbandoned
    | ContactMissed
    | ContactWrappedUp
    | ContactCompleted
    | CommandNoted
)
