"""Some completed contacts are looked at by the supervisor of their queue, who scores them."""

from services.router.domain.decision import Decision
from services.router.domain.feedback import asks_at
from services.router.domain.pool import known_queue
from shared import commands, errors, events, ids
from shared.conversation.reviews import Review
from shared.packet import check_text

RULE = "review.percent"


def complete(decision: Decision, contact_id: events.ContactId) -> None:
    """The contact is over and wrapped up; it may be one of those that are looked at, or that she is asked about."""
    completed = events.ContactCompletedOpen(
        contact_id=contact_id, asks=asks_at(decision, contact_id)
    )
    decision.on_conversation(events.ContactCompleted, completed)
    _sample(decision, contact_id)


def drawn(tenant: str, contact_id: events.ContactId, percent: float) -> bool:
    """Tell whether a contact is one of so many: its id says so, whoever asks and however often."""
    return ids.share("review", tenant, contact_id) * 100 < percent


def _sample(decision: Decision, contact_id: events.ContactId) -> None:
    """Nobody looks at her own work, nor twice at one contact; without a supervisor nobody could score it."""
    rule, reviewing = decision.policy.reviews, decision.conversation.reviewing
    if rule is None or not drawn(decision.origin.tenant, contact_id, rule.percent):
        return
    queue, agent = _queue(decision, contact_id), reviewing.wrapped_up_by.get(contact_id)
    supervisor = decision.policy.queues[queue].supervisor
    known = any(each.contact_id == contact_id for each in reviewing.by_id.values())
    if agent is None or supervisor is None or supervisor == agent or known:
        return
    decision.on_conversation(
        events.ReviewSampled,
        events.ReviewSampledOpen(
            review_id=events.ReviewId(ids.scoped_id("review", decision.origin.tenant, contact_id)),
            contact_id=contact_id,
            agent=agent,
            queue=queue,
            percent=rule.percent,
            rule=RULE,
            policy_version=decision.origin.policy_version,
        ),
    )


def _queue(decision: Decision, contact_id: events.ContactId) -> str:
    """Return the queue of a contact; of one that came to an owner, where the conversation came in."""
    contact = decision.conversation.contacts.by_id.get(contact_id)
    came_in = decision.conversation.ownership.first_queue
    return known_queue(decision.policy, (contact.queue if contact else None) or came_in)


def score(decision: Decision, command: commands.ScoreReview) -> None:
    """The supervisor of the queue scores it, once; the same score again: decide nothing.

    Raises: ReviewUnknown, ReviewForbidden, ReviewScored, ReviewCardInvalid, TextTooLong, TextHasNul.
    """
    review = decision.conversation.reviewing.by_id.get(command.review_id)
    if review is None:
        raise errors.ReviewUnknown()
    queue = decision.policy.queues.get(review.queue)
    if queue is None or queue.supervisor != decision.by:
        raise errors.ReviewForbidden(queue=review.queue)
    _check_card(decision, command.card)
    finding = check_text(command.finding)
    if _is_scored(review, decision.by, command.card, finding):
        return
    decision.on_conversation(
        events.ReviewScored,
        events.ReviewScoredOpen(
            review_id=review.review_id,
            contact_id=review.contact_id,
            agent=review.agent,
            by=decision.by,
            card=command.card,
        ),
        events.ReviewScoredPersonal(finding=finding),
    )


def _is_scored(review: Review, by: events.AgentId, card: dict[str, int], finding: str) -> bool:
    """Raises: ReviewScored for another score than the one that stands."""
    if review.scored is None:
        return False
    if (review.by, review.card, review.finding) != (by, card, finding):
        raise errors.ReviewScored(by=review.by)
    return True


def _check_card(decision: Decision, card: dict[str, int]) -> None:
    """Raises: ReviewCardInvalid."""
    criteria = decision.policy.reviews.criteria if decision.policy.reviews else ()
    differing = [each for each in (*criteria, *card) if (each in card) != (each in criteria)]
    if criteria and differing:
        raise errors.ReviewCardInvalid(criterion=differing[0])
