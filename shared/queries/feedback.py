"""The query about feedback: whom we asked how it was, and what they say."""

from datetime import datetime
from typing import Literal

import msgspec

from shared.queries.base import ListAnswer, ListQuestion, Name


class FeedbackLine(msgspec.Struct, frozen=True, kw_only=True):
    """A question. `agent`: who wrapped the contact up; `given`: when she answered, `score` 1 to 5, `words` hers.

    `status`: `asked`, `given`, or `low`: given, and so low that the supervisor was told.
    """

    message_id: str
    conversation: str
    contact_id: str
    agent: str | None
    queue: str
    channel: str
    asked: datetime
    given: datetime | None
    score: int | None
    words: str | None
    status: str


class Feedback(ListAnswer, frozen=True, kw_only=True):
    """The latest first."""

    feedback: list[FeedbackLine]


class AskFeedback(ListQuestion[Feedback], frozen=True, kw_only=True):
    """Whom we asked how it was, and what they say, of an agent or a queue."""

    name = "feedback"
    agent: Name | None = None
    queue: Name | None = None
    status: Literal["asked", "given", "low"] | None = None


FEEDBACK_QUERIES = (AskFeedback,)
