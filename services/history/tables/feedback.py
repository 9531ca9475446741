"""Table `feedback`: whom we asked how it was, and what they say."""

from collections.abc import Iterable
from datetime import datetime

from services.history.tables import conversation, row
from services.history.tables.table import Reading, Step, Table
from shared import events
from shared.conversation import Conversation
from shared.queries import AskFeedback, Feedback, FeedbackLine


class FeedbackRow(row.ReplacedRow, frozen=True, kw_only=True):
    """`given`, `score`, `low`, `words`: `None` until she answers."""

    table = "feedback"
    key = ("tenant", "message_id")
    tenant: str
    message_id: str
    conversation: str
    contact_id: str
    agent: str | None
    queue: str
    channel: str
    asked: datetime
    given: datetime | None
    score: int | None
    low: bool | None
    words: row.Words | None


def rows(step: Step[Conversation]) -> Iterable[FeedbackRow]:
    """Return the row of the question that was asked or answered."""
    event, question = step.recorded.event, step.after.satisfaction.question
    if question is None:
        return ()
    given = event if isinstance(event, events.FeedbackGiven) else None
    words = given.personal.text if given and given.personal else events.ERASED
    tenant, name = step.key
    return (
        FeedbackRow(
            tenant=tenant,
            message_id=question.message_id,
            conversation=name,
            contact_id=question.contact_id,
            agent=question.agent,
            queue=question.queue,
            channel=question.channel,
            asked=question.asked,
            given=given.recorded if given else None,
            score=question.score,
            low=given.open.low if given else None,
            words=words if given else None,
        ),
    )


TABLE = Table(
    FeedbackRow, rows, of=conversation.FOLD, on=events.FeedbackAsked | events.FeedbackGiven
)


async def feedback(reading: Reading, asked: AskFeedback) -> Feedback:
    """Answer whom we asked how it was, and what they say, the latest first."""
    page = await reading.page(
        FeedbackLine, "feedback", asked.agent, asked.queue, asked.status, asked=asked
    )
    return Feedback(
        position=await reading.position(), count=page.count, next=page.next, feedback=page.lines
    )
