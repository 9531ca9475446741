"""A completed contact is looked at by a supervisor, who scores it; on `conv-<id>`."""

from shared.events.envelope import AgentId, ContactId, Event, Nothing, Part, ReviewId


class ReviewSampledOpen(Part, frozen=True, kw_only=True):
    """`agent`: who wrapped the contact up; `queue`: whose supervisor scores it; `percent`: of how many it is one."""

    review_id: ReviewId
    contact_id: ContactId
    agent: AgentId
    queue: str
    percent: float
    rule: str
    policy_version: str


class ReviewSampled(
    Event[ReviewSampledOpen, Nothing], frozen=True, kw_only=True, tag="review.sampled"
):
    """The completed contact is one of those that are looked at."""


class ReviewScoredOpen(Part, frozen=True, kw_only=True):
    """`card`: 0 to 100 by criterion."""

    review_id: ReviewId
    contact_id: ContactId
    agent: AgentId
    by: AgentId
    card: dict[str, int]


class ReviewScoredPersonal(Part, frozen=True, kw_only=True):
    finding: str


class ReviewScored(
    Event[ReviewScoredOpen, ReviewScoredPersonal], frozen=True, kw_only=True, tag="review.scored"
):
    """A supervisor has looked at the contact; the finding stands on the agent's record."""


ReviewEvent = ReviewSampled | ReviewScored
