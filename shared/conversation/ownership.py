"""The holder of a conversation, owner or queue, and the offers and transfers that change the holder."""

from datetime import datetime

import msgspec
from msgspec.structs import replace

from shared import events
from shared.conversation.needs import Needs, needs_of

NOT_SHOWN = (
    events.ContactOffered,
    events.ContactRejected,
    events.ContactOfferExpired,
    events.OfferWithdrawn,
    events.TransferRequested,
    events.TransferOffered,
    events.ChannelSwitched,
    events.ConversationReturned,
    events.ConversationAssigned,
    events.MessageUnattended,
)
"""They change nothing that a packet shows; the packet of a transfer, or of a supervisor's act, shows that already."""


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """The open question to an agent. Exactly one of `contact_id`, `transfer_id` names the offered matter."""

    offer_id: events.OfferId
    agent: events.AgentId
    packet_id: events.PacketId
    expires: datetime
    contact_id: events.ContactId | None = None
    transfer_id: events.TransferId | None = None


class OpenTransfer(msgspec.Struct, frozen=True, kw_only=True):
    """A hand-over under way. `number`: to call, of one that goes outside; nobody of ours is asked then."""

    transfer_id: events.TransferId
    kind: events.TransferKind
    sender: events.AgentId
    to: events.Target
    brief: str
    packet_id: events.PacketId
    requested: datetime
    expires: datetime
    refused_by: tuple[events.AgentId, ...] = ()
    number: str | None = None

    @property
    def outside(self) -> bool:
        return self.to.external is not None


class TakenHop(msgspec.Struct, frozen=True, kw_only=True):
    """One hand-over; one of kind `assigned` is a supervisor's, who is its sender.

    `outcome`: `open`, `accepted`, `rejected`, `cancelled`, `expired`, `superseded` when a call-back or a supervisor
    came first, or `assigned`; of one outside `connected`, `answered` or `not_reached`; `accepted`: when a colleague had
    it in the place of the one before, if one had.
    """

    transfer_id: events.TransferId
    kind: events.HopKind
    sender: events.AgentId
    to: str
    brief: str
    requested: datetime
    accepted: datetime | None = None
    outcome: str = "open"


class Ownership(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """The holder of a conversation and the way to this holder.

    Attributes:
        owner, queue: one of them holds an open conversation (invariant I14); during a warm transfer, and one that
            goes outside, the sender stays owner.
        first_queue: where it came in.
        waiting_since: when the current wait began; `waited_seconds`: all ended waits.
        passed_over: agents who refused, let an offer lapse or handed it on to nobody since the conversation last began
            to wait, by count; `passed_over_at`: when that last happened.
        handovers: changes of owner and of channel so far.
        unattended_at: when the owner, in a pause, was last told that the customer had written; `None` after her answer.
        needs: what was asked of whoever takes it, when it last began to wait; `last_owner`: who owned it last.
    """

    owner: events.AgentId | None = None
    queue: str | None = None
    first_queue: str | None = None
    waiting_since: datetime | None = None
    waited_seconds: int = 0
    offer: Offer | None = None
    transfer: OpenTransfer | None = None
    passed_over: dict[events.AgentId, int] = {}
    passed_over_at: datetime | None = None
    hops: tuple[TakenHop, ...] = ()
    handovers: int = 0
    unattended_at: datetime | None = None
    needs: Needs = Needs()
    last_owner: events.AgentId | None = None

    @property
    def handing_on(self) -> OpenTransfer | None:
        """The transfer for which a colleague is sought; of one that goes outside none is."""
        return None if self.transfer is None or self.transfer.outside else self.transfer


def lets_go(kind: events.TransferKind, to: events.Target) -> bool:
    """Tell whether the sender of a transfer is free at once."""
    return kind == "cold" and to.external is None


def target_name(to: events.Target) -> str:
    """Return where a transfer goes, as `agent-<id>`, `team-<name>`, `queue-<name>` or `external-<name>`."""
    if to.agent is not None:
        return f"agent-{to.agent}"
    if to.external is not None:
        return f"external-{to.external}"
    return f"team-{to.team}" if to.team is not None else f"queue-{to.queue}"


def returned_to(
    event: events.TransferRejected | events.TransferCancelled | events.TransferExpired,
) -> str | None:
    """Return where a transfer that is over goes back to, `agent-<id>` or `queue-<name>`; `None` while it goes on."""
    if isinstance(event, events.TransferRejected) and not event.open.final:
        return None
    return event.open.returned_to


def evolve(  # noqa: C901  the table of what concerns the holder
    ownership: Ownership, event: events.AnyEvent
) -> Ownership:
    """Return the ownership after one event."""
    match event:
        case events.ContactQueued():
            return _queued(ownership, event)
        case events.CallbackRequested() if ownership.owner is None:
            return _in_queue(ownership, event.open.queue)
        case events.ContactOffered() | events.TransferOffered():
            return replace(ownership, offer=_offer(event))
        case events.ContactAccepted():
            return _owned(ownership, event.open.agent, event.recorded)
        case events.ContactRejected() | events.ContactOfferExpired():
            return _passed_over(ownership, event.open.agent, event.recorded)
        case events.OfferWithdrawn():
            return replace(ownership, offer=None)
        case events.ContactAbandoned() | events.ContactMissed():
            return _lost(ownership, event)
        case events.CallbackReached():
            under_way = ownership.handing_on is not None
            superseded = _hop_closed(ownership, "superseded") if under_way else ownership
            return _owned(superseded, event.open.agent, event.recorded)
        case events.ConversationReturned():
            return _in_no_hands(ownership, event.open.queue, event.recorded)
        case events.ChannelSwitched():
            return replace(ownership, handovers=ownership.handovers + 1)
        case events.MessageUnattended():
            return replace(ownership, unattended_at=event.recorded)
        case events.MessageRequested() if event.open.agent and not event.open.instead_of:
            return replace(ownership, unattended_at=None)
        case events.ConversationAssigned():
            return _assigned(ownership, event)
        case events.ConversationMerged() if event.open.owner is not None:
            return _owned(ownership, event.open.owner, event.recorded)
        case events.ConversationReopened():
            return _owned(ownership, event.open.agent, event.recorded)
        case events.ConversationResolved() | events.ConversationAbsorbed():
            return replace(ownership, owner=None, queue=None, offer=None, transfer=None)
        case events.TransferRequested():
            return _requested(ownership, event)
        case events.TransferAccepted():
            closed = _hop_closed(ownership, "accepted", event.recorded)
            return _owned(closed, event.open.agent, event.recorded)
        case events.TransferRejected():
            to = returned_to(event)
            if to is not None:
                return _returned(ownership, to, event.recorded, "rejected")
            return _refused(ownership, event)
        case events.TransferCancelled():
            return _returned(ownership, event.open.returned_to, event.recorded, "cancelled")
        case events.TransferExpired():
            return _returned(ownership, event.open.returned_to, event.recorded, "expired")
        case events.TransferCompleted():
            return replace(_hop_closed(ownership, event.open.outcome), transfer=None)
        case _:
            return ownership


def _queued(ownership: Ownership, event: events.ContactQueued) -> Ownership:
    """Return it in the queue in which somebody is sought; who waits already goes on waiting."""
    return replace(
        _in_queue(ownership, event.open.queue),
        owner=None,
        queue=event.open.queue,
        waiting_since=ownership.waiting_since or event.recorded,
        passed_over={},
        needs=needs_of(event),
    )


def _in_queue(ownership: Ownership, queue: str) -> Ownership:
    """Return it with a queue, where it has none yet."""
    return replace(
        ownership,
        queue=ownership.queue or queue,
        first_queue=ownership.first_queue or queue,
    )


def _offer(event: events.ContactOffered | events.TransferOffered) -> Offer:
    opened = event.open
    return Offer(
        offer_id=opened.offer_id,
        agent=opened.agent,
        packet_id=opened.packet_id,
        expires=opened.expires,
        contact_id=None if isinstance(event, events.TransferOffered) else event.open.contact_id,
        transfer_id=event.open.transfer_id if isinstance(event, events.TransferOffered) else None,
    )


def _owned(ownership: Ownership, agent: events.AgentId, at: datetime) -> Ownership:
    """Return it with its owner. What she has asked outside goes on when she takes another contact of it."""
    outside = ownership.transfer if ownership.handing_on is None else None
    return replace(
        _taken(ownership, agent, at),
        offer=None,
        transfer=outside if agent == ownership.owner else None,
        passed_over={},
        handovers=ownership.handovers + (agent != ownership.owner),
    )


def _taken(ownership: Ownership, agent: events.AgentId, at: datetime) -> Ownership:
    since = ownership.waiting_since
    waited = int((at - since).total_seconds()) if since else 0
    return replace(
        ownership,
        owner=agent,
        last_owner=agent,
        queue=None,
        waiting_since=None,
        waited_seconds=ownership.waited_seconds + waited,
        unattended_at=None,
    )


def _passed_over(ownership: Ownership, agent: events.AgentId, at: datetime) -> Ownership:
    """The agent refused or let the offer lapse."""
    times = ownership.passed_over.get(agent, 0) + 1
    return replace(
        ownership,
        offer=None,
        passed_over={**ownership.passed_over, agent: times},
        passed_over_at=at,
    )


def _lost(ownership: Ownership, event: events.ContactAbandoned | events.ContactMissed) -> Ownership:
    """The call ended before an agent took it; an open offer of it is void."""
    if ownership.owner is None:
        ownership = ownership if ownership.queue else _in_queue(ownership, event.open.queue)
    if ownership.offer is None or ownership.offer.contact_id != event.open.contact_id:
        return ownership
    return replace(ownership, offer=None)


def _requested(ownership: Ownership, event: events.TransferRequested) -> Ownership:
    opened = event.open
    brief = event.personal.brief if event.personal else events.ERASED
    transfer = OpenTransfer(
        transfer_id=opened.transfer_id,
        kind=opened.kind,
        sender=opened.sender,
        to=opened.to,
        brief=brief,
        packet_id=opened.packet_id,
        requested=event.recorded,
        expires=opened.expires,
        number=opened.number,
    )
    hop = TakenHop(
        transfer_id=opened.transfer_id,
        kind=opened.kind,
        sender=opened.sender,
        to=target_name(opened.to),
        brief=brief,
        requested=event.recorded,
    )
    hops = (*ownership.hops, hop)
    asked = replace(ownership, transfer=transfer, offer=None, hops=hops, passed_over={})
    if not lets_go(opened.kind, opened.to):
        return asked
    # On its way to one agent or a team it stands in the queue where it came in: somebody must see it (I14).
    queue = opened.to.queue or ownership.first_queue
    return replace(asked, owner=None, queue=queue, waiting_since=event.recorded)


def _assigned(ownership: Ownership, event: events.ConversationAssigned) -> Ownership:
    """A supervisor gave it to somebody, or took it: what was under way is over."""
    opened, transfer = event.open, ownership.transfer
    over = _hop_closed(ownership, "superseded") if transfer else ownership
    over = replace(over, transfer=None)
    had = ownership.owner or (transfer.sender if transfer else None)
    hop = TakenHop(
        transfer_id=events.TransferId(opened.assignment_id),
        kind="assigned",
        sender=opened.by,
        to=f"agent-{opened.agent}",
        brief=event.personal.reason if event.personal else events.ERASED,
        requested=event.recorded,
        accepted=event.recorded if had not in (None, opened.agent) else None,
        outcome="assigned",
    )
    return _owned(replace(over, hops=(*over.hops, hop)), opened.agent, event.recorded)


def _hop_closed(ownership: Ownership, outcome: str, accepted: datetime | None = None) -> Ownership:
    if not ownership.hops:
        return ownership
    last = replace(ownership.hops[-1], outcome=outcome, accepted=accepted)
    return replace(ownership, hops=(*ownership.hops[:-1], last))


def _refused(ownership: Ownership, event: events.TransferRejected) -> Ownership:
    """One of several refused; the others are still asked."""
    if ownership.transfer is None:
        return ownership
    refused_by = (*ownership.transfer.refused_by, event.open.agent)
    transfer = replace(ownership.transfer, refused_by=refused_by)
    asked = replace(ownership, transfer=transfer)
    return _passed_over(asked, event.open.agent, event.recorded)


def _returned(ownership: Ownership, to: str, at: datetime, outcome: str) -> Ownership:
    """The transfer is over without a new owner: back to the sender, or into a queue.

    Whoever handed it on is asked there as one who let it pass: others come first.
    """
    sender = ownership.transfer.sender if ownership.transfer else None
    closed = _hop_closed(ownership, outcome)
    over = replace(closed, transfer=None, offer=None, passed_over={})
    kind, _, name = to.partition("-")
    if kind == "agent":
        return over if over.owner == name else _taken(over, events.AgentId(name), at)
    waits = _in_no_hands(over, name, at)
    return waits if sender is None else _passed_over(waits, sender, at)


def _in_no_hands(ownership: Ownership, queue: str, at: datetime) -> Ownership:
    """Nobody owns it or is asked: it stands in a queue."""
    return replace(
        ownership,
        owner=None,
        queue=queue,
        offer=None,
        waiting_since=ownership.waiting_since or at,
        passed_over={},
    )
