"""What the desk is to know."""

from typing import Annotated

from msgspec import Meta

from shared import events
from shared.commands.base import ID, AboutWord, Command, DiscountCode, ShortText


class Announce(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The desk is to know of a campaign, a discount or an outage: whoever takes a matter over is shown it.

    `since`: when it begins, now unless it is given, at most 366 days ahead; `until`: when it ends, at most 366 days
    after it began; without it, when it is withdrawn. `codes`: what a customer may give; `about`: it is shown only where
    one of these words stands in what is known of the matter: her words, facts, orders.
    """

    verb = "announce"
    kind: events.AnnouncementKind
    text: ShortText
    since: events.Instant | None = None
    until: events.Instant | None = None
    codes: Annotated[list[DiscountCode], Meta(max_length=8)] = []
    about: Annotated[list[AboutWord], Meta(max_length=16)] = []


class WithdrawAnnouncement(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """It holds no longer."""

    verb = "withdraw_announcement"
    announcement_id: Annotated[events.AnnouncementId, ID]


ANNOUNCEMENT_COMMANDS: tuple[type[Command], ...] = (
    Announce,
    WithdrawAnnouncement,
)
