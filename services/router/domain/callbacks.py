"""Calls that are owed: tried, reached, closed for a reason."""

from services.router.domain.decision import Decision
from services.router.domain.handover import attach_packet
from services.router.domain.lost_calls import next_call_due
from services.router.domain.offers import release, reserve
from services.router.domain.snooze import wake_up
from shared import commands, errors, events
from shared.conversation import Callback
from shared.packet import check_text


def attempt_callback(decision: Decision, command: commands.AttemptCallback) -> None:
    """An agent called back. Reaching the customer is a hand-over: it carries the packet and makes her owner.

    Raises: CallbackNotOpen, ConversationNotOwned (somebody else owns the conversation by now).
    """
    agent_id, callback = decision.by, _open_callback(decision, command.callback_id)
    if command.outcome == "no_answer":
        tried = events.CallbackAttemptedOpen(
            callback_id=callback.callback_id,
            agent=agent_id,
            attempt=callback.attempts + 1,
            due=next_call_due(decision),
        )
        decision.on_conversation(events.CallbackAttempted, tried)
        return
    conversation = decision.conversation
    if conversation.ownership.owner not in (None, agent_id):
        raise errors.ConversationNotOwned()
    wake_up(decision, "agent")
    offer, packet_id = conversation.ownership.offer, attach_packet(decision)
    decision.on_conversation(
        events.CallbackReached,
        events.CallbackReachedOpen(
            callback_id=callback.callback_id, agent=agent_id, packet_id=packet_id
        ),
    )
    if offer is not None and offer.agent != agent_id:
        release(decision, offer.agent, "withdrawn")
    if conversation.id not in decision.agent(agent_id).working_on:
        reserve(decision, agent_id, events.OfferId(callback.callback_id), packet_id)


def close_callback(decision: Decision, command: commands.CloseCallback) -> None:
    """The callback ends for a stated reason. Raises: CallbackNotOpen."""
    callback = _open_callback(decision, command.callback_id)
    _close_callback(decision, callback.callback_id, check_text(command.reason))


def close_callbacks(decision: Decision, reason: str) -> None:
    for callback in decision.conversation.matter.callbacks.values():
        if callback.status == "open":
            _close_callback(decision, callback.callback_id, reason)


def _close_callback(decision: Decision, callback_id: events.CallbackId, reason: str) -> None:
    closed = events.CallbackClosedOpen(callback_id=callback_id, agent=decision.by, reason=reason)
    decision.on_conversation(events.CallbackClosed, closed)


def _open_callback(decision: Decision, callback_id: events.CallbackId) -> Callback:
    callback = decision.conversation.matter.callbacks.get(callback_id)
    if callback is None or callback.status != "open":
        raise errors.CallbackNotOpen(callback_id=callback_id)
    return callback
