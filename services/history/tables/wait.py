"""Table `wait`: who waits in a queue for an agent, and how long whoever was taken had waited."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from services.history.tables import conversation
from services.history.tables.row import ReplacedRow
from services.history.tables.table import Reading, Step, Table
from shared import calendars, errors, events, instants, queries
from shared.conversation import Contact, Conversation

KNOWN_FROM = 5
"""An estimate of fewer waits than these is a guess, and is not made."""
MEDIA: tuple[events.Medium, ...] = ("call", "chat", "message", "mail", "form")
"""By which a customer waits in a queue."""


class WaitRow(ReplacedRow, frozen=True, kw_only=True):
    """`ended`: when an agent took the contact, or the wait ended otherwise; `taken`: an agent did.

    A contact that waits a second time has the second wait alone.
    """

    table = "wait"
    key = ("tenant", "conversation", "contact_id")
    tenant: str
    conversation: str
    contact_id: str
    queue: str
    medium: str
    since: datetime
    ended: datetime | None
    taken: bool


def rows(step: Step[Conversation]) -> Iterable[WaitRow]:
    """Return the rows of the waits that an event begins, moves to another queue, or ends."""
    before, after = step.before, step.after
    if before.contacts is after.contacts and _holder(before) == _holder(after):
        return
    for key, contact in after.contacts.by_id.items():
        was = before.contacts.by_id.get(key)
        waited = None if was is None else _waits_in(before, was)
        waits = _waits_in(after, contact)
        if waits is not None and waits != waited:
            yield _row(step, after, contact, waits)
        elif waits is None and was is not None and waited is not None:
            taken = contact.status == "accepted"
            yield _row(step, before, was, waited, ended=step.recorded.event.recorded, taken=taken)


TABLE = Table(WaitRow, rows, of=conversation.FOLD)


def _holder(matter: Conversation) -> tuple[object, ...]:
    return matter.ownership.owner, matter.ownership.queue, matter.resolved


def _waits_in(matter: Conversation, contact: Contact) -> str | None:
    """Return the queue in which a contact waits; `None` when it does not."""
    if matter.resolved or matter.ownership.owner is not None:
        return None
    return matter.ownership.queue if contact.live and contact.status == "waiting" else None


def _row(
    step: Step[Conversation],
    matter: Conversation,
    contact: Contact,
    queue: str,
    *,
    ended: datetime | None = None,
    taken: bool = False,
) -> WaitRow:
    tenant, name = step.key
    return WaitRow(
        tenant=tenant,
        conversation=name,
        contact_id=contact.contact_id,
        queue=queue,
        medium=contact.medium,
        since=max(contact.started, matter.ownership.waiting_since or contact.started),
        ended=ended,
        taken=taken,
    )


# -- the answer ---------------------------------------------------------------------------------------


async def waiting(reading: Reading, asked: queries.AskWaiting) -> queries.Waiting:
    """Answer where somebody is there, who waits, and how long that took lately. Raises: QueueUnknown."""
    names = list(reading.policy.queues) if asked.queue is None else [asked.queue]
    if asked.queue is not None and asked.queue not in reading.policy.queues:
        raise errors.QueueUnknown(queue=asked.queue)
    at = None if asked.at is None else instants.within(asked.at)
    found = await reading.rows("waiting", asked.queue, at)
    counted = {(each["queue"], each["medium"]): each for each in found}
    media = MEDIA if asked.medium is None else (asked.medium,)
    now: datetime = found[0]["at"]
    return queries.Waiting(
        position=await reading.position(),
        queues=[
            _line(reading, name, medium, now, counted.get((name, medium), {}))
            for name in names
            for medium in media
        ],
    )


def _line(
    reading: Reading, queue: str, medium: events.Medium, now: datetime, found: Mapping[str, Any]
) -> queries.WaitingLine:
    hours = calendars.open_now(reading.policy.hours(queue, medium), now)
    taken = int(found.get("taken", 0))
    known = hours.open and taken >= KNOWN_FROM
    return queries.WaitingLine(
        queue=queue,
        medium=medium,
        open=hours.open,
        until=hours.until,
        opens=hours.opens,
        waiting=int(found.get("waiting", 0)),
        taken=taken,
        median_seconds=round(found["median"]) if known else None,
        p90_seconds=round(found["p90"]) if known else None,
    )
