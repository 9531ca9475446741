"""Table `review`: which contacts a supervisor looks at, and what was found."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from services.history.tables import conversation, row
from services.history.tables.table import Reading, Step, Table, changed
from shared import events
from shared.conversation import Conversation
from shared.queries import AskReviews, ReviewLine, Reviews


class ReviewRow(row.ReplacedRow, frozen=True, kw_only=True):
    """`card`: a JSON object; `scored`, `by`, `card`, `finding`: `None` until the review is scored."""

    table = "review"
    key = ("tenant", "review_id")
    tenant: str
    review_id: str
    conversation: str
    contact_id: str
    agent: str
    queue: str
    sampled: datetime
    scored: datetime | None
    by: str | None
    card: str | None
    finding: row.Words | None


def rows(step: Step[Conversation]) -> Iterable[ReviewRow]:
    """Return the rows of the reviews that an event changed."""
    before, after = step.before.reviewing, step.after.reviewing
    tenant, name = step.key
    return [
        ReviewRow(
            tenant=tenant,
            review_id=review.review_id,
            conversation=name,
            contact_id=review.contact_id,
            agent=review.agent,
            queue=review.queue,
            sampled=review.sampled,
            scored=review.scored,
            by=review.by,
            card=_written(review.card) if review.scored else None,
            finding=review.finding,
        )
        for review in changed(before.by_id, after.by_id)
    ]


def _written(card: dict[str, int]) -> str:
    return msgspec.json.encode(card, order="deterministic").decode()


TABLE = Table(ReviewRow, rows, of=conversation.FOLD, on=events.ReviewSampled | events.ReviewScored)


class _StoredLine(ReviewLine, frozen=True, kw_only=True):
    """A line as the table has it, its card as a text."""

    card: str | None  # type: ignore[assignment]


async def reviews(reading: Reading, asked: AskReviews) -> Reviews:
    """Answer what is looked at, and what was found, the latest first."""
    page = await reading.page(
        _StoredLine, "reviews", asked.agent, asked.queue, asked.status, asked=asked
    )
    return Reviews(
        position=await reading.position(),
        count=page.count,
        next=page.next,
        reviews=[_line(each) for each in page.lines],
    )


def _line(stored: _StoredLine) -> ReviewLine:
    card = msgspec.json.decode(stored.card, type=dict[str, int]) if stored.card else {}
    return ReviewLine(**{**msgspec.structs.asdict(stored), "card": card})
