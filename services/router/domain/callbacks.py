"""Calls that are owed: tried, reached, closed for a reason."""

from services.router.domain.decision import Decision
from services.router.domain.handover import attach_packet
from services.router.domain.lost_calls import next_call_due
from services.router.domain.offers import release, reserve, takes_a_slot
from services.router.domain.pool import known_queue
from services.router.domain.snooze import wake_up
from shared import commands, errors, events
from shared.conversation import Callback
from shared.packet import check_text

WRONG_NUMBER = "wrong_number"
"""How a try ends, and why the callback does: nobody reaches her there."""


def attempt_callback(decision: Decision, command: commands.AttemptCallback) -> None:
    """An agent called back.

    Raises: CallbackNotOpen, ConversationNotOwned (somebody else owns the conversation by now).
    """
    callback = _open_callback(decision, command.callback_id)
    if command.outcome == "reached":
        _reached(decision, callback)
    else:
        _tried(decision, callback, command.outcome)


def _reached(decision: Decision, callback: Callback) -> None:
    """Reaching the customer is a hand-over: it carries the packet and makes the agent her owner."""
    agent_id, conversation = decision.by, decision.conversation
    if conversation.ownership.owner not in (None, agent_id):
        raise errors.ConversationNotOwned()
    wake_up(decision, "agent")
    held = takes_a_slot(decision.conversation, agent_id)
    offer, packet_id = conversation.ownership.offer, attach_packet(decision)
    decision.on_conversation(
        events.CallbackReached,
        events.CallbackReachedOpen(
            callback_id=callback.callback_id, agent=agent_id, packet_id=packet_id
        ),
    )
    if offer is not None and offer.agent != agent_id:
        release(decision, offer.agent, "withdrawn")
    if not held:
        reserve(decision, agent_id, events.OfferId(callback.callback_id), packet_id)


def _tried(decision: Decision, callback: Callback, outcome: events.VainOutcome) -> None:
    """She was not reached: the next try has a time of its own, in opening hours, until a wrong number ends it.

    After the last try that the policy has, its supervisor is told; the call stays owed, at the same distance.
    """
    retries, attempt = decision.policy.times.callback_retry_seconds, callback.attempts + 1
    after = retries[min(attempt, len(retries)) - 1]
    due = next_call_due(decision, callback.queue, after)
    ends = outcome == WRONG_NUMBER
    tried = events.CallbackAttemptedOpen(
        callback_id=callback.callback_id,
        agent=decision.by,
        attempt=attempt,
        due=None if ends else due,
        outcome=outcome,
    )
    decision.on_conversation(events.CallbackAttempted, tried)
    if ends:
        _close_callback(decision, callback.callback_id, WRONG_NUMBER)
    elif attempt == len(retries) + 1:
        escalated = events.CallbackEscalatedOpen(
            callback_id=callback.callback_id,
            queue=callback.queue,
            attempts=attempt,
            due=due,
            to=f"queue-{known_queue(decision.policy, callback.queue)}",
            policy_version=decision.origin.policy_version,
        )
        decision.on_conversation(events.CallbackEscalated, escalated)


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
