"""Who is asked to take a contact, and what comes of the question."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from services.router.domain.agent import Agent
from services.router.domain.decision import Decision
from services.router.domain.handover import attach_packet
from shared import commands, errors, events
from shared.conversation import Conversation, Offer, OpenTransfer
from shared.policy import Agent as AgentPolicy
from shared.policy import Policy

RULE = "dispatch.longest_idle"
SHE_IS_THERE: frozenset[events.Medium] = frozenset({"call", "chat", "visit"})
"""Media on which an agent who accepts a contact talks with the customer."""


def waits(conversation: Conversation) -> bool:
    """Tell whether somebody has to be asked now."""
    ownership = conversation.ownership
    if conversation.id is None or conversation.resolved or ownership.offer is not None:
        return False
    return ownership.transfer is not None or conversation.waiting_contact is not None


class Group(NamedTuple):
    """A team, or those who take from a queue."""

    kind: Literal["team", "queue"]
    name: str


class Asked(NamedTuple):
    """Who may be asked: `one` agent alone, else everybody of a group but those `without`."""

    one: str | None
    group: Group
    without: frozenset[str] = frozenset()


def asked_for(policy: Policy, conversation: Conversation) -> Asked:
    """Return whom the queue or the transfer allows. A call into an owned conversation is for its owner alone."""
    ownership, transfer = conversation.ownership, conversation.ownership.transfer
    if transfer is None:
        return Asked(ownership.owner, Group("queue", known_queue(policy, ownership.queue)))
    return Asked(
        transfer.to.agent,
        _group(transfer.to),
        frozenset({transfer.sender, *transfer.refused_by}),
    )


def _group(to: events.Target) -> Group:
    return Group("team", to.team) if to.team else Group("queue", to.queue or "")


def groups_of(agent: AgentPolicy) -> list[Group]:
    """Return in which groups an agent is."""
    queues, teams = dict.fromkeys(agent.queues), dict.fromkeys(agent.teams)
    return [*(Group("queue", each) for each in queues), *(Group("team", each) for each in teams)]


def candidates(policy: Policy, conversation: Conversation) -> list[events.AgentId]:
    """Return the agents who may be asked, in order of name. Whoever is no longer in the policy is not asked."""
    asked = asked_for(policy, conversation)
    if asked.one is not None:
        return [events.AgentId(asked.one)] if asked.one in policy.agents else []
    return [
        events.AgentId(name) for name in _members(policy, asked.group) if name not in asked.without
    ]


def may_be_asked(policy: Policy, conversation: Conversation, name: events.AgentId) -> bool:
    """Tell whether an agent is a candidate, without a look at all others."""
    asked, agent = asked_for(policy, conversation), policy.agents.get(name)
    if agent is None or asked.one is not None:
        return agent is not None and name == asked.one
    return name not in asked.without and asked.group in groups_of(agent)


def _members(policy: Policy, group: Group) -> list[str]:
    of_team = group.kind == "team"
    return policy.agents_of_team(group.name) if of_team else policy.agents_of_queue(group.name)


def group_of(policy: Policy, transfer: OpenTransfer) -> list[str]:
    """Return those of a transfer's team or queue who may still be asked, in order of name; [] for one to an agent."""
    refused = {transfer.sender, *transfer.refused_by}
    return [name for name in _members(policy, _group(transfer.to)) if name not in refused]


def known_queue(policy: Policy, queue: str | None) -> str:
    """Return the queue, or the policy's first queue if the policy has dropped the queue: every wait ends."""
    return queue if queue is not None and queue in policy.queues else next(iter(policy.queues))


def make_offer(decision: Decision) -> None:
    """Ask the candidate who was passed over least and has been idle longest; nobody free: decide nothing."""
    ownership = decision.conversation.ownership
    if not waits(decision.conversation):
        return
    names = decision.loaded.shortlist or candidates(decision.policy, decision.conversation)
    chosen, passed_over = choose(
        decision.policy, decision.conversation, names, decision.agent, decision.origin.recorded
    )
    if chosen is None:
        return
    expires = decision.origin.recorded + timedelta(seconds=decision.policy.times.offer_seconds)
    if ownership.transfer is not None:
        expires = ownership.transfer.expires
    offer_id = events.OfferId(decision.new_id("offer"))
    packet_id = attach_packet(decision)
    _write_offer(decision, offer_id, chosen, packet_id, expires, passed_over)
    if chosen != ownership.owner:
        reserve(decision, chosen, offer_id, packet_id, expires)


def _write_offer(
    decision: Decision,
    offer_id: events.OfferId,
    chosen: events.AgentId,
    packet_id: events.PacketId,
    expires: datetime,
    passed_over: dict[str, str],
) -> None:
    conversation, version = decision.conversation, decision.origin.policy_version
    transfer = conversation.ownership.transfer
    if transfer is not None:
        asked = events.TransferOfferedOpen(
            offer_id=offer_id,
            transfer_id=transfer.transfer_id,
            agent=chosen,
            packet_id=packet_id,
            expires=expires,
            rule=RULE,
            policy_version=version,
            passed_over=passed_over,
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
            queue=conversation.ownership.queue or "",
            agent=chosen,
            packet_id=packet_id,
            expires=expires,
            rule=RULE,
            policy_version=version,
            passed_over=passed_over,
        ),
    )


def choose(
    policy: Policy,
    conversation: Conversation,
    names: Sequence[events.AgentId],
    known: Callable[[events.AgentId], Agent],
    now: datetime,
) -> tuple[events.AgentId | None, dict[str, str]]:
    """Return which of these candidates to ask and, for each other one, why not; `known`: how an agent stands."""
    ownership = conversation.ownership
    free: list[tuple[int, datetime, events.AgentId]] = []
    reasons: dict[str, str] = {}
    for name in names:
        agent = known(name)
        reason = obstacle(policy, conversation, name, agent, now)
        if reason is not None:
            reasons[name] = reason
        else:
            free.append((ownership.passed_over.get(name, 0), agent.idle_since or now, name))
    if not free:
        return None, reasons
    chosen = min(free)[2]
    return chosen, reasons | {name: "idle_shorter" for _, _, name in free if name != chosen}


def obstacle(
    policy: Policy, conversation: Conversation, name: events.AgentId, agent: Agent, now: datetime
) -> str | None:
    """Return why a candidate is not asked now; `None` when she can be."""
    if agent.status != "available":
        return agent.status
    if name != conversation.ownership.owner:
        has_one = conversation.id in agent.working_on
        if has_one or not agent.can_take(policy.agents[name].slots):
            return "busy"
    rested = rest_ends(policy, conversation)
    if conversation.ownership.passed_over.get(name) and rested is not None and now < rested:
        return "passed_over_just_now"
    return None


def rest_ends(policy: Policy, conversation: Conversation) -> datetime | None:
    """Return until when those who were passed over are not asked again for this conversation; `None`: nobody was."""
    ownership = conversation.ownership
    if not ownership.passed_over or ownership.passed_over_at is None:
        return None
    return ownership.passed_over_at + timedelta(seconds=policy.times.offer_seconds)


# -- the answer ---------------------------------------------------------------------------------------


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
        ),
    )


def release(decision: Decision, agent_id: events.AgentId, reason: str) -> None:
    """Free the agent's slot if this conversation takes one; its owner keeps hers."""
    conversation_id = decision.conversation.id
    if conversation_id is None or conversation_id not in decision.agent(agent_id).working_on:
        return
    if decision.conversation.ownership.owner == agent_id:
        return
    decision.on_agent(
        events.AgentReleased,
        agent_id,
        events.AgentReleasedOpen(agent=agent_id, conversation=conversation_id, reason=reason),
    )
