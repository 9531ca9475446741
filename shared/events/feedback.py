"""How it was for the customer: what she was asked and says, and what says it without her; on `conv-<id>`."""

from shared.events.envelope import (
    AgentId,
    ContactId,
    Event,
    EventId,
    Instant,
    MessageId,
    Nothing,
    Part,
)


class FeedbackAskedOpen(Part, frozen=True, kw_only=True):
    """`contact_id`: about which she is asked; `message_id`: of the question; `channel`, `account`: by which it goes;
    `agent`: who wrapped the contact up; `queue`: whose matter it is; `until`: until when a number answers it.
    """

    contact_id: ContactId
    message_id: MessageId
    channel: str
    account: str
    agent: AgentId | None
    queue: str
    until: Instant
    rule: str
    policy_version: str


class FeedbackAsked(
    Event[FeedbackAskedOpen, Nothing], frozen=True, kw_only=True, tag="feedback.asked"
):
    """The customer is asked how the contact was."""


class FeedbackGivenOpen(Part, frozen=True, kw_only=True):
    """`event`: the message that says it: it asks for nothing, and nobody waits because of it.

    `contact_id`, `message_id`, `channel`, `agent`, `queue`: as she was asked; `score`: 1 to 5, `low`: somebody is to
    look at it.
    """

    contact_id: ContactId
    message_id: MessageId
    event: EventId
    channel: str
    agent: AgentId | None
    queue: str
    score: int
    low: bool
    policy_version: str


class FeedbackGivenPersonal(Part, frozen=True, kw_only=True):
    """`text`: her words."""

    text: str


class FeedbackGiven(
    Event[FeedbackGivenOpen, FeedbackGivenPersonal],
    frozen=True,
    kw_only=True,
    tag="feedback.given",
):
    """The customer says how the contact was."""


class DiscontentNoticedOpen(Part, frozen=True, kw_only=True):
    """`signs`: what she met with, by kind, and how often: `promises` that were broken, `waits` past the last limit,
    `repeats` after a hand-over, `hand_overs`; `queue`: whose supervisor is told.
    """

    signs: dict[str, int]
    queue: str
    rule: str
    policy_version: str


class DiscontentNoticed(
    Event[DiscontentNoticedOpen, Nothing], frozen=True, kw_only=True, tag="discontent.noticed"
):
    """A matter came to its end after so much that the customer may leave without a word."""


FeedbackEvent = FeedbackAsked | FeedbackGiven | DiscontentNoticed
