"""The query about reviews: what is looked at, and what was found of an agent."""

from datetime import datetime
from typing import Literal

import msgspec

from shared.queries.base import ListAnswer, ListQuestion, Name


class ReviewLine(msgspec.Struct, frozen=True, kw_only=True):
    """`agent`: who wrapped the contact up; `by`: who scored it; `card`: 0 to 100 by criterion.

    `status`: `open` or `scored`.
    """

    review_id: str
    conversation: str
    contact_id: str
    agent: str
    queue: str
    sampled: datetime
    scored: datetime | None
    by: str | None
    card: dict[str, int]
    finding: str | None
    status: str


class Reviews(ListAnswer, frozen=True, kw_only=True):
    """The latest first."""

    reviews: list[ReviewLine]


class AskReviews(ListQuestion[Reviews], frozen=True, kw_only=True):
    """Which contacts a supervisor looks at, and what was found: `open` ones are to be scored."""

    name = "reviews"
    agent: Name | None = None
    queue: Name | None = None
    status: Literal["open", "scored"] | None = None


REVIEW_QUERIES = (AskReviews,)
