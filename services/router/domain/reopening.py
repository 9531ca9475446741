"""A resolved matter goes on: an agent opens it again."""

from datetime import timedelta

from services.router.domain.decision import Decision, goes_on
from services.router.domain.handover import attach_packet
from services.router.domain.offers import check_taker, reserve
from services.router.domain.service_levels import note_reopening
from shared import commands, errors, events
from shared.packet import check_text


def reopen(decision: Decision, command: commands.Reopen) -> None:
    """Whoever opens it again owns it, with the packet; open and hers already: decide nothing.

    Raises: ReopenMerged, ReopenTooLate, ConversationOpen, AgentSignedOut, TextTooLong, TextHasNul.
    """
    conversation, reason = decision.conversation, check_text(command.reason)
    if not conversation.resolved:
        if conversation.ownership.owner == decision.by:
            return
        raise errors.ConversationOpen()
    if conversation.into is not None:
        raise errors.ReopenMerged(**goes_on(conversation))
    resolved = conversation.handling.resolved or decision.origin.recorded
    if decision.origin.recorded - resolved > _within(decision):
        raise errors.ReopenTooLate(resolved=resolved.isoformat())
    check_taker(decision)
    packet_id = attach_packet(decision)
    decision.on_conversation(
        events.ConversationReopened,
        events.ConversationReopenedOpen(
            agent=decision.by,
            packet_id=packet_id,
            resolved=resolved,
            resolved_by=conversation.handling.resolved_by,
        ),
        events.ConversationReopenedPersonal(reason=reason),
    )
    note_reopening(decision)
    reserve(decision, decision.by, events.OfferId(decision.new_id("reopened")), packet_id)


def _within(decision: Decision) -> timedelta:
    return timedelta(seconds=decision.policy.times.reopen_within_seconds)
