"""What a contact asks of whoever takes it: by its queue, where it came in, what was pressed, and who she is."""

from collections.abc import Iterable, Mapping
from typing import TypeGuard

from msgspec.structs import replace

from services.router.domain.decision import Decision
from services.router.domain.pool import known_queue
from services.router.domain.visits import VISIT_ENDS_AFTER
from services.router.domain.waiting import first_limit
from shared import events
from shared.conversation import Contact
from shared.conversation.needs import Needs
from shared.policy import Account, MenuRule, Policy


def queued(
    decision: Decision, event: events.InboundEvent, queue: str, rule: str
) -> events.ContactQueuedOpen:
    """Return how a contact waits in a queue, with all that is asked for it: the ledger alone says why she is chosen."""
    account, pressed = _account(decision, event), pressed_rule(decision, event)
    asked = [decision.policy.queues[queue].skills, account.skills if account else {}]
    return events.ContactQueuedOpen(
        contact_id=event.open.contact_id,
        queue=queue,
        rule=rule,
        policy_version=decision.origin.policy_version,
        skills=_highest([*asked, pressed.skills if pressed else {}]),
        language=_language(decision, account),
        priority=_priority(decision, account, queue),
        last_agent=decision.loaded.last_agent,
        exceeds=first_limit(decision, event.open.contact_id, queue),
    )


def note_pressed(decision: Decision, event: events.InboundEvent) -> None:
    """What is pressed while she waits may lead to another queue, and to whoever can do it; she keeps her place."""
    ownership, waiting = decision.conversation.ownership, decision.conversation.waiting_contact
    pressed, needs = pressed_rule(decision, event), ownership.needs
    waits = _still_waits(waiting) and waiting.contact_id == event.open.contact_id
    if pressed is None or not waits or ownership.owner or ownership.transfer:
        return
    queue = known_queue(decision.policy, pressed.queue or ownership.queue)
    again = queued(decision, event, queue, "entry.menu")
    again = replace(again, priority=again.priority | _by_rule(needs))
    if queue == ownership.queue:
        skills = _highest([needs.skills, again.skills])
        again = replace(again, skills=skills, last_agent=needs.last_agent)
    if (queue, again.skills) != (ownership.queue, needs.skills):
        decision.on_conversation(events.ContactQueued, again)


def wait_by_rule(decision: Decision, rule: str, queue: str | None, priority_seconds: int) -> None:
    """Have what waits for its first agent wait in another queue, or further ahead; since when it waits stays.

    Whoever is being asked to take it may still do so.
    """
    ownership, waiting = decision.conversation.ownership, decision.conversation.waiting_contact
    needs, there = ownership.needs, known_queue(decision.policy, queue or ownership.queue)
    had = ownership.owner or ownership.last_owner or ownership.transfer
    if not _still_waits(waiting) or had or ownership.queue is None:
        return
    skills, priority = needs.skills, needs.priority
    if there != ownership.queue:
        account = decision.policy.account(waiting.channel, waiting.account)
        asked = (decision.policy.queues[there].skills, account.skills if account else {})
        skills = _highest(asked)
        priority = {**priority, "queue": 0, **_priority(decision, account, there)}
    ahead = max(priority_seconds, priority.get("rule", 0))
    priority = {reason: each for reason, each in {**priority, "rule": ahead}.items() if each}
    if (there, priority) == (ownership.queue, needs.priority):
        return
    decision.on_conversation(
        events.ContactQueued,
        events.ContactQueuedOpen(
            contact_id=waiting.contact_id,
            queue=there,
            rule=f"rule.{rule}",
            policy_version=decision.origin.policy_version,
            skills=skills,
            language=needs.language,
            priority=priority,
            last_agent=needs.last_agent,
            exceeds=first_limit(decision, waiting.contact_id, there),
        ),
    )


def _still_waits(contact: Contact | None) -> TypeGuard[Contact]:
    """Tell whether she waits there herself: a lost call that somebody is to look at is not made to wait anew."""
    return contact is not None and contact.live and contact.status == "waiting"


def _by_rule(needs: Needs) -> dict[events.PriorityReason, int]:
    """Return how far ahead a rule has put it: what is pressed takes nothing of that."""
    return {reason: each for reason, each in needs.priority.items() if reason == "rule"}


def _account(decision: Decision, event: events.InboundEvent) -> Account | None:
    return decision.policy.account(event.open.channel, event.open.account)


def pressed_rule(decision: Decision, event: events.InboundEvent) -> MenuRule | None:
    """Return the rule of what is pressed; `None` without one."""
    account = _account(decision, event)
    if account is None or not isinstance(event, events.CallMenuSelected):
        return None
    return account.menu.get(event.open.digits)


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
