"""Table `announcement`: what the desk was told, and what of it was withdrawn."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from services.history.tables.row import AddedRow, Words
from services.history.tables.table import Reading, Step, Table
from shared import events, instants, queries


class AnnouncementRow(AddedRow, frozen=True, kw_only=True):
    """`codes`: with blanks between; `about`: one a line; `said_by`: the actor."""

    table = "announcement"
    tenant: str
    announcement_id: str
    withdrawn: bool
    kind: str | None
    said: Words | None
    codes: Words | None
    about: Words | None
    since: datetime | None
    until: datetime | None
    said_by: str


def rows(step: Step[Any]) -> Iterable[AnnouncementRow]:
    """Return the row of an announcement, or of its end."""
    event = step.recorded.event
    assert isinstance(event, events.AnnouncementEvent)
    return (_row(step, event, withdrawn=isinstance(event, events.AnnouncementWithdrawn)),)


def _row(step: Step[Any], event: events.AnnouncementEvent, *, withdrawn: bool) -> AnnouncementRow:
    made = event.open if isinstance(event, events.AnnouncementMade) else None
    words = event.personal if isinstance(event, events.AnnouncementMade) else None
    return AnnouncementRow(
        sequence=step.recorded.sequence,
        tenant=event.tenant,
        announcement_id=event.open.announcement_id,
        withdrawn=withdrawn,
        kind=made.kind if made else None,
        said=words.text if words else None,
        codes=" ".join(words.codes) if words else None,
        about="\n".join(words.about) if words else None,
        since=made.since if made else None,
        until=made.until if made else None,
        said_by=event.actor,
    )


TABLE = Table(AnnouncementRow, rows, on=events.AnnouncementEvent)


async def announcements(reading: Reading, asked: queries.AskAnnouncements) -> queries.Announcements:
    """Answer what holds or is going to, the newest first."""
    at = None if asked.at is None else instants.within(asked.at)
    page = await reading.page(
        queries.AnnouncementLine, "announcements", asked.kind, at, asked=asked
    )
    return queries.Announcements(
        position=await reading.position(),
        count=page.count,
        next=page.next,
        announcements=page.lines,
    )
