"""Handing a conversation on: asked for, offered, accepted, refused, taken back, run out of time."""

from datetime import timedelta

from services.router.domain.announcing import note_announcements
from services.router.domain.asking import group_of
from services.router.domain.decision import Decision
from services.router.domain.handover import attach_packet, attach_packet_with, new_packet_id
from services.router.domain.loops import check_no_loop
from services.router.domain.offers import (
    check_packet,
    check_taker,
    release,
    reserve,
    standing_offer,
    time_is_up,
)
from services.router.domain.pool import known_queue
from services.router.domain.presence import available, home_queue, on_duty, why_gone
from services.router.domain.snooze import wake_up
from shared import commands, errors, events
from shared.conversation import Offer, OpenTransfer, lets_go
from shared.packet import check_text
from shared.policy import Policy


def request_transfer(decision: Decision, command: commands.Transfer) -> None:
    """The owner hands on. A cold transfer frees her at once; in a warm one, and outside, she stays owner.

    Raises: TransferAlreadyOpen, TransferTargetUnknown, TransferLoop, TextTooLong, TextHasNul.
    """
    check_request(decision, command.to, command.brief)
    hand_on(decision, command.to, command.kind, command.brief)


def check_request(decision: Decision, to: events.Target, brief: str) -> None:
    """Raises: as `request_transfer`."""
    under_way = decision.conversation.ownership.transfer
    if under_way is not None:
        raise errors.TransferAlreadyOpen(transfer_id=under_way.transfer_id)
    check_target(decision.policy, to, decision.by)
    check_no_loop(decision, to)
    check_text(brief)


def hand_on(
    decision: Decision, to: events.Target, kind: events.TransferKind, brief: str
) -> events.TransferRequestedOpen:
    """Decide a transfer with its packet; return what it says."""
    sender, external = decision.by, decision.policy.external.get(to.external or "")
    seconds = external.within_seconds if external else decision.policy.times.transfer_seconds
    wake_up(decision, "agent")
    note_announcements(decision)
    opened = events.TransferRequestedOpen(
        transfer_id=events.TransferId(decision.new_id("transfer")),
        kind=kind,
        sender=sender,
        to=to,
        packet_id=new_packet_id(decision),
        expires=decision.origin.recorded + timedelta(seconds=seconds),
        number=external.number if external else None,
    )
    personal = events.Brief(brief=brief)
    attach_packet_with(decision, decision.make(events.TransferRequested, opened, personal))
    decision.on_conversation(events.TransferRequested, opened, personal)
    if lets_go(kind, to):
        release(decision, sender, "transferred")
    return opened


def check_target(policy: Policy, to: events.Target, sender: events.AgentId) -> None:
    """Raises: TransferTargetUnknown unless `to` names exactly one whom the policy knows, and not the sender."""
    known = {
        to.agent: policy.agents,
        to.team: policy.teams(),
        to.queue: policy.queues,
        to.external: policy.external,
    }
    named = [name for name in (to.agent, to.team, to.queue, to.external) if name is not None]
    if len(named) != 1 or named[0] not in known[named[0]] or to.agent == sender:
        raise errors.TransferTargetUnknown()


def accept_transfer(decision: Decision, command: commands.AcceptTransfer) -> None:
    """The colleague takes over; only now does ownership move.

    Raises: TransferNotOpen, OfferExpired, OfferNotYours, AgentSignedOut, CommandStale.
    """
    transfer = _open_transfer(decision, command.transfer_id)
    offer = _offer_of(decision, transfer)
    check_taker(decision)
    check_packet(offer, command)
    packet_id = attach_packet(decision)
    owner = decision.conversation.ownership.owner
    decision.on_conversation(
        events.TransferAccepted,
        events.TransferAcceptedOpen(
            transfer_id=transfer.transfer_id,
            kind=transfer.kind,
            sender=transfer.sender,
            agent=decision.by,
            packet_id=packet_id,
        ),
    )
    if owner is not None and owner != decision.by:
        release(decision, owner, "transferred")


def reject_transfer(decision: Decision, command: commands.RejectTransfer) -> None:
    """The colleague refuses. The next one is asked; a warm transfer with nobody left to ask comes back.

    Raises: TransferNotOpen, OfferExpired, OfferNotYours, TextTooLong, TextHasNul.
    """
    transfer, reason = _open_transfer(decision, command.transfer_id), command.reason
    _offer_of(decision, transfer)
    others = {*group_of(decision.policy, transfer)} - {decision.by}
    final = transfer.to.agent is not None or (transfer.kind == "warm" and not others)
    decision.on_conversation(
        events.TransferRejected,
        events.TransferRejectedOpen(
            transfer_id=transfer.transfer_id,
            agent=decision.by,
            final=final,
            returned_to=_back_to(decision, transfer) if final else None,
        ),
        events.TransferRejectedPersonal(reason=None if reason is None else check_text(reason)),
    )
    release(decision, decision.by, "rejected")
    release(decision, transfer.sender, "off_duty")


def cancel_transfer(decision: Decision, command: commands.CancelTransfer) -> None:
    """The sender takes it back and owns the conversation. Raises: TransferNotOpen, ConversationNotOwned."""
    take_back(decision, _open_transfer(decision, command.transfer_id))


def complete_transfer(decision: Decision, command: commands.CompleteTransfer) -> None:
    """The sender says what came of a transfer outside; she has the conversation as before.

    Raises: TransferNotOpen, TransferNotOutside, TextTooLong, TextHasNul.
    """
    transfer, result = _open_transfer(decision, command.transfer_id), command.result
    if transfer.to.external is None:
        raise errors.TransferNotOutside(transfer_id=transfer.transfer_id)
    decision.on_conversation(
        events.TransferCompleted,
        events.TransferCompletedOpen(
            transfer_id=transfer.transfer_id,
            agent=decision.by,
            external=transfer.to.external,
            outcome=command.outcome,
        ),
        events.TransferCompletedPersonal(result=None if result is None else check_text(result)),
    )


def end_outside(decision: Decision) -> None:
    """Who asked somebody outside has gone: nobody would say what came of it, and the matter is not left with her."""
    transfer = decision.conversation.ownership.transfer
    if transfer is not None and transfer.outside and not on_duty(decision, transfer.sender):
        _close(decision, transfer, events.TransferExpired, _back_to(decision, transfer))


def take_back(decision: Decision, transfer: OpenTransfer) -> None:
    """Raises: ConversationNotOwned when somebody else sent it."""
    if transfer.sender != decision.by:
        raise errors.ConversationNotOwned()
    _close(decision, transfer, events.TransferCancelled, f"agent-{transfer.sender}")
    if lets_go(transfer.kind, transfer.to):
        offer_id = events.OfferId(transfer.transfer_id)
        reserve(decision, transfer.sender, offer_id, transfer.packet_id)


def expire_transfer(decision: Decision, transfer_id: str) -> None:
    """The timer asks: is this transfer still open, and is its time up? If not, decide nothing (see `expire_offer`)."""
    transfer = decision.conversation.ownership.transfer
    if transfer is None or transfer.transfer_id != transfer_id:
        return
    if not time_is_up(decision, transfer.expires):
        return
    _close(decision, transfer, events.TransferExpired, _back_to(decision, transfer))


def withdraw_offer(decision: Decision) -> None:
    """Whoever was asked has signed out or is no longer in the policy: the next one can be asked.

    A transfer that was for her alone is over: its time would pass without anybody to ask.
    """
    offer, transfer = (
        decision.conversation.ownership.offer,
        decision.conversation.ownership.transfer,
    )
    if offer is None or on_duty(decision, offer.agent):
        return
    decision.on_conversation(
        events.OfferWithdrawn,
        events.OfferWithdrawnOpen(
            offer_id=offer.offer_id,
            agent=offer.agent,
            reason=why_gone(decision, offer.agent),
            contact_id=offer.contact_id,
            transfer_id=offer.transfer_id,
        ),
    )
    release(decision, offer.agent, "off_duty")
    if transfer is not None and transfer.to.agent is not None:
        _close(decision, transfer, events.TransferExpired, _back_to(decision, transfer))


def _close(
    decision: Decision,
    transfer: OpenTransfer,
    kind: type[events.TransferCancelled] | type[events.TransferExpired],
    back: str,
) -> None:
    offer = decision.conversation.ownership.offer
    decision.on_conversation(
        kind, events.TransferClosedOpen(transfer_id=transfer.transfer_id, returned_to=back)
    )
    if offer is not None:
        release(decision, offer.agent, "withdrawn")
    release(decision, transfer.sender, "off_duty")


def _back_to(decision: Decision, transfer: OpenTransfer) -> str:
    """Return the holder after a transfer without acceptance: the queue of a cold one, else the sender.

    Nothing returns to a sender who is away or gone: it waits in the queue that it belongs to.
    """
    if not lets_go(transfer.kind, transfer.to):
        there = available(decision, transfer.sender)
        return f"agent-{transfer.sender}" if there else f"queue-{home_queue(decision)}"
    policy, sender = decision.policy, decision.policy.agents.get(transfer.sender)
    wanted = transfer.to.queue or (sender.queues[0] if sender and sender.queues else None)
    return f"queue-{known_queue(policy, wanted)}"


def _open_transfer(decision: Decision, transfer_id: events.TransferId) -> OpenTransfer:
    transfer = decision.conversation.ownership.transfer
    if transfer is None or transfer.transfer_id != transfer_id:
        raise errors.TransferNotOpen(transfer_id=transfer_id)
    return transfer


def _offer_of(decision: Decision, transfer: OpenTransfer) -> Offer:
    """Return the offer by which this agent was asked. Raises: OfferExpired, OfferNotYours."""
    offer = decision.conversation.ownership.offer
    if offer is None or offer.transfer_id != transfer.transfer_id:
        raise errors.OfferExpired(transfer_id=transfer.transfer_id)
    return standing_offer(decision, offer.offer_id)
