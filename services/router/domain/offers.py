"""Somebody is asked to take a contact, and what comes of the question."""

from datetime import datetime, timedelta

from services.router.domain.asking import Choice, candidates, choose, waits
from services.router.domain.decision import Decision
from services.router.domain.handover import attach_packet
from services.router.domain.pool import medium_of
from shared import commands, errors, events
from shared.conversation import Conversation, Offer

SHE_IS_THERE: frozenset[events.Medium] = frozenset({"call", "chat", "visit"})
"""Media on which an agent who accepts a contact talks with the customer."""


def make_offer(decision: Decision) -> None:
    """Ask whoever is to be asked first, see `choose`; nobody free: decide nothing."""
    conversation, policy, now = decision.conversation, decision.policy, decision.origin.recorded
    if not waits(conversation):
        return
    names = decision.loaded.shortlist or candidates(policy, conversation, now)
    choice = choose(policy, conversation, names, decision.agent, now)
    if choice.agent is None:
        return
    transfer = conversation.ownership.handing_on
    expires = now + timedelta(seconds=policy.times.offer_seconds)
    if transfer is not None:
        expires = transfer.expires
    offer_id = events.OfferId(decision.new_id("offer"))
    packet_id = attach_packet(decision)
    _write_offer(decision, offer_id, choice, choice.agent, packet_id, expires)
    line = counted_medium(decision, choice.agent)
    rings = choice.agent == conversation.ownership.owner
    if not rings or line not in (None, _noted_medium(decision, choice.agent)):
        reserve(decision, choice.agent, offer_id, packet_id, expires)


def _write_offer(
    decision: Decision,
    offer_id: events.OfferId,
    choice: Choice,
    chosen: events.AgentId,
    packet_id: events.PacketId,
    expires: datetime,
) -> None:
    conversation, version = decision.conversation, decision.origin.policy_version
    transfer = conversation.ownership.handing_on
    if transfer is not None:
        asked = events.TransferOfferedOpen(
            offer_id=offer_id,
            transfer_id=transfer.transfer_id,
            agent=chosen,
            packet_id=packet_id,
            expires=expires,
            rule=choice.rule,
            policy_version=version,
            passed_over=choice.passed_over,
        )
        decision.on_conversation(events.TransferOffered, asked)
        return
    contact = conversation.waiting_contact
    assert contact is not None
    decision.on_conversation(
        events.ContactOffered,
        events.ContactOfferedOpen(
            offer_id=offer_id,
            contact_id=contact.contact_id,
            queue=choice.queue,
            agent=chosen,
            packet_id=packet_id,
            expires=expires,
            rule=choice.rule,
            policy_version=version,
            passed_over=choice.passed_over,
        ),
    )


def standing_offer(decision: Decision, offer_id: events.OfferId) -> Offer:
    """Return the open offer that the agent answers. Raises: OfferExpired, OfferNotYours."""
    offer = decision.conversation.ownership.offer
    if offer is None or offer.offer_id != offer_id or decision.origin.recorded >= offer.expires:
        raise errors.OfferExpired(offer_id=offer_id)
    if offer.agent != decision.by:
        raise errors.OfferNotYours(offer_id=offer_id)
    return offer


def check_taker(decision: Decision) -> None:
    """Whoever has gone takes nothing, as it would be taken from her at once. Raises: AgentSignedOut.

    An acceptance from a screen that was left open does not sign her in: she would be asked for more.
    """
    if not decision.agent(decision.by).on_duty:
        raise errors.AgentSignedOut(agent=decision.by)


def check_packet(offer: Offer, command: commands.ConversationCommand) -> None:
    """Raises: CommandStale when the agent saw another packet than the offer's."""
    seen = command.expected.packet_id if command.expected else None
    if seen is not None and seen != offer.packet_id:
        raise errors.CommandStale(packet_id=offer.packet_id)


def accept_offer(decision: Decision, command: commands.AcceptOffer) -> None:
    """The agent takes the contact. Raises: OfferExpired, OfferNotYours, AgentSignedOut, CommandStale."""
    offer = standing_offer(decision, command.offer_id)
    check_taker(decision)
    check_packet(offer, command)
    contact_id = _offered_contact(offer)
    packet_id = attach_packet(decision)
    decision.on_conversation(
        events.ContactAccepted,
        events.ContactAcceptedOpen(
            offer_id=offer.offer_id, contact_id=contact_id, agent=offer.agent, packet_id=packet_id
        ),
    )
    contact = decision.conversation.contacts.by_id[contact_id]
    if contact.live and contact.medium in SHE_IS_THERE:
        _reached(decision, offer.agent, packet_id)


def _reached(decision: Decision, agent_id: events.AgentId, packet_id: events.PacketId) -> None:
    """She talks with an agent: no call is owed to her any more."""
    for callback in decision.conversation.matter.callbacks.values():
        if callback.status == "open":
            reached = events.CallbackReachedOpen(
                callback_id=callback.callback_id, agent=agent_id, packet_id=packet_id
            )
            decision.on_conversation(events.CallbackReached, reached)


def reject_offer(decision: Decision, command: commands.RejectOffer) -> None:
    """The agent refuses; the contact waits on. Raises: OfferExpired, OfferNotYours."""
    offer = standing_offer(decision, command.offer_id)
    rejected = events.ContactRejectedOpen(
        offer_id=offer.offer_id,
        contact_id=_offered_contact(offer),
        agent=offer.agent,
        reason=command.reason,
    )
    decision.on_conversation(events.ContactRejected, rejected)
    release(decision, offer.agent, "rejected")


def _offered_contact(offer: Offer) -> events.ContactId:
    """Raises: OfferExpired when it is a transfer that is offered."""
    if offer.contact_id is None:
        raise errors.OfferExpired(offer_id=offer.offer_id)
    return offer.contact_id


def time_is_up(decision: Decision, expires: datetime) -> bool:
    """Tell whether a fired timer may end what lasts until `expires`.

    Either clock is enough. The timer's own may be early: of two routers that make the same offer at once, the one that
    is refused may have armed last. It is asked once more, and by then our clock says so.
    """
    return max(decision.origin.occurred, decision.origin.recorded) >= expires


def expire_offer(decision: Decision, offer_id: str) -> None:
    """The timer asks: is this offer still open, and is its time up? If not, decide nothing.

    A timer that was armed for a try that never was written has the same id and an earlier time.
    """
    offer = decision.conversation.ownership.offer
    if offer is None or offer.offer_id != offer_id or offer.contact_id is None:
        return
    if not time_is_up(decision, offer.expires):
        return
    decision.on_conversation(
        events.ContactOfferExpired,
        events.ContactOfferExpiredOpen(
            offer_id=offer.offer_id, contact_id=offer.contact_id, agent=offer.agent
        ),
    )
    release(decision, offer.agent, "expired")


def reserve(
    decision: Decision,
    agent_id: events.AgentId,
    offer_id: events.OfferId,
    packet_id: events.PacketId,
    until: datetime | None = None,
) -> None:
    """Take one of the agent's slots for this conversation; `until`: when the offer lapses, `None` for work."""
    conversation_id = decision.conversation.id
    assert conversation_id is not None
    decision.on_agent(
        events.AgentReserved,
        agent_id,
        events.AgentReservedOpen(
            agent=agent_id,
            conversation=conversation_id,
            offer_id=offer_id,
            packet_id=packet_id,
            until=until,
            medium=counted_medium(decision, agent_id),
        ),
    )


def counted_medium(decision: Decision, agent_id: events.AgentId) -> events.Medium | None:
    """Return the medium of this conversation, where the policy counts it apart for an agent."""
    medium, limits = medium_of(decision.conversation), decision.policy.agents.get(agent_id)
    counted = limits is not None and medium is not None and medium in limits.slots_by_medium
    return medium if counted else None


def _noted_medium(decision: Decision, agent_id: events.AgentId) -> events.Medium | None:
    return decision.agent(agent_id).media.get(decision.conversation.id or events.ConversationId(""))


def end_call(decision: Decision, contact_id: events.ContactId) -> None:
    """A call is over: whoever was on the line, or asked to be, can be asked to take another one."""
    ownership = decision.conversation.ownership
    offered = ownership.offer.agent if ownership.offer else None
    for agent_id in dict.fromkeys((ownership.owner, offered)):
        if agent_id is not None:
            _hang_up(decision, agent_id, contact_id)


def takes_a_slot(conversation: Conversation, agent_id: events.AgentId) -> bool:
    """Tell whether the matter takes one of an agent's slots, by what the append proves: how she stands may be old."""
    ownership = conversation.ownership
    owns = ownership.owner == agent_id and conversation.handling.snooze is None
    return owns or (ownership.offer is not None and ownership.offer.agent == agent_id)


def _hang_up(
    decision: Decision, agent_id: events.AgentId, contact_id: events.ContactId | None
) -> None:
    """Free her line, if one is counted for her here and no call of this conversation is hers or rings at her.

    `contact_id`: of the call that has ended; `None` for the one that she did not take.
    """
    conversation = decision.conversation
    calls = [each for each in conversation.contacts.by_id.values() if each.medium == "call"]
    offer = conversation.ownership.offer
    rings = offer is not None and offer.agent == agent_id
    hers = any(each.live and (rings or each.status == "accepted") for each in calls)
    if _noted_medium(decision, agent_id) != "call" or hers or conversation.id is None:
        return
    decision.on_agent(
        events.AgentCallEnded,
        agent_id,
        events.AgentCallEndedOpen(
            agent=agent_id,
            conversation=conversation.id,
            contact_id=contact_id or calls[-1].contact_id,
        ),
    )


def release(decision: Decision, agent_id: events.AgentId, reason: str) -> None:
    """Free the agent's slot if this conversation takes one; its owner keeps hers, unless it was put aside."""
    conversation_id, aside = decision.conversation.id, decision.conversation.handling.snooze
    if conversation_id is None or conversation_id not in decision.agent(agent_id).working_on:
        return
    if decision.conversation.ownership.owner == agent_id and aside is None:
        _hang_up(decision, agent_id, None)
        return
    decision.on_agent(
        events.AgentReleased,
        agent_id,
        events.AgentReleasedOpen(agent=agent_id, conversation=conversation_id, reason=reason),
    )
