"""How it was for the customer: what she was asked and said, and what she met with."""

from datetime import datetime

import msgspec
from msgspec.structs import replace

from shared import events

NOT_SHOWN = (events.FeedbackAsked, events.FeedbackGiven, events.DiscontentNoticed)
"""A packet shows the words of the question and of the answer, as all that was said."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What she was asked, see `feedback.asked`. `score`: her answer, `None` before it."""

    contact_id: events.ContactId
    message_id: events.MessageId
    channel: str
    account: str
    agent: events.AgentId | None
    queue: str
    asked: datetime
    until: datetime
    score: int | None = None


class Satisfaction(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """How it was.

    `due`: when she is asked about each completed contact; `question`: the last one that she was asked; `answers`: the
    messages that answer one; `waits`: so many of her waits passed the last limit; `noticed`: somebody was told of what
    she met with.
    """

    due: dict[events.ContactId, datetime] = {}
    question: Question | None = None
    answers: tuple[events.EventId, ...] = ()
    waits: int = 0
    noticed: bool = False


def evolve(satisfaction: Satisfaction, event: events.AnyEvent) -> Satisfaction:
    """Return how it was after one event."""
    match event:
        case events.ContactCompleted(open=completed) if completed.asks is not None:
            due = {**satisfaction.due, completed.contact_id: completed.asks}
            return replace(satisfaction, due=due)
        case events.FeedbackAsked():
            return _asked(satisfaction, event)
        case events.FeedbackGiven(open=given):
            question = satisfaction.question
            if question is not None and question.message_id == given.message_id:
                question = replace(question, score=given.score)
            answers = (*satisfaction.answers, given.event)
            return replace(satisfaction, question=question, answers=answers)
        case events.ContactWaitExceeded(open=waited) if waited.exceeds is None:
            return replace(satisfaction, waits=satisfaction.waits + 1)
        case events.DiscontentNoticed():
            return replace(satisfaction, noticed=True)
        case _:
            return satisfaction


def _asked(satisfaction: Satisfaction, event: events.FeedbackAsked) -> Satisfaction:
    opened = event.open
    question = Question(
        contact_id=opened.contact_id,
        message_id=opened.message_id,
        channel=opened.channel,
        account=opened.account,
        agent=opened.agent,
        queue=opened.queue,
        asked=event.recorded,
        until=opened.until,
    )
    due = {key: at for key, at in satisfaction.due.items() if key != opened.contact_id}
    return replace(satisfaction, question=question, due=due)
