"""Who is there for the customer. An owner who is not there any more owns nothing: her matter goes to its queue."""

from typing import Literal

from services.router.domain.decision import Decision
from services.router.domain.handover import attach_packet
from services.router.domain.offers import known_queue, release
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


def home_queue(decision: Decision) -> str:
    """Return the queue that a matter belongs to: of its last accepted transfer to a queue, else where it came in."""
    ownership, last = decision.conversation.ownership, decision.conversation.contacts.last
    handed_to = (
        hop.to.removeprefix("queue-")
        for hop in reversed(ownership.hops)
        if hop.accepted is not None and hop.to.startswith("queue-")
    )
    came_in = (last.queue if last else None) or ownership.first_queue
    return known_queue(decision.policy, next(handed_to, came_in))


def return_matter(decision: Decision) -> None:
    """The owner has signed out or is no longer in the policy: her matter goes to its queue, with the packet.

    Under way to somebody else it is not hers to lose: where the transfer ends, it returns.
    """
    conversation = decision.conversation
    owner = conversation.ownership.owner
    if owner is None or conversation.ownership.transfer is not None or on_duty(decision, owner):
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
