"""What holds after every step of every history, whatever happened."""

from datetime import UTC, datetime

from deploy.missed import account_of
from services.router.domain import agent as agents
from services.router.domain.agent import Agent
from services.router.domain.handover import HANDOVERS
from shared import aggregates
from shared import conversation as conversations
from shared import customer as customers
from shared.conversation import Conversation
from shared.events import (
    AnyEvent,
    CallbackReached,
    ContactAccepted,
    ContextPackaged,
    ConversationAssigned,
    ConversationMerged,
    FactCorrected,
    FactStated,
    TransferAccepted,
)
from shared.events.packet import Folded, Packet
from shared.ledger import Recorded
from shared.packet import PACKET_MAX_BYTES, canonical, package
from tests.router.in_memory_router import InMemoryRouter

TAKEN = (ContactAccepted, TransferAccepted, CallbackReached, ConversationAssigned)
"""Events by which somebody has a matter who had it not before, with its packet."""

EVER_SINCE, FOR_EVER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
Histories = dict[str, list[tuple[int, AnyEvent]]]
"""The events of each aggregate, with their sequences, in order."""


async def check(router: InMemoryRouter, after: int = 0) -> None:
    """Check every invariant of everything recorded so far; packets only of events beyond `after`."""
    working = {name: await router.agent(name) for name in router.policy.agents}
    _check(await router.recorded(), await router.conversations(), working, after)


async def check_owners(router: InMemoryRouter) -> None:
    """After the dispatcher has looked, nobody who is not there is asked, or owns what is not under way to somebody."""
    for it in await router.conversations():
        aside = it.ownership.handing_on is not None or it.handling.snooze is not None
        owner = None if aside else it.ownership.owner
        asked = it.ownership.offer.agent if it.ownership.offer else None
        for name in {owner, asked} - {None}:
            assert name in router.policy.agents
            assert (await router.agent(name)).on_duty, name


def check_recorded(recorded: list[Recorded]) -> None:
    """Check every invariant of a whole ledger."""
    by_aggregate = _by_aggregate(recorded)
    found = [conversations.fold(e) for name, e in by_aggregate.items() if name[:5] == "conv-"]
    working = {name[6:]: agents.fold(e) for name, e in by_aggregate.items() if name[:6] == "agent-"}
    _check(recorded, found, working, 0)


def _by_aggregate(recorded: list[Recorded]) -> Histories:
    found: Histories = {}
    for each in recorded:
        found.setdefault(each.aggregate, []).append((each.sequence, each.event))
    return found


def _check(
    recorded: list[Recorded], found: list[Conversation], working: dict[str, Agent], after: int
) -> None:
    for conversation in found:
        _is_held(conversation)
        _owes_callbacks(conversation)
    _every_loss_is_accounted_for(recorded)
    _slots_are_held(working, found)
    _handovers_name_their_packet(recorded)
    by_aggregate = _by_aggregate(recorded)
    for each in recorded:
        if isinstance(each.event, ContextPackaged) and each.sequence > after:
            _packet_is_true(by_aggregate, each)
    _accepted_packets_hold_the_facts(recorded)


def _is_held(conversation: Conversation) -> None:
    """I14: an open conversation is held by its owner or stands in a queue, not in both; a closed one in neither."""
    ownership = conversation.ownership
    held = (ownership.owner is not None) + (ownership.queue is not None)
    expected = 0 if conversation.resolved else 1
    assert held == expected, (ownership.owner, ownership.queue, conversation.resolved)
    if conversation.resolved:
        assert ownership.offer is None
        assert ownership.transfer is None
    if ownership.transfer is None:
        assert all(hop.outcome != "open" for hop in ownership.hops)


def _owes_callbacks(conversation: Conversation) -> None:
    """I13: one callback is open at most, none in a closed matter; no call ends and waits on."""
    still_open = [each for each in conversation.matter.callbacks.values() if each.status == "open"]
    assert len(still_open) <= (0 if conversation.resolved else 1)
    for each in conversation.contacts.by_id.values():
        if each.over and each.medium == "call":
            assert each.status != "waiting"


def _every_loss_is_accounted_for(recorded: list[Recorded]) -> None:
    """I13: whoever was lost was reached, answered, closed for a reason, is owed a call, or has no number."""
    contacts = account_of(each.event for each in recorded).contacts(EVER_SINCE, FOR_EVER)
    assert [each for each in contacts if each.fate == "unaccounted"] == []


def _slots_are_held(working: dict[str, Agent], found: list[Conversation]) -> None:
    """A slot is taken by exactly the conversations that an agent owns or is asked to take."""
    for name, agent in working.items():
        wanted = {
            conversation.id
            for conversation in found
            if (conversation.ownership.owner == name and conversation.handling.snooze is None)
            or (conversation.ownership.offer and conversation.ownership.offer.agent == name)
        }
        assert agent.working_on == wanted, name


def _handovers_name_their_packet(recorded: list[Recorded]) -> None:
    """I11: every hand-over names the conversation's packet that stands before it."""
    standing: dict[str, str] = {}
    for each in recorded:
        if isinstance(each.event, ContextPackaged):
            standing[each.aggregate] = each.event.open.packet_id
        elif isinstance(each.event, HANDOVERS):
            assert each.event.open.packet_id == standing.get(each.aggregate), each.event.type


def refold(histories: Histories, packet: Packet) -> Packet:
    """Fold a packet anew from what it says it was built from."""
    source = packet.built_from
    conversation = conversations.fold(_folded(histories, source.conversation))
    customer = customers.fold(_folded(histories, source.customer))
    return package(
        conversation,
        customer,
        packet_id=packet.packet_id,
        policy_version=source.policy_version,
        built_from=source,
    )


def _folded(histories: Histories, source: Folded) -> list[tuple[int, AnyEvent]]:
    """Return the aggregate's events up to a sequence and its next ones."""
    mine = histories.get(source.aggregate, [])
    stored = [pair for pair in mine if pair[0] <= source.sequence]
    return mine[: len(stored) + source.and_next]


def _packet_is_true(histories: Histories, packaged: Recorded) -> None:
    """Folding what a packet names gives its bytes again; what it names is all there was."""
    event = packaged.event
    assert isinstance(event, ContextPackaged)
    assert event.personal is not None
    packet = event.personal.packet
    assert canonical(packet) == canonical(refold(histories, packet))
    assert len(canonical(packet)) <= PACKET_MAX_BYTES
    source = packet.built_from
    assert source.conversation.aggregate == packaged.aggregate
    assert source.customer.aggregate == aggregates.CUSTOMER.of(packet.who.customer)
    before = [pair for pair in histories[packaged.aggregate] if pair[0] < packaged.sequence]
    assert len(_folded(histories, source.conversation)) >= len(before)


def _accepted_packets_hold_the_facts(recorded: list[Recorded]) -> None:
    """I11: the packet that a new owner accepted holds every fact stated before, or its reference and count."""
    packets: dict[str, Packet] = {}
    stated: dict[str, dict[str, str]] = {}
    said: dict[str, datetime] = {}
    for each in recorded:
        facts, event = stated.setdefault(each.aggregate, {}), each.event
        if isinstance(event, FactStated | FactCorrected) and event.personal is not None:
            facts[event.open.fact_id] = event.personal.value
            said.setdefault(event.open.fact_id, event.occurred)
        elif isinstance(event, ConversationMerged) and event.personal is not None:
            came = (*event.personal.older, *event.personal.packet.facts)
            both = {str(each.fact_id): each.value for each in came} | facts
            in_order = sorted(both, key=lambda name: said[name])
            stated[each.aggregate] = {name: both[name] for name in in_order}
        elif isinstance(event, ContextPackaged) and event.personal is not None:
            packets[event.open.packet_id] = event.personal.packet
        elif isinstance(event, TAKEN):
            packet = packets[event.open.packet_id]
            in_full = {fact.fact_id: fact.value for fact in packet.facts}
            assert in_full == {key: facts[key] for key in in_full}
            assert len(in_full) + packet.more.facts == len(facts)
            beyond = [key for key in facts if key not in in_full]
            assert packet.more.fact_ids == beyond[len(beyond) - len(packet.more.fact_ids) :]
