"""Decides a contact event: finds or opens its conversation, joins the two, notes its facts, queues the conversation."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from services.router.domain.automatic_answers import answer_overload
from services.router.domain.confirm import link, merge
from services.router.domain.decision import Decision, Origin, Place
from services.router.domain.facts import holds, state_fact
from services.router.domain.feedback import answered_in, take_answer
from services.router.domain.handover import as_earlier, as_remembered, attach_packet
from services.router.domain.identify import claim, identifies, learn, speaks, was_on
from services.router.domain.importing import close_imported, find_imported_place
from services.router.domain.lost_calls import note_callback_wanted, note_lost_call, note_number
from services.router.domain.needs import note_pressed, queued
from services.router.domain.offers import end_call, release
from services.router.domain.out_of_hours import answer_out_of_hours, keep_answer
from services.router.domain.presence import note_unattended, owner_on_duty
from services.router.domain.reviews import complete
from services.router.domain.service_levels import note_answer, note_wait
from services.router.domain.snooze import customer_came
from services.router.domain.statements import told
from services.router.domain.suggest import suggest
from services.router.domain.visits import note_visit
from services.router.domain.waiting import start_wait
from shared import aggregates, events, proof
from shared.conversation import NEW_CONVERSATION, Contact, Conversation
from shared.policy import Policy

FEEDBACK = "join.feedback"
"""By which rule a message joins that answers the question how it was."""


def find_place(
    policy: Policy,
    event: events.InboundEvent,
    referenced: Conversation | None,
    known: Sequence[Conversation],
    named: Sequence[tuple[str, str]] = (),
) -> Place:
    """Say which conversation a contact joins; what was imported only its own. The first rule that holds decides:

    0. it answers the question how it was in one of hers, resolved or not;
    1. it is a contact of it, or a reply or reference leads to it; a resolved one takes only what asks for nothing, as a
       call's late reports;
    2. it names an order or parcel that exactly one open conversation of the customer holds;
    3. she is owed a call there: whoever was not reached tries again, by whatever way;
    4. it is the customer's only conversation active within `join_within_seconds`;
    5. none: a new one opens.

    `named`: see `numbers_in`.
    """
    if event.imported:
        return find_imported_place(referenced)
    asked = answered_in(policy, event, [*known, *([referenced] if referenced else [])])
    if asked is not None:
        return Place(asked.id, FEEDBACK)
    if referenced is not None and takes(referenced, event):
        return Place(referenced.id, "join.reference")
    still_open = [each for each in known if each.id is not None and not each.resolved]
    holding = [each for each in still_open if holds(each, named)]
    if len(holding) == 1:
        return Place(holding[0].id, "join.order_or_parcel")
    owing = [each for each in still_open if each.matter.owed is not None]
    if owing:
        return Place(owing[0].id, "join.owed_call")
    within = timedelta(seconds=policy.times.join_within_seconds)
    active = [
        each
        for each in still_open
        if each.contacts.last_activity and event.recorded - each.contacts.last_activity <= within
    ]
    if len(active) == 1:
        return Place(active[0].id, "join.only_active")
    return Place(None, "join.several_active" if active else "join.none_open")


def opens(event: events.InboundEvent, begun: Contact | None) -> bool:
    """Tell whether the event can begin a contact; the others report on one that began.

    `begun`: the contact, where it is known. A call begins once, however late its beginning is reported; whoever writes
    on begins again.
    """
    if isinstance(event, events.CallStarted | events.CallLost | events.MessageEdited):
        return begun is None
    return isinstance(event, events.MessageReceived | events.FormSubmitted)


def wants_answer(event: events.InboundEvent, begun: Contact | None) -> bool:
    """Tell whether somebody may wait for an answer: a machine's mail belongs to what it answers, resolved or not."""
    return opens(event, begun) and not (event.open.automatic or event.imported)


def takes(conversation: Conversation, event: events.InboundEvent) -> bool:
    """Tell whether a conversation takes a contact that leads to it: a resolved one only what wants no answer."""
    begun = conversation.contacts.by_id.get(event.open.contact_id)
    return not conversation.resolved or not wants_answer(event, begun)


# -- taking it in -----------------------------------------------------------------------------------


def decide_contact(decision: Decision, event: events.InboundEvent, place: Place) -> None:
    """Decide everything that one contact event of a customer means.

    The decision's conversation is the one of `place`, or the empty one; its customer may be unknown.
    Where a contact begun by nobody turns out to be a customer's, it is hers first, with all that was said before.
    What a machine sent into an open matter is kept there: the customer has not switched, and nobody new waits.
    So is what asks for nothing; it has a place, or it is none of a conversation's. What was imported asks for nothing
    either, and the conversation that it opens is over.
    """
    if place.rule == FEEDBACK:
        take_answer(decision, event)
        return
    if event.imported or isinstance(event, events.QuietEvent):
        _take_quietly(decision, event, place)
        return
    if decision.loaded.whose.id is not None:
        link(decision, decision.loaded.whose, event.open.contact_id, None)
        merge(decision, decision.loaded.matter)
    before = decision.conversation
    begun = before.contacts.by_id.get(event.open.contact_id)
    new_contact = begun is None
    asks = before.id is None or not event.open.automatic
    if place.conversation is None:
        _open(decision, event, place.rule)
    elif new_contact:
        _join(decision, event, place.rule)
    else:
        _claim_within_account(decision)
    if place.conversation is not None and decision.customer.id is not None:
        later = was_on(decision.customer, begun)
        _learn(decision, event, decision.customer.id, later=later)
    decision.repeat(event)
    note_visit(decision, event.open.contact_id)
    if new_contact and before.id is not None and asks:
        _switch(decision, event, before)
    _note_facts(decision, event)
    suggest(decision, event)
    _await_somebody(decision, event, begun, asks=asks)
    note_answer(decision)
    keep_answer(decision)


def _await_somebody(
    decision: Decision, event: events.InboundEvent, begun: Contact | None, *, asks: bool
) -> None:
    """She waits for somebody, or no longer: a call that is over may have been lost."""
    note_number(decision, event)
    wants_somebody = asks and (begun is None or opens(event, begun))
    if wants_somebody:
        _seek_agent(decision, event, new_contact=begun is None)
    if isinstance(event, events.CallEnded | events.CallLost):
        note_lost_call(decision, event)
        end_call(decision, event.open.contact_id)
        _complete(decision, event)
    note_pressed(decision, event)
    note_callback_wanted(decision, event)
    if wants_somebody:
        note_wait(decision, event)
        start_wait(decision)


def _seek_agent(decision: Decision, event: events.InboundEvent, *, new_contact: bool) -> None:
    """She wrote or called: what was put aside is back, and somebody has it or is sought."""
    customer_came(decision, event.open.contact_id, new_contact=new_contact)
    if isinstance(event, events.CallEnded | events.CallLost):
        return
    _queue(decision, event, new_contact=new_contact)
    if not answer_out_of_hours(decision, event):
        answer_overload(decision, event)
    if not new_contact:
        note_unattended(decision, event.open.contact_id)


def _take_quietly(decision: Decision, event: events.InboundEvent, place: Place) -> None:
    if place.conversation is None:
        _open(decision, event, place.rule)
    decision.repeat(event)
    note_answer(decision)
    keep_answer(decision)
    if place.conversation is None:
        close_imported(decision)


def opened_by(origin: Origin) -> events.ConversationId:
    """Return the id of the conversation that a contact event would open."""
    return events.ConversationId(origin.id("conversation"))


def opened_for(origin: Origin) -> events.CustomerId:
    """Return the id of the customer whom a contact event would create."""
    return events.CustomerId(origin.id("customer"))


def _open(decision: Decision, event: events.InboundEvent, rule: str) -> None:
    conversation_id = opened_by(decision.origin)
    customer = decision.customer.id or opened_for(decision.origin)
    fresh = decision.customer.id is None
    if fresh:
        _create_customer(decision, event, customer)
    decision.conversation = NEW_CONVERSATION
    decision.emit(
        events.ConversationOpened,
        aggregates.CONVERSATION.of(conversation_id),
        events.ConversationOpenedOpen(
            contact_id=event.open.contact_id,
            channel=event.open.channel,
            account=event.open.account,
            rule=rule,
            policy_version=decision.origin.policy_version,
        ),
        events.ConversationOpenedPersonal(
            after=as_earlier(decision.loaded.after), remembered=as_remembered(decision.loaded.hers)
        ),
        conversation=conversation_id,
        customer=customer,
    )
    _attach(decision, event, opened=True)
    _claim_references(decision, customer, conversation_id)
    _learn(decision, event, customer, fresh=fresh)


def _create_customer(
    decision: Decision,
    event: events.InboundEvent,
    customer: events.CustomerId,
) -> None:
    personal = event.personal
    handles = [
        each.handle for each in decision.loaded.handles if identifies(decision.policy, each.handle)
    ]
    decision.emit(
        events.CustomerCreated,
        aggregates.CUSTOMER.of(customer),
        events.CustomerCreatedOpen(provisional=True),
        events.CustomerCreatedPersonal(
            name=getattr(personal, "name", None),
            handles=[(handle.kind, handle.value, proof.of(handle)) for handle in handles],
        ),
        customer=customer,
    )


def _join(decision: Decision, event: events.InboundEvent, rule: str) -> None:
    decision.on_conversation(
        events.ConversationJoined,
        events.ConversationJoinedOpen(
            contact_id=event.open.contact_id,
            channel=event.open.channel,
            account=event.open.account,
            rule=rule,
            policy_version=decision.origin.policy_version,
            to_owner=None if event.open.automatic else owner_on_duty(decision),
        ),
    )
    _attach(decision, event, opened=False)
    conversation = decision.conversation
    if conversation.customer is not None:
        _claim_references(decision, conversation.customer, conversation.id)


def _attach(decision: Decision, event: events.InboundEvent, *, opened: bool) -> None:
    """At the customer's expected sequence: two channels ringing at once cannot open two conversations."""
    conversation = decision.conversation
    assert conversation.id is not None
    assert conversation.customer is not None
    decision.emit(
        events.ConversationAttached,
        aggregates.CUSTOMER.of(conversation.customer),
        events.ConversationAttachedOpen(
            conversation=conversation.id, contact_id=event.open.contact_id, opened=opened
        ),
    )


def _claim_references(
    decision: Decision, customer: events.CustomerId, conversation: events.ConversationId | None
) -> None:
    """References lead to this conversation from now on; without any, the contact's own, which says not who it is."""
    references = [each for each in decision.loaded.handles if each.handle.kind == "reference"]
    told_in = decision.loaded.contact
    if told_in is not None and not references:
        references = [told_in]
    for each in references:
        claim(decision, each, customer, conversation)


def _claim_within_account(decision: Decision) -> None:
    """A reference that was found as an older ledger had it leads here within its account from now on."""
    customer, here = decision.conversation.customer, decision.conversation.id
    for each in decision.loaded.handles:
        if customer is not None and each.identity.conversations and each.identity.sequence == 0:
            claim(decision, each, customer, here)


def _learn(
    decision: Decision,
    event: events.InboundEvent,
    customer: events.CustomerId,
    *,
    fresh: bool = False,
    later: bool = False,
) -> None:
    """A handle that is more than claimed, and that nobody holds, leads to her from now on.

    It is hers if she is new, if another handle beside it is hers, if it comes later in a contact of hers, or if it
    answers what an agent wrote to it. Somebody else who goes on with her matter does not become her.
    """
    heard = [each for each in decision.loaded.handles if speaks(decision.policy, each.handle)]
    beside = any(each.identity.customer == customer for each in heard)
    for each in heard:
        answers = each.identity.addressed is not None and each.identity.addressed[0] == customer
        free = not each.identity.holders and (fresh or later or beside or answers)
        better = each.identity.customer == customer
        if free or better:
            degree = "proved" if answers and free else proof.of(each.handle)
            known = replace(each, handle=proof.with_proof(each.handle, degree))
            learn(decision, known, customer, event.open.contact_id)


def _switch(decision: Decision, event: events.InboundEvent, before: Conversation) -> None:
    """She comes by another medium than with the last contact, and no agent went there first: the packet goes along."""
    last, moved_to = before.contacts.latest, before.contacts.moved_to
    if last is None or last.medium == event.open.medium or moved_to == event.open.channel:
        return
    packet_id = attach_packet(decision)
    decision.on_conversation(
        events.ChannelSwitched,
        events.ChannelSwitchedOpen(
            contact_id=event.open.contact_id,
            from_channel=moved_to or last.channel,
            to_channel=event.open.channel,
            to_owner=before.ownership.owner,
            packet_id=packet_id,
        ),
    )


# -- what it states, where it waits -----------------------------------------------------------------------


def _note_facts(decision: Decision, event: events.InboundEvent) -> None:
    found = decision.loaded.told
    for origin, name, value in told(decision.policy, event) if found is None else found:
        state_fact(decision, name, value, origin=origin, contact_id=event.open.contact_id)


def _queue(decision: Decision, event: events.InboundEvent, *, new_contact: bool) -> None:
    """An owned conversation keeps its owner while on duty; else the contact waits in its account's queue."""
    ownership, waiting = decision.conversation.ownership, decision.conversation.waiting_contact
    owner = ownership.owner
    if ownership.transfer is not None or owner_on_duty(decision) is not None:
        return
    first = waiting is None or waiting.contact_id == event.open.contact_id
    if owner is None and ownership.queue is not None and not (new_contact and first):
        return
    queue, rule = queue_for(decision.policy, event)
    decision.on_conversation(events.ContactQueued, queued(decision, event, queue, rule))
    if owner is not None and not (ownership.offer and ownership.offer.agent == owner):
        release(decision, owner, "off_duty")


def queue_for(policy: Policy, event: events.InboundEvent) -> tuple[str, str]:
    """Return the queue of an entry point and the rule that chose it."""
    account = policy.account(event.open.channel, event.open.account)
    if account is None:
        kind, _, name = event.actor.partition(":")
        if kind == "agent" and name in policy.agents and policy.agents[name].queues:
            return policy.agents[name].queues[0], "entry.agent"
        return next(iter(policy.queues)), "entry.fallback"
    topic = event.open.topic if isinstance(event, events.FormSubmitted) else None
    if topic is not None and topic in account.topics:
        return account.topics[topic], "entry.topic"
    return account.queue, "entry.account"


def _complete(decision: Decision, event: events.CallEnded | events.CallLost) -> None:
    """A wrapped-up contact is complete when its channel reports the end."""
    contact = decision.conversation.contacts.by_id.get(event.open.contact_id)
    if contact is not None and contact.wrapped_up and not contact.completed:
        complete(decision, contact.contact_id)
