"""Somebody waits on the line, or in a chat: for how long she may, and that she has waited for longer."""

from datetime import datetime, timedelta

from services.router.domain.automatic_answers import acting, write_automatically
from services.router.domain.decision import Decision
from services.router.domain.offers import time_is_up
from services.router.domain.recipients import reaches
from services.router.domain.service_levels import note_wait_again
from shared import events
from shared.conversation import Contact, Conversation, LiveWait

LIVE: frozenset[events.Medium] = frozenset({"call", "chat"})
"""Media on which somebody is there for as long as nobody takes the contact. A letter waits on the table."""
RULE, OFFER = "wait.limit", "wait.offer"


def first_limit(
    decision: Decision, contact_id: events.ContactId, queue: str
) -> events.Instant | None:
    """Return when a contact that is queued now will have waited for the next limit; `None`: no limit is ahead.

    Another queue does not begin the wait anew.
    """
    contact = decision.conversation.contacts.by_id.get(contact_id)
    if contact is None or contact.medium not in LIVE:
        return None
    wait, now = decision.conversation.live_wait, decision.origin.recorded
    since = now if wait is None or wait.contact_id != contact_id else wait.since
    return _next(decision, queue, since, after=now)


def start_wait(decision: Decision, before: LiveWait | None = None) -> None:
    """Whoever is there waits, and was not queued for it: an agent had her, or something else of hers waited already.

    In a chat she waits while nobody has answered her last words; if somebody owns the matter, not at all. What decides
    nothing begins no wait either. `before`: how long she waits already, in a conversation that goes on in this one.
    """
    conversation, wait = decision.conversation, decision.conversation.live_wait
    queue, there = conversation.ownership.queue, _who_waits(conversation)
    if not decision.events or conversation.ownership.owner or queue is None or not there:
        return
    if wait is not None and any(each.contact_id == wait.contact_id for each in there):
        return
    contact, now = there[0], decision.origin.recorded
    since = before.since if before and before.contact_id == contact.contact_id else now
    exceeds = _next(decision, queue, since, after=now)
    if exceeds is not None:
        decision.on_conversation(
            events.ContactWaitStarted,
            events.ContactWaitStartedOpen(
                contact_id=contact.contact_id,
                queue=queue,
                since=since,
                exceeds=exceeds,
                rule=RULE,
                policy_version=decision.origin.policy_version,
            ),
        )
    if contact.medium == "call":
        note_wait_again(decision, contact)


def _who_waits(conversation: Conversation) -> list[Contact]:
    """Return the contacts in which somebody is there and waits."""
    contacts, unanswered = conversation.contacts.by_id.values(), conversation.talk.unanswered
    waiting = [each for each in contacts if each.live and each.status == "waiting"]
    live = [each for each in waiting if each.medium in LIVE]
    return [each for each in live if each.medium == "call" or unanswered]


def asked_about(conversation: Conversation, asked: str) -> str | None:
    """Return which of the limits of a wait a timer asks about; `None` when it asks about none."""
    wait = conversation.live_wait
    if wait is None or wait.contact_id != asked or wait.exceeds is None:
        return None
    return wait.exceeds.isoformat()


def wait_goes_on(decision: Decision, asked: str) -> None:
    """The timer asks: does she still wait, and has her wait passed the limit?

    The event arms the timer of the next one, so that a wait has one timer at a time. What passed while nothing ran is
    recorded at once.
    """
    wait = decision.conversation.live_wait
    while wait is not None and wait.contact_id == asked and _has_passed(decision, wait):
        _exceed(decision, wait)
        wait = decision.conversation.live_wait
        if wait is not None and wait.exceeds is None:
            _offer_to_write(decision, wait)


def _offer_to_write(decision: Decision, wait: LiveWait) -> None:
    """Whoever waits in a chat past the last limit is told that she need not stay, and keeps her place."""
    words, contact = (
        decision.policy.wait_offer,
        decision.conversation.contacts.by_id[wait.contact_id],
    )
    account = decision.policy.account(contact.channel, contact.account)
    if words is None or account is None or account.address is None or contact.medium != "chat":
        return
    prefix, kind = f"{contact.channel}:", reaches(account)
    page = (each for each in contact.handles if kind == "account" and each.kind == kind)
    to = next((each for each in page if each.value.startswith(prefix)), None)
    if to is not None and not decision.customer.withdrew(contact.channel):
        writer = contact.channel, contact.account, account
        heard = contact.heard or contact.started
        text = words.text(decision.customer.language)
        message_id = events.MessageId(decision.new_id(OFFER))
        with acting(decision, OFFER):
            write_automatically(decision, writer, to, text, message_id, heard)


def _has_passed(decision: Decision, wait: LiveWait) -> bool:
    conversation = decision.conversation
    contact = conversation.contacts.by_id.get(wait.contact_id)
    if contact is None or conversation.resolved or conversation.ownership.owner is not None:
        return False
    waits = contact.live and contact.status == "waiting"
    return waits and wait.exceeds is not None and time_is_up(decision, wait.exceeds)


def _exceed(decision: Decision, wait: LiveWait) -> None:
    assert wait.exceeds is not None
    queue = decision.conversation.ownership.queue or ""
    decision.on_conversation(
        events.ContactWaitExceeded,
        events.ContactWaitExceededOpen(
            contact_id=wait.contact_id,
            queue=queue,
            since=wait.since,
            limit_seconds=(wait.exceeds - wait.since).total_seconds(),
            rule=RULE,
            policy_version=decision.origin.policy_version,
            exceeds=_next(decision, queue, wait.since, after=wait.exceeds),
        ),
    )


def _next(decision: Decision, queue: str, since: datetime, *, after: datetime) -> datetime | None:
    """Return when the next limit of a queue passes."""
    limits = (timedelta(seconds=each) for each in decision.policy.wait_limits(queue))
    return next((since + each for each in limits if since + each > after), None)
