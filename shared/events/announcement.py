"""What the whole desk is to know: a campaign, a discount, an outage; on `announced-desk`."""

from typing import Literal, NewType

from shared.events.envelope import Event, Instant, Nothing, Part

AnnouncementId = NewType("AnnouncementId", str)
AnnouncementKind = Literal["campaign", "discount", "outage"]


class AnnouncementMadeOpen(Part, frozen=True, kw_only=True):
    """`since`, `until`: when it holds; `None`: until it is withdrawn."""

    announcement_id: AnnouncementId
    kind: AnnouncementKind
    since: Instant
    until: Instant | None = None


class AnnouncementMadePersonal(Part, frozen=True, kw_only=True):
    """`codes`: of a discount, as a customer gives them; `about`: words of the matters it concerns, none: of all."""

    text: str
    codes: list[str] = []
    about: list[str] = []


class AnnouncementMade(
    Event[AnnouncementMadeOpen, AnnouncementMadePersonal],
    frozen=True,
    kw_only=True,
    tag="announcement.made",
):
    """Everybody at the desk is to know it while it holds."""


class AnnouncementWithdrawnOpen(Part, frozen=True, kw_only=True):
    announcement_id: AnnouncementId


class AnnouncementWithdrawn(
    Event[AnnouncementWithdrawnOpen, Nothing],
    frozen=True,
    kw_only=True,
    tag="announcement.withdrawn",
):
    """It holds no longer: the outage is over, the campaign ended early."""


AnnouncementEvent = AnnouncementMade | AnnouncementWithdrawn
