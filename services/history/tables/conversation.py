"""Table `conversation`: each matter as it stands, and its fold, from which the next batch goes on.

Column `state` keeps the fold without what grows without bound or is looked up elsewhere: texts, what was done,
remembered commands.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from services.history.tables.paging import latest
from services.history.tables.row import Key, ReplacedRow
from services.history.tables.table import Fold, Reading
from shared import aggregates, cursors, errors, queries
from shared import conversation as conversations
from shared.conversation import NEW_CONVERSATION, Conversation, target_name
from shared.ledger import Recorded

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Conversation)


class ConversationRow(ReplacedRow, frozen=True, kw_only=True):
    """`contact_id`, `channel`: of the latest contact; `goes_on_in`: once it was absorbed; `came_in`: the first queue;
    `labels`: divided by blanks; `resolved`, `resolved_by`: of one that is over; `state`: the fold.
    """

    table = "conversation"
    key = ("tenant", "id")
    tenant: str
    id: str
    sequence: int
    customer: str | None
    status: str
    owner: str | None
    queue: str | None
    opened: datetime | None
    last_activity: datetime | None
    waiting_since: datetime | None
    contact_id: str | None
    channel: str | None
    repeats: int
    offer_id: str | None
    offer_agent: str | None
    offer_contact_id: str | None
    offer_packet_id: str | None
    offer_expires: datetime | None
    transfer_id: str | None
    transfer_kind: str | None
    transfer_sender: str | None
    transfer_to: str | None
    transfer_packet_id: str | None
    transfer_expires: datetime | None
    packet_id: str | None
    goes_on_in: str | None
    came_in: str | None
    labels: str | None
    snoozed_until: datetime | None
    resolved: datetime | None
    resolved_by: str | None
    state: bytes


def evolve(conversation: Conversation, recorded: Recorded) -> Conversation:
    """Return the fold, as it is kept, after an event."""
    after = conversations.evolve_parts(conversation, recorded.sequence, recorded.event)
    talk, matter = after.talk, after.matter
    if talk.said:
        talk = replace(talk, said=(), said_before=0)
    if matter.done:
        matter = replace(matter, done=(), done_before=0)
    if talk is after.talk and matter is after.matter:
        return after
    return replace(after, talk=talk, matter=matter)


def write(key: Key, conversation: Conversation) -> ConversationRow:
    """Return the row of a conversation."""
    tenant, name = key
    ownership, contact = conversation.ownership, conversation.contacts.last
    offer, transfer, handling = ownership.offer, ownership.transfer, conversation.handling
    return ConversationRow(
        tenant=tenant,
        id=name,
        sequence=conversation.sequence,
        customer=conversation.customer,
        status=status_of(conversation),
        owner=ownership.owner,
        queue=ownership.queue,
        opened=conversation.opened,
        last_activity=conversation.contacts.last_activity,
        waiting_since=ownership.waiting_since,
        contact_id=contact.contact_id if contact else None,
        channel=contact.channel if contact else None,
        repeats=conversation.matter.repeats,
        offer_id=offer.offer_id if offer else None,
        offer_agent=offer.agent if offer else None,
        offer_contact_id=offer.contact_id if offer else None,
        offer_packet_id=offer.packet_id if offer else None,
        offer_expires=offer.expires if offer else None,
        transfer_id=transfer.transfer_id if transfer else None,
        transfer_kind=transfer.kind if transfer else None,
        transfer_sender=transfer.sender if transfer else None,
        transfer_to=target_name(transfer.to) if transfer else None,
        transfer_packet_id=transfer.packet_id if transfer else None,
        transfer_expires=transfer.expires if transfer else None,
        packet_id=conversation.packet.id,
        goes_on_in=conversation.into,
        came_in=ownership.first_queue,
        labels=" ".join(handling.labels) or None,
        snoozed_until=handling.snooze.until if handling.snooze else None,
        resolved=handling.resolved if conversation.resolved else None,
        resolved_by=handling.resolved_by if conversation.resolved else None,
        state=_encoder.encode(conversation),
    )


def read(state: bytes) -> Conversation:
    """Return the fold in a row's `state`."""
    return _decoder.decode(state)


FOLD = Fold(
    row=ConversationRow,
    kind=aggregates.CONVERSATION,
    empty=NEW_CONVERSATION,
    evolve=evolve,
    write=write,
    read=read,
)


def status_of(conversation: Conversation) -> str:
    """Return `resolved`, `owned` or `waiting`."""
    if conversation.resolved:
        return "resolved"
    return "waiting" if conversation.ownership.owner is None else "owned"


# -- answers ------------------------------------------------------------------------------------------


async def known_conversation(reading: Reading, name: str) -> Mapping[str, Any]:
    """Return the row of a conversation. Raises: ConversationUnknown."""
    row = await reading.first("conversation", name)
    if row is None:
        raise errors.ConversationUnknown(conversation=name)
    return row


async def conversation(
    reading: Reading, asked: queries.AskConversation
) -> queries.ConversationAnswer:
    """Answer one matter as it stands, its lists a page at a time. Raises: ConversationUnknown, CommandUnreadable."""
    it = read((await known_conversation(reading, asked.conversation))["state"])
    every = _lists(it)
    shown, going_on = latest(every, asked.after, reading.limit(asked))
    return queries.ConversationAnswer(
        position=await reading.position(),
        conversation=_view(it, asked.conversation, shown),
        counts=queries.ConversationCounts(**{name: len(each) for name, each in every.items()}),
        next=cursors.written(going_on),
    )


def _lists(conversation: Conversation) -> dict[str, Mapping[Any, Any]]:
    """Return the lists of a conversation, each by id."""
    contacts, matter = conversation.contacts, conversation.matter
    return {
        "channels": {name: name for name in contacts.channels},
        "contacts": contacts.by_id,
        "facts": matter.facts,
        "promises": matter.promises,
        "callbacks": matter.callbacks,
        "hops": {hop.transfer_id: hop for hop in conversation.ownership.hops},
    }


def _view(
    conversation: Conversation, name: str, shown: Mapping[str, list[Any]]
) -> queries.ConversationView:
    """Return a conversation as it is answered. `shown`: its lists, as far as they are."""
    ownership = conversation.ownership
    return queries.ConversationView(
        id=name,
        sequence=conversation.sequence,
        customer=conversation.customer,
        status=status_of(conversation),
        owner=ownership.owner,
        queue=ownership.queue,
        opened=conversation.opened,
        last_activity=conversation.contacts.last_activity,
        waiting_since=ownership.waiting_since,
        waited_seconds=ownership.waited_seconds,
        matter=conversation.matter.summary,
        offer=ownership.offer,
        transfer=ownership.transfer,
        handovers=ownership.handovers,
        repeats=conversation.matter.repeats,
        unanswered=conversation.talk.unanswered,
        packet_id=conversation.packet.id,
        into=conversation.into,
        possible=list(conversation.people.possible.values()),
        labels=list(conversation.handling.labels),
        snoozed_until=conversation.handling.snooze.until if conversation.handling.snooze else None,
        reopened=conversation.handling.reopened,
        escalation=conversation.escalation if conversation.escalation.id else None,
        **shown,
    )
