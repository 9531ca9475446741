"""It is proved whose a conversation is: it becomes hers, and goes on in her open matter."""

from dataclasses import replace

from services.router.domain.consent import keep_consent
from services.router.domain.decision import Decision, ResolvedHandle
from services.router.domain.handover import attach_packet, fresh_packet
from services.router.domain.identify import identifies, learn, was_on
from services.router.domain.labels import add_labels
from services.router.domain.offers import release, reserve, takes_a_slot
from services.router.domain.promises import going_on
from services.router.domain.service_levels import keep_waiting
from services.router.domain.snooze import wake_up
from services.router.domain.waiting import start_wait
from shared import aggregates, commands, errors, events, proof
from shared.conversation import Contact, Conversation, Promise
from shared.customer import Customer
from shared.packet import facts_beyond

FACTS_MERGED_MAX = 160
"""48 stand in the packet of at most 64 KiB; a kilobyte for each of the others leaves room in an event of 256 KiB."""
PROMISES_MERGED_MAX = 64
"""Each is an event of the same batch."""


def confirm_customer(decision: Decision, command: commands.ConfirmCustomer) -> None:
    """The owner says who it is: the handles of the contact are hers, and proved.

    Raises: CustomerUnknown, ConversationOfAnother.
    """
    if decision.loaded.whose.id is None:
        raise errors.CustomerUnknown()
    hers = _provable(decision)
    if decision.conversation.customer == decision.loaded.whose.id and not hers:
        return
    contact_id = named_contact(decision.conversation, command)
    if _is_of_another(decision, contact_id):
        raise errors.ConversationOfAnother(customer=decision.conversation.customer)
    link(decision, decision.loaded.whose, contact_id, decision.by)
    for each in hers:
        learn(decision, each, decision.loaded.whose.id, None)
    merge(decision, decision.loaded.matter)


def _is_of_another(decision: Decision, contact_id: events.ContactId | None) -> bool:
    """Tell whether the conversation is somebody else's who was on another contact of it: her past is not handed over.

    Of a registered customer all but the confirmed contact may be hers; a stranger is whoever is confirmed, but by the
    contact of a third person.
    """
    before, contacts = decision.loaded.customer, decision.conversation.contacts.by_id
    if before.id == decision.loaded.whose.id or contact_id is None:
        return False
    if not before.provisional:
        return len(contacts) > 1
    return not was_on(before, contacts[contact_id])


def _provable(decision: Decision) -> list[ResolvedHandle]:
    """Return the handles of the contact, proved from now on, that are nobody else's and not proved to be hers yet.

    What a customer is registered with stays hers, whoever writes or calls from it.
    """
    whose, conversation = decision.loaded.whose, decision.conversation
    hers = {whose.id, conversation.customer if decision.loaded.customer.provisional else None}
    proved = {(each.kind, each.value) for each in whose.handles if proof.of(each) == "proved"}
    return [
        replace(each, handle=proof.with_proof(each.handle, "proved"))
        for each in decision.loaded.handles
        if identifies(decision.policy, each.handle)
        and not set(each.identity.holders) - hers
        and (each.handle.kind, each.handle.value) not in proved
    ]


def named_contact(
    conversation: Conversation, command: commands.ConfirmCustomer
) -> events.ContactId | None:
    """Return the contact whose writer is confirmed: the one that the command names, else of who is answered."""
    last = conversation.contacts.latest
    return command.contact_id or (last.contact_id if last else None)


def link(
    decision: Decision,
    whose: Customer,
    contact_id: events.ContactId | None,
    agent: events.AgentId | None,
) -> None:
    """The conversation is that customer's from now on; what is resolved is joined by nobody, and only changes hands."""
    before, conversation = decision.conversation.customer, decision.conversation
    assert whose.id is not None
    if before is None or contact_id is None:
        return
    known = decision.loaded.customer
    if known.id == before != whose.id:
        keep_consent(decision, known, whose)
    decision.on_conversation(
        events.ConversationLinked,
        events.ConversationLinkedOpen(
            customer=whose.id, before=before, contact_id=contact_id, agent=agent
        ),
    )
    if before == whose.id or conversation.resolved:
        return
    decision.customer = whose
    decision.emit(
        events.ConversationAttached,
        aggregates.CUSTOMER.of(whose.id),
        events.ConversationAttachedOpen(
            conversation=conversation.id or events.ConversationId(""),
            contact_id=contact_id,
            opened=False,
        ),
    )


def merge(decision: Decision, matter: Conversation) -> None:
    """The conversation goes on in `matter`, with all that was said, told and done; `decision` is about that one then.

    Whoever owns her matter keeps it; without an owner it is whose the merged one was. What is on its way to somebody
    else stays apart, and so does what has more facts or open promises than can be written at once.
    """
    merged = decision.conversation
    if matter.id is None or matter.id == merged.id or not _may_be_merged(merged):
        return
    packet, worked_on, offer = (
        fresh_packet(decision),
        merged.ownership.owner,
        merged.ownership.offer,
    )
    owed = merged.matter.owed and (matter.matter.owed or merged.matter.owed)
    decision.on_conversation(
        events.ConversationAbsorbed,
        events.ConversationAbsorbedOpen(
            into=matter.id, agent=worked_on, callback_id=owed.callback_id if owed else None
        ),
    )
    if worked_on is not None:
        release(decision, worked_on, "merged")
    if offer is not None:
        release(decision, offer.agent, "withdrawn")
    decision.conversation = matter
    free = matter.ownership.owner is None and matter.ownership.transfer is None
    owner = worked_on if free else None
    decision.on_conversation(
        events.ConversationMerged,
        events.ConversationMergedOpen(
            merged=merged.id or events.ConversationId(""),
            contacts=[_as_it_stands(each) for each in merged.contacts.by_id.values()],
            owner=owner,
            to_owner=matter.ownership.owner if matter.ownership.owner != worked_on else None,
            packet_id=packet.packet_id,
            answered=merged.levels.answered,
            written=merged.levels.written,
        ),
        events.ConversationMergedPersonal(
            packet=packet,
            older=facts_beyond(merged),
            handles={key: list(each.handles) for key, each in merged.contacts.by_id.items()},
            names={key: each.name for key, each in merged.contacts.by_id.items() if each.name},
        ),
    )
    wake_up(decision, "merged")
    add_labels(decision, merged.handling.labels)
    _keep_up(decision, merged)
    keep_waiting(decision, merged)
    start_wait(decision, merged.live_wait)
    if owner is not None:
        _takes_both(decision, matter, owner)


def _keep_up(decision: Decision, merged: Conversation) -> None:
    """What was promised in a merged conversation is promised here, and its call is owed, unless one is owed anyway."""
    for promise in _open_promises(merged):
        decision.on_conversation(
            events.PromiseMade,
            going_on(promise),
            events.PromiseMadePersonal(text=promise.text),
        )
    callback = merged.matter.owed
    if callback is not None and decision.conversation.matter.owed is None:
        decision.on_conversation(
            events.CallbackRequested,
            events.CallbackRequestedOpen(
                callback_id=callback.callback_id,
                contact_id=callback.contact_id,
                queue=callback.queue,
                due=callback.due,
                reason=callback.reason,
                attempts=callback.attempts,
            ),
        )


def _open_promises(conversation: Conversation) -> list[Promise]:
    return [each for each in conversation.matter.promises.values() if each.is_open]


def _takes_both(decision: Decision, matter: Conversation, owner: events.AgentId) -> None:
    """The new owner has the packet of both; an agent who was asked to take her matter is asked no longer."""
    packet_id, offer = attach_packet(decision), matter.ownership.offer
    if offer is not None and offer.agent != owner:
        release(decision, offer.agent, "withdrawn")
    if not takes_a_slot(matter, owner):
        reserve(decision, owner, events.OfferId(decision.new_id("merged")), packet_id)


def _may_be_merged(conversation: Conversation) -> bool:
    few = len(conversation.matter.facts) <= FACTS_MERGED_MAX
    kept = len(_open_promises(conversation)) <= PROMISES_MERGED_MAX
    return few and kept and conversation.ownership.transfer is None


def _as_it_stands(contact: Contact) -> events.MergedContact:
    return events.MergedContact(
        contact_id=contact.contact_id,
        medium=contact.medium,
        channel=contact.channel,
        account=contact.account,
        started=contact.started,
        status=contact.status,
        over=contact.over,
        wrapped_up=contact.wrapped_up,
        completed=contact.completed,
        queue=contact.queue,
        answered=contact.answered,
        on_hold=contact.on_hold,
        held=contact.held,
        held_since=contact.held_since,
        held_seconds=contact.held_seconds,
        heard=contact.heard,
        reference=contact.reference,
    )
