"""A supervisor takes a matter, or gives it to somebody: at once, with a reason and the packet (docs/adr/0093)."""

from services.router.domain.announcing import note_announcements
from services.router.domain.decision import Decision
from services.router.domain.handover import attach_packet_with, new_packet_id
from services.router.domain.offers import check_taker, release, reserve, takes_a_slot
from services.router.domain.presence import available, home_queue
from shared import commands, errors, events
from shared.packet import check_text

TAKE_OVER_RULE = "supervisor.take_over"
ASSIGN_RULE = "supervisor.assign"


def supervised_queue(decision: Decision) -> str | None:
    """Return the queue by which the agent supervises the matter: where it is, belongs, or came in; else `None`."""
    ownership, policy = decision.conversation.ownership, decision.policy
    for name in (ownership.queue, home_queue(decision), ownership.first_queue):
        queue = policy.queues.get(name or "")
        if name is not None and queue is not None and queue.supervisor == decision.by:
            return name
    return None


def take_over(decision: Decision, command: commands.TakeOver) -> None:
    """The supervisor takes it; hers already: decide nothing. Raises: AgentSignedOut, TextTooLong, TextHasNul."""
    check_taker(decision)
    _assign(decision, decision.by, command.reason, TAKE_OVER_RULE)


def assign(decision: Decision, command: commands.Assign) -> None:
    """She gives it to an agent who is there, whose slots bind the dispatcher and not her; already so: decide nothing.

    Raises: AgentUnknown, AgentNotThere, TextTooLong, TextHasNul.
    """
    if command.to not in decision.policy.agents:
        raise errors.AgentUnknown(agent=command.to)
    if not available(decision, command.to):
        raise errors.AgentNotThere(agent=command.to, status=decision.agent(command.to).status)
    _assign(decision, command.to, command.reason, ASSIGN_RULE)


def _assign(decision: Decision, agent_id: events.AgentId, reason: str, rule: str) -> None:
    """Move ownership: an offer and a transfer under way are over, whoever had it or was asked is free."""
    check_text(reason)
    before = decision.conversation.ownership
    if before.owner == agent_id and before.transfer is None:
        return
    held = takes_a_slot(decision.conversation, agent_id)
    note_announcements(decision)
    opened = events.ConversationAssignedOpen(
        assignment_id=events.AssignmentId(decision.new_id("assignment")),
        agent=agent_id,
        by=decision.by,
        supervises=supervised_queue(decision) or "",
        packet_id=new_packet_id(decision),
        rule=rule,
        policy_version=decision.origin.policy_version,
        owner=before.owner,
        queue=before.queue,
        offer_id=before.offer.offer_id if before.offer else None,
        transfer_id=before.transfer.transfer_id if before.transfer else None,
    )
    personal = events.ConversationAssignedPersonal(reason=reason)
    attach_packet_with(decision, decision.make(events.ConversationAssigned, opened, personal))
    decision.on_conversation(events.ConversationAssigned, opened, personal)
    if before.owner is not None:
        release(decision, before.owner, "reassigned")
    if before.offer is not None:
        release(decision, before.offer.agent, "withdrawn")
    if not held:
        offer_id = events.OfferId(opened.assignment_id)
        reserve(decision, agent_id, offer_id, opened.packet_id)
