"""Who is there for the customer. An owner who is not there any more owns nothing: her matter goes to its queue."""

from datetime import timedelta
from typing import Literal

from services.router.domain.decision import Decision
from services.router.domain.handover import attach_packet
from services.router.domain.offers import release
from services.router.domain.pool import known_queue
from shared import events

RULE = "return.owner_gone"


def on_duty(decision: Decision, agent_id: events.AgentId) -> bool:
    """Tell whether an agent is in the policy and signed in; away is a pause, not an absence."""
    return agent_id in decision.policy.agents and decision.agent(agent_id).on_duty


def available(decision: Decision, agent_id: events.AgentId) -> bool:
    """Tell whether something may be given to an agent now: she is on duty and not away."""
    return on_duty(decision, agent_id) and decision.agent(agent_id).status == "available"


def why_gone(
    decision: Decision, agent_id: events.AgentId
) -> Literal["signed_out", "not_in_policy"]:
    """Return why an agent is not on duty."""
    return "signed_out" if agent_id in decision.policy.agents else "not_in_policy"


def owner_on_duty(decision: Decision) -> events.AgentId | None:
    """Return the owner who is there for the customer; `None` without one, signed out, or gone from the policy."""
    owner = decision.conversation.ownership.owner
    return owner if owner is not None and on_duty(decision, owner) else None


def note_unattended(decision: Decision, contact_id: events.ContactId) -> None:
    """The customer wrote on to an owner who makes a pause: that is told, once for each wait and pause.

    Away takes nothing from an owner, and nobody is to wait for her in silence.
    """
    ownership, now = decision.conversation.ownership, decision.origin.recorded
    owner = owner_on_duty(decision)
    if owner is None or ownership.handing_on is not None or available(decision, owner):
        return
    patience = timedelta(seconds=decision.policy.times.notification_seconds)
    told, since = ownership.unattended_at, decision.agent(owner).since
    if told is not None and since is not None and since <= told and now - told < patience:
        return
    decision.on_conversation(
        events.MessageUnattended,
        events.MessageUnattendedOpen(contact_id=contact_id, owner=owner),
    )


def home_queue(decision: Decision) -> str:
    """Return the queue that a matter belongs to: of its last transfer to a queue, else where it came in.

    What nobody accepted is as it was; but a cold transfer whose time is over leaves the matter there, and what went up
    to a line is the line's.
    """
    ownership, last = decision.conversation.ownership, decision.conversation.contacts.last
    escalated = decision.conversation.escalation.transfer_id
    handed_to = (
        hop.to.removeprefix("queue-")
        for hop in reversed(ownership.hops)
        if hop.to.startswith("queue-")
        and (
            hop.accepted is not None
            or hop.transfer_id == escalated
            or (hop.kind == "cold" and hop.outcome == "expired")
        )
    )
    came_in = (last.queue if last else None) or ownership.first_queue
    return known_queue(decision.policy, next(handed_to, came_in))


def return_matter(decision: Decision) -> None:
    """The owner has signed out or is no longer in the policy: her matter goes to its queue, with the packet.

    Under way to somebody else it is not hers to lose: where the transfer ends, it returns. What was put aside waits for
    nobody yet: it returns when it comes back.
    """
    conversation = decision.conversation
    owner = conversation.ownership.owner
    under_way, aside = conversation.ownership.transfer, conversation.handling.snooze
    if owner is None or under_way is not None or aside is not None or on_duty(decision, owner):
        return
    offer, packet_id = conversation.ownership.offer, attach_packet(decision)
    decision.on_conversation(
        events.ConversationReturned,
        events.ConversationReturnedOpen(
            owner=owner,
            queue=home_queue(decision),
            reason=why_gone(decision, owner),
            packet_id=packet_id,
            rule=RULE,
            policy_version=decision.origin.policy_version,
        ),
    )
    for agent_id in dict.fromkeys((owner, offer.agent if offer else owner)):
        release(decision, agent_id, "off_duty")
