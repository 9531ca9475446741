"""One short question after a contact, and its answer: how it was, from 1 to 5, where she wrote (docs/adr/0101)."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from services.router.domain.automatic_answers import acting, address, write_automatically
from services.router.domain.decision import Decision
from services.router.domain.offers import time_is_up
from services.router.domain.presence import home_queue
from shared import events, ids
from shared.commands import REMEMBERED
from shared.conversation import Contact, Conversation, Question
from shared.feedback import Feedback
from shared.packet import fit_text
from shared.policy import Policy

RULE = "feedback"


def asks_at(decision: Decision, contact_id: events.ContactId) -> datetime | None:
    """Return when she is asked about a contact that is complete now; `None`: not at all."""
    rule, contact = decision.policy.feedback, decision.conversation.contacts.by_id.get(contact_id)
    if rule is None or contact is None or contact.medium not in rule.media:
        return None
    if ids.share(RULE, decision.origin.tenant, contact_id) * 100 >= rule.percent:
        return None
    return decision.origin.recorded + timedelta(seconds=rule.after_seconds)


def asked_about(conversation: Conversation, asked: str) -> str | None:
    """Return which completion of a contact a timer asks about; `None` when it asks about none."""
    due = conversation.satisfaction.due.get(events.ContactId(asked))
    return None if due is None else due.isoformat()


def feedback_is_due(decision: Decision, asked: str) -> None:
    """The timer asks: is she to be asked now? Not who waits for us, nor who was asked not long ago; nor a day late."""
    conversation, rule = decision.conversation, decision.policy.feedback
    contact = conversation.contacts.by_id.get(events.ContactId(asked))
    due = conversation.satisfaction.due.get(events.ContactId(asked))
    if rule is None or contact is None or due is None or not time_is_up(decision, due):
        return
    waits = conversation.talk.unanswered or conversation.waiting_contact is not None
    late = decision.origin.recorded - due >= REMEMBERED
    if contact.completed and not (late or waits) and not _was_asked(decision, rule):
        _ask(decision, rule, contact)


def _was_asked(decision: Decision, rule: Feedback) -> bool:
    """Tell whether she was asked within the quiet time, here or in another matter of hers."""
    since = decision.origin.recorded - timedelta(days=rule.quiet_days)
    hers = (decision.conversation, *decision.loaded.hers)
    questions = (each.satisfaction.question for each in hers)
    return any(each is not None and each.asked >= since for each in questions)


def _ask(decision: Decision, rule: Feedback, contact: Contact) -> None:
    account = decision.policy.account(contact.channel, contact.account)
    if account is None or account.address is None or decision.customer.withdrew(contact.channel):
        return
    to = address(decision.policy, contact.handles, contact.medium, contact.channel, account)
    if to is None:
        return
    writer = contact.channel, contact.account, account
    message_id = events.MessageId(decision.new_id(RULE))
    until = decision.origin.recorded + timedelta(seconds=rule.answer_seconds)
    by = decision.conversation.reviewing.wrapped_up_by
    with acting(decision, RULE):
        text = rule.text(decision.customer.language)
        write_automatically(decision, writer, to, text, message_id, contact.heard)
        decision.on_conversation(
            events.FeedbackAsked,
            events.FeedbackAskedOpen(
                contact_id=contact.contact_id,
                message_id=message_id,
                channel=contact.channel,
                account=contact.account,
                agent=by.get(contact.contact_id),
                queue=contact.queue or home_queue(decision),
                until=until,
                rule=RULE,
                policy_version=decision.origin.policy_version,
            ),
        )


# -- her answer -------------------------------------------------------------------------------------------


def answered_in(
    policy: Policy, event: events.InboundEvent, hers: Sequence[Conversation]
) -> Conversation | None:
    """Return in which of her conversations a message answers the question how it was; `None`: it is none.

    It is a number and nothing else, from where she was asked, in time, and the first one; and it answers or goes on
    with nothing else: "how many lamps?", "5".
    """
    asked = next((each for each in hers if _score(policy, event, each) is not None), None)
    question = None if asked is None else asked.satisfaction.question
    if question is None or any(_talks_since(each, question.asked) for each in hers):
        return None
    return asked


def _talks_since(conversation: Conversation, asked: datetime) -> bool:
    """Tell whether a person wrote to her since, or she waits for one to do so."""
    written, waits = conversation.levels.written, conversation.talk.unanswered
    return (written is not None and written >= asked) or (waits > 0 and not conversation.resolved)


def _score(policy: Policy, event: events.InboundEvent, asked: Conversation) -> int | None:
    question, rule = asked.satisfaction.question, policy.feedback
    if question is None or question.score is not None or rule is None or asked.into is not None:
        return None
    if not isinstance(event, events.MessageReceived) or event.personal is None:
        return None
    if event.open.automatic or event.imported or event.open.attachments:
        return None
    in_time = question.asked <= event.recorded < question.until
    return rule.score(_words(event)) if in_time and _from_there(event, question, asked) else None


def _words(event: events.MessageReceived) -> str:
    return "" if event.personal is None else event.personal.reply_text or event.personal.text


def _from_there(event: events.MessageReceived, question: Question, asked: Conversation) -> bool:
    """Tell whether a message comes from where the question went."""
    went, given = asked.talk.outbound.get(question.message_id), event.personal
    here = (event.open.channel, event.open.account) == (question.channel, question.account)
    return (
        here
        and went is not None
        and given is not None
        and went.to in {it.value for it in given.handles}
    )


def take_answer(decision: Decision, event: events.InboundEvent) -> None:
    """She says how it was. Her message asks for nothing: it opens nothing, and nobody waits because of it."""
    rule, question = decision.policy.feedback, decision.conversation.satisfaction.question
    score = _score(decision.policy, event, decision.conversation)
    if rule is None or question is None or score is None:
        return
    assert isinstance(event, events.MessageReceived)
    decision.on_conversation(
        events.FeedbackGiven,
        events.FeedbackGivenOpen(
            contact_id=question.contact_id,
            message_id=question.message_id,
            event=event.id,
            channel=question.channel,
            agent=question.agent,
            queue=question.queue,
            score=score,
            low=score <= rule.low,
            policy_version=decision.origin.policy_version,
        ),
        events.FeedbackGivenPersonal(text=fit_text(_words(event))),
    )
    decision.repeat(event)
