"""How offers and transfers move a conversation from owner to owner."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from shared import events
from shared.conversation.contacts import ERASED
from shared.conversation.state import Conversation, HopTaken, Offer, OpenTransfer


def offered(event: events.ContactOffered | events.TransferOffered) -> Offer:
    opened = event.open
    return Offer(
        offer_id=opened.offer_id,
        agent=opened.agent,
        packet_id=opened.packet_id,
        expires=opened.expires,
        contact_id=None if isinstance(event, events.TransferOffered) else event.open.contact_id,
        transfer_id=event.open.transfer_id if isinstance(event, events.TransferOffered) else None,
    )


def owned(it: Conversation, agent: events.AgentId, at: datetime) -> Conversation:
    return replace(
        _taken(it, agent, at),
        offer=None,
        transfer=None,
        passed_over={},
        handovers=it.handovers + (agent != it.owner),
    )


def _taken(it: Conversation, agent: events.AgentId, at: datetime) -> Conversation:
    """Nobody waits any longer: the agent has all of it."""
    waited = int((at - it.waiting_since).total_seconds()) if it.waiting_since else 0
    taken = {
        key: replace(each, status="accepted") if each.status == "waiting" else each
        for key, each in it.contacts.items()
    }
    return replace(
        it,
        contacts=taken,
        owner=agent,
        queue=None,
        waiting_since=None,
        waited_seconds=it.waited_seconds + waited,
    )


def passed_over(it: Conversation, agent: events.AgentId, at: datetime) -> Conversation:
    """The agent refused or let the offer lapse."""
    times = it.passed_over.get(agent, 0) + 1
    return replace(it, offer=None, passed_over={**it.passed_over, agent: times}, passed_over_at=at)


def target_name(to: events.Target) -> str:
    """Return where a transfer goes, as `agent-<id>`, `team-<name>` or `queue-<name>`."""
    if to.agent is not None:
        return f"agent-{to.agent}"
    return f"team-{to.team}" if to.team is not None else f"queue-{to.queue}"


def transfer_requested(it: Conversation, event: events.TransferRequested) -> Conversation:
    opened, brief = event.open, event.personal.brief if event.personal else ERASED
    transfer = OpenTransfer(
        transfer_id=opened.transfer_id,
        kind=opened.kind,
        sender=opened.sender,
        to=opened.to,
        brief=brief,
        packet_id=opened.packet_id,
        requested=event.recorded,
        expires=opened.expires,
    )
    hop = HopTaken(
        transfer_id=opened.transfer_id,
        kind=opened.kind,
        sender=opened.sender,
        to=target_name(opened.to),
        brief=brief,
        requested=event.recorded,
    )
    it = replace(it, transfer=transfer, offer=None, hops=(*it.hops, hop), passed_over={})
    if opened.kind == "warm":
        return it
    # On its way to one agent or a team it stands in the queue where it came in: somebody must see it (I14).
    queue = opened.to.queue or it.first_queue
    return _all_wait(replace(it, owner=None, queue=queue, waiting_since=event.recorded))


def hop_closed(it: Conversation, outcome: str, accepted: datetime | None = None) -> Conversation:
    if not it.hops:
        return it
    last = replace(it.hops[-1], outcome=outcome, accepted=accepted)
    return replace(it, hops=(*it.hops[:-1], last))


def transfer_rejected(it: Conversation, event: events.TransferRejected) -> Conversation:
    if event.open.final and event.open.returned_to is not None:
        return returned(it, event.open.returned_to, event.recorded, "rejected")
    if it.transfer is None:
        return it
    refused = (*it.transfer.refused_by, event.open.agent)
    it = replace(it, transfer=replace(it.transfer, refused_by=refused))
    return passed_over(it, event.open.agent, event.recorded)


def returned(it: Conversation, returned_to: str, at: datetime, outcome: str) -> Conversation:
    """The transfer is over without a new owner: back to the sender, or into a queue."""
    it = replace(hop_closed(it, outcome), transfer=None, offer=None, passed_over={})
    kind, _, name = returned_to.partition("-")
    if kind == "agent":
        return it if it.owner == name else _taken(it, events.AgentId(name), at)
    return _all_wait(replace(it, owner=None, queue=name, waiting_since=it.waiting_since or at))


def _all_wait(it: Conversation) -> Conversation:
    """Whoever is still on the line waits for an agent again."""
    waiting = {
        key: replace(each, status="waiting") if each.live else each
        for key, each in it.contacts.items()
    }
    return replace(it, contacts=waiting)
