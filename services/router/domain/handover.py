"""The packet that goes with every hand-over. Context is an invariant: without a packet nothing changes hands."""

from collections.abc import Sequence

from services.router.domain.announcing import note_announcements
from services.router.domain.decision import Decision
from shared import aggregates, errors, events
from shared import conversation as conversations
from shared.conversation import Conversation
from shared.conversation.on_record import LASTING_KEPT, lasting
from shared.events.packet import Done, Earlier, Packet
from shared.packet import folded_from, package, sha256_of

HANDOVERS = (
    events.ContactOffered,
    events.ContactAccepted,
    events.TransferRequested,
    events.TransferOffered,
    events.TransferAccepted,
    events.ChannelSwitched,
    events.ConversationReturned,
    events.ConversationAssigned,
    events.ContactEscalated,
    events.CallbackReached,
    events.ConversationReopened,
)
OwnHop = events.TransferRequested | events.ConversationAssigned


def attach_packet(decision: Decision) -> events.PacketId:
    """Return the packet that shows the current state: the last packet if still current, else a new one."""
    note_announcements(decision)
    last = decision.conversation.packet
    same_customer = last.customer_sequence == decision.loaded.customer.sequence
    if last.id and last.current and same_customer and not _customer_written(decision):
        return last.id
    return _package(decision, None)


def attach_packet_with(decision: Decision, event: OwnHop) -> events.PacketId:
    """Return the packet of a hop: it shows the hop itself as the last one, with its brief."""
    return _package(decision, event)


def fresh_packet(decision: Decision) -> Packet:
    """Return a packet that shows the current state, whatever was packaged before."""
    note_announcements(decision)
    _package(decision, None)
    packaged = decision.events[-1]
    assert isinstance(packaged, events.ContextPackaged)
    assert packaged.personal is not None
    return packaged.personal.packet


def as_earlier(resolved: Conversation) -> Earlier | None:
    """Return what the next agent is told of a resolved conversation; `None` without one."""
    if resolved.id is None:
        return None
    wrap_ups = (each for each in reversed(resolved.matter.done) if each.what == "wrap_up")
    last = next(wrap_ups, None)
    return Earlier(
        conversation=resolved.id,
        matter=resolved.matter.summary,
        summary=last.text if last else None,
        wrapped_up=last.at if last else None,
    )


def as_remembered(hers: Sequence[Conversation]) -> list[Done]:
    """Return what was agreed with a customer and made good to her in other conversations of hers, the newest."""
    found = [
        each
        for conversation in hers
        if conversation.id is not None and conversation.into is None
        for each in lasting(conversation.id, conversation.matter.done)
    ]
    once = dict.fromkeys(sorted(found, key=lambda each: each.at))
    return list(once)[-LASTING_KEPT:]


def new_packet_id(decision: Decision) -> events.PacketId:
    """Return the id of the next packet of this decision."""
    return events.PacketId(decision.new_id("packet", str(len(decision.events))))


def _customer_written(decision: Decision) -> bool:
    return decision.customer.id is not None and bool(
        decision.written_to(aggregates.CUSTOMER.of(decision.customer.id))
    )


def _package(decision: Decision, event: OwnHop | None) -> events.PacketId:
    """Decide `context.packaged`. Fold a hop first, so that the packet shows it."""
    conversation = ahead = decision.conversation
    assert conversation.id is not None
    packet_id = new_packet_id(decision)
    written = decision.written_to(aggregates.CONVERSATION.of(conversation.id))
    if event is not None:
        ahead = conversations.evolve_parts(conversation, conversation.sequence, event)
    built_from = folded_from(
        ahead,
        decision.customer,
        decision.origin.policy_version,
        # The packet itself and the hop stand behind what was written before them.
        conversation_next=written if event is None else written + 2,
        customer_next=decision.written_to(aggregates.CUSTOMER.of(conversation.customer or "")),
    )
    packet = package(
        ahead,
        decision.customer,
        packet_id=packet_id,
        policy_version=decision.origin.policy_version,
        built_from=built_from,
    )
    decision.on_conversation(
        events.ContextPackaged,
        events.ContextPackagedOpen(
            packet_id=packet_id,
            sha256=sha256_of(packet),
            facts=len(packet.facts),
            more=packet.more.facts,
        ),
        events.ContextPackagedPersonal(packet=packet),
    )
    return packet_id


def ensure_packets(last_packet: events.PacketId | None, decided: Sequence[events.AnyEvent]) -> None:
    """Check that every hand-over names a packet and follows its packet.

    Raises: TransferPacketMissing. It is a fault of ours, never of a caller, and nothing is written.
    """
    standing = last_packet
    for event in decided:
        if isinstance(event, events.ContextPackaged):
            standing = event.open.packet_id
        elif isinstance(event, HANDOVERS) and event.open.packet_id != standing:
            raise errors.TransferPacketMissing(event=event.id)
