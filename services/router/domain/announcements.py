"""The fold of what everybody at the desk is to know."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from shared import events, memory
from shared.events.packet import Announcement


class HeldAnnouncement(msgspec.Struct, frozen=True, kw_only=True):
    """An announcement, and the words of the matters that it concerns."""

    announcement: Announcement
    about: tuple[str, ...] = ()


class Announcements(msgspec.Struct, frozen=True, kw_only=True):
    """What is said, the oldest first, and not withdrawn or over when something was said last."""

    said: Mapping[events.AnnouncementId, HeldAnnouncement] = {}
    seen: memory.Memory = {}
    sequence: int = 0


def evolve(before: Announcements, sequence: int, event: events.AnyEvent) -> Announcements:
    """Return the announcements after one event of `announced-desk`. It never fails."""
    said = {name: each for name, each in before.said.items() if not is_over(each, event.recorded)}
    match event:
        case events.AnnouncementMade(open=opened, personal=personal) if personal is not None:
            shown = Announcement(
                announcement_id=opened.announcement_id,
                kind=opened.kind,
                text=personal.text,
                since=opened.since,
                until=opened.until,
                codes=personal.codes,
            )
            said[opened.announcement_id] = HeldAnnouncement(
                announcement=shown, about=tuple(personal.about)
            )
        case events.AnnouncementWithdrawn(open=withdrawn):
            said.pop(withdrawn.announcement_id, None)
    seen = memory.remember(before.seen, sequence, event)
    return Announcements(said=said, seen=seen, sequence=sequence)


def is_over(held: HeldAnnouncement, now: datetime) -> bool:
    """Tell whether it holds no longer."""
    return held.announcement.until is not None and held.announcement.until <= now


NOTHING_SAID = Announcements()
