"""Table `timeline`: the words and deeds of a conversation in order, with the place and the contact of each."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from services.history.tables.conversation import known_conversation
from services.history.tables.customer import known_customer
from services.history.tables.row import AddedRow, Words
from services.history.tables.table import Reading, Step, Table
from shared import aggregates, events, queries

SHOWN_KINDS = frozenset(
    kind.prefix for kind in (aggregates.CONVERSATION, aggregates.CUSTOMER, aggregates.NOTIFICATION)
)
"""Aggregates whose events belong to a person's story; agents' slots and handles' claims do not."""
ANSWER_MAX_BYTES = 768 * 1024
"""Pages end here: the bus takes 1 MiB in one message."""
LINE_OVERHEAD_BYTES = 1_024
"""What a line takes beside its words and its open part, at most."""


class TimelineRow(AddedRow, frozen=True, kw_only=True):
    """`text`: what was said or written, in full; `open`: the event's open part as it is stored.

    `quoted`: what a message answers, where its provider tells it.
    """

    table = "timeline"
    tenant: str
    conversation: str | None
    customer: str | None
    occurred: datetime
    recorded: datetime
    type: str
    contact_id: str | None
    channel: str | None
    actor: str
    text: Words | None
    open: str
    quoted: Words | None


class _OpenPart(msgspec.Struct):
    open: msgspec.Raw


class _Stored(msgspec.Struct):
    data: _OpenPart


_stored = msgspec.json.Decoder(_Stored)


def rows(step: Step[Any]) -> Iterable[TimelineRow]:
    """Return the row of an event; none when it belongs to no person's story."""
    recorded = step.recorded
    event = recorded.event
    if recorded.aggregate.partition("-")[0] not in SHOWN_KINDS:
        return ()
    if event.conversation is None and event.customer is None:
        return ()
    opened, personal = event.open, event.personal
    row = TimelineRow(
        sequence=recorded.sequence,
        tenant=event.tenant,
        conversation=event.conversation,
        customer=event.customer,
        occurred=event.occurred,
        recorded=event.recorded,
        type=event.type,
        contact_id=getattr(opened, "contact_id", None) or None,
        channel=_channel(event),
        actor=event.actor,
        text=words(event),
        open=bytes(_stored.decode(recorded.body).data.open).decode(),
        quoted=getattr(personal, "quoted", None),
    )
    return (row,)


TABLE = Table(TimelineRow, rows)


def _channel(event: events.AnyEvent) -> str | None:
    if isinstance(event, events.ChannelSwitched):
        return event.open.to_channel
    channel: Any = getattr(event.open, "channel", None)
    return channel if isinstance(channel, str) and channel else None


WORDS: Mapping[type, str] = {
    events.FormSubmitted: "text",
    events.MessageEdited: "text",
    events.MessageEchoed: "text",
    events.MessageReacted: "reaction",
    events.CallVoicemailLeft: "text",
    events.AttachmentStored: "file_name",
    events.AttachmentFailed: "file_name",
    events.MessageRequested: "text",
    events.FactStated: "value",
    events.FactCorrected: "value",
    events.PromiseMade: "text",
    events.PromiseRenegotiated: "reason",
    events.PromiseWithdrawn: "reason",
    events.PromiseBroken: "reason",
    events.AgreementMade: "text",
    events.ApologyMade: "text",
    events.CompensationOffered: "text",
    events.NoteAdded: "text",
    events.FeedbackGiven: "text",
    events.TransferRequested: "brief",
    events.TransferRejected: "reason",
    events.TransferCompleted: "result",
    events.ConversationAssigned: "reason",
    events.ContactWrappedUp: "summary",
    events.CustomerCreated: "name",
    events.OrderChanged: "number",
}
"""Which field of an event's personal part holds words."""


def words(event: events.AnyEvent) -> str | None:
    """Return what was said or written, in full; `None` when nothing was, or after erasure."""
    field = WORDS.get(type(event))
    if field is not None:
        found: str | None = getattr(event.personal, field, None)
        return found
    if isinstance(event, events.CallMenuSelected):
        return event.open.digits
    if isinstance(event, events.MessageReceived):
        said = event.personal
        return None if said is None else said.reply_text or said.text
    return None


# -- the answer ---------------------------------------------------------------------------------------


async def timeline(reading: Reading, asked: queries.AskTimeline) -> queries.Timeline:
    """Answer what was said and done, a page at a time. Raises: ConversationUnknown, CustomerUnknown."""
    limit = min(asked.limit or reading.rows_max, reading.rows_max)
    if asked.conversation is not None:
        name, whose, known = "timeline_of_conversation", asked.conversation, known_conversation
    else:
        name, whose, known = "timeline_of_customer", str(asked.customer), known_customer
    found = await reading.rows(name, whose, asked.after, limit + 1)
    if not found and not asked.after:
        await known(reading, whose)
    lines = _page(found[:limit])
    more = len(lines) < len(found)
    return queries.Timeline(
        position=await reading.position(), rows=lines, next=lines[-1].sequence if more else None
    )


def _page(found: Sequence[Mapping[str, Any]]) -> list[queries.TimelineLine]:
    """Return the first rows that fit into an answer; at least one row."""
    page: list[queries.TimelineLine] = []
    room = ANSWER_MAX_BYTES
    for row in found:
        opened = str(row["open"]).encode()
        told = msgspec.json.encode((row["text"], row["quoted"]))
        room -= len(opened) + len(told) + LINE_OVERHEAD_BYTES
        if page and room < 0:
            break
        page.append(_line(row, opened))
    return page


def _line(row: Mapping[str, Any], opened: bytes) -> queries.TimelineLine:
    """Return a row as it is answered; field by field, which takes a third of handing over all of them by a mapping."""
    return queries.TimelineLine(
        sequence=row["sequence"],
        at=row["at"],
        recorded=row["recorded"],
        type=row["type"],
        conversation=row["conversation"],
        customer=row["customer"],
        contact_id=row["contact_id"],
        channel=row["channel"],
        actor=row["actor"],
        text=row["text"],
        open=msgspec.Raw(opened),
        quoted=row["quoted"],
    )
