"""What a contact asks of whoever takes it: by its queue, where it came in, what was pressed, and who she is."""

from collections.abc import Iterable, Mapping

from services.router.domain.decision import Decision
from services.router.domain.visits import VISIT_ENDS_AFTER
from shared import events
from shared.conversation import Needs
from shared.policy import Account, Policy


def queued(
    decision: Decision, event: events.InboundEvent, queue: str, rule: str
) -> events.ContactQueuedOpen:
    """Return how a contact waits in a queue, with all that is asked for it: the ledger alone says why she is chosen."""
    account = decision.policy.account(event.open.channel, event.open.account)
    asked = [decision.policy.queues[queue].skills, account.skills if account else {}]
    return events.ContactQueuedOpen(
        contact_id=event.open.contact_id,
        queue=queue,
        rule=rule,
        policy_version=decision.origin.policy_version,
        skills=_highest([*asked, _pressed(account, event)]),
        language=_language(decision, account),
        priority=_priority(decision, account, queue),
        last_agent=decision.loaded.last_agent,
    )


def note_pressed(decision: Decision, event: events.InboundEvent) -> None:
    """A digit that was pressed while she waits asks for more: she waits on in her place, for those who can do it."""
    ownership, waiting = decision.conversation.ownership, decision.conversation.waiting_contact
    account = decision.policy.account(event.open.channel, event.open.account)
    pressed, needs, queue = _pressed(account, event), ownership.needs, ownership.queue
    waits = waiting is not None and waiting.contact_id == event.open.contact_id
    if (
        not pressed
        or not waits
        or queue is None
        or queue not in decision.policy.queues
        or ownership.transfer
    ):
        return
    skills = _highest([needs.skills, pressed])
    if skills == needs.skills:
        return
    decision.on_conversation(events.ContactQueued, _again(decision, event, queue, needs, skills))


def _again(
    decision: Decision,
    event: events.InboundEvent,
    queue: str,
    needs: Needs,
    skills: dict[str, int],
) -> events.ContactQueuedOpen:
    return events.ContactQueuedOpen(
        contact_id=event.open.contact_id,
        queue=queue,
        rule="entry.menu",
        policy_version=decision.origin.policy_version,
        skills=skills,
        language=needs.language,
        priority=needs.priority,
        last_agent=needs.last_agent,
    )


def _pressed(account: Account | None, event: events.InboundEvent) -> Mapping[str, int]:
    if account is None or not isinstance(event, events.CallMenuSelected):
        return {}
    rule = account.menu.get(event.open.digits)
    return {} if rule is None else rule.skills


def _highest(asked: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Return every skill at the highest level that is asked for."""
    found: dict[str, int] = {}
    for skills in asked:
        found |= {skill: max(level, found.get(skill, 0)) for skill, level in skills.items()}
    return found


def _language(decision: Decision, account: Account | None) -> str | None:
    """Return what the customer speaks, as far as is known: what the shop says of her, else what is spoken there."""
    known = decision.customer.language
    if known:
        return known.partition("-")[0].lower()
    return account.language if account else None


def _priority(
    decision: Decision, account: Account | None, queue: str
) -> dict[events.PriorityReason, int]:
    policy = decision.policy
    found: dict[events.PriorityReason, int] = {
        "queue": policy.queues[queue].priority_seconds,
        "account": account.priority_seconds if account else 0,
        "vip": policy.priority.vip_seconds if decision.customer.vip else 0,
        "cart": _cart(decision, policy),
    }
    return {reason: seconds for reason, seconds in found.items() if seconds}


def _cart(decision: Decision, policy: Policy) -> int:
    """Return what a cart is worth at which she stands now: a visit that goes on, not the one of last week."""
    visit = decision.conversation.visit
    still = visit is not None and decision.origin.recorded - visit.ended <= VISIT_ENDS_AFTER
    return policy.priority.cart_seconds if visit is not None and visit.cart and still else 0
