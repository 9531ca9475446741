"""What everybody at the desk is to know: said, withdrawn, and shown to whoever takes a matter over."""

import unicodedata
from collections.abc import Iterable
from datetime import timedelta

from services.router.domain.announcements import NOTHING_SAID, is_over
from services.router.domain.decision import Decision
from shared import aggregates, commands, errors, events
from shared.conversation import Conversation
from shared.conversation.state import Announced
from shared.customer import Customer
from shared.packet import ANNOUNCEMENTS_IN_FULL, check_text

LONGEST = timedelta(days=366)
HOLDING_MAX = 64
"""So many may hold at once: each is looked at whenever a matter changes hands."""

AnnouncementCommand = commands.Announce | commands.WithdrawAnnouncement


def announce(decision: Decision, command: commands.Announce) -> None:
    """Say it to the desk. Raises: AnnouncementTimeInvalid, AnnouncementsTooMany, TextTooLong, TextHasNul."""
    now = decision.origin.recorded
    since = command.since or now
    if since > now + LONGEST:  # the end of a later one may be beyond the calendar
        raise errors.AnnouncementTimeInvalid()
    if not max(since, now) < (command.until or since + LONGEST) <= since + LONGEST:
        raise errors.AnnouncementTimeInvalid()
    known = decision.loaded.announcements or NOTHING_SAID
    holding = [each for each in known.said.values() if not is_over(each, now)]
    if len(holding) >= HOLDING_MAX:
        raise errors.AnnouncementsTooMany(limit=HOLDING_MAX)
    opened = events.AnnouncementMadeOpen(
        announcement_id=events.AnnouncementId(decision.new_id("announcement")),
        kind=command.kind,
        since=since,
        until=command.until,
    )
    personal = events.AnnouncementMadePersonal(
        text=check_text(command.text),
        codes=command.codes,
        about=[check_text(each) for each in command.about],
    )
    decision.emit(events.AnnouncementMade, aggregates.DESK, opened, personal)


def withdraw(decision: Decision, command: commands.WithdrawAnnouncement) -> None:
    """Take it back. Raises: AnnouncementUnknown for one that is over, withdrawn, or never was."""
    known = decision.loaded.announcements or NOTHING_SAID
    held = known.said.get(command.announcement_id)
    if held is None or is_over(held, decision.origin.recorded):
        raise errors.AnnouncementUnknown(announcement_id=command.announcement_id)
    opened = events.AnnouncementWithdrawnOpen(announcement_id=command.announcement_id)
    decision.emit(events.AnnouncementWithdrawn, aggregates.DESK, opened)


def note_announcements(decision: Decision) -> None:
    """Have the next packet show what holds now and touches the matter, where that is not what it shows already.

    Outages come first, however many campaigns were announced since.
    """
    conversation, known = decision.conversation, decision.loaded.announcements
    if known is None:
        return
    found = [
        each.announcement
        for each in reversed(list(known.said.values()))
        if each.announcement.since <= decision.origin.recorded
        and not is_over(each, decision.origin.recorded)
        and _touches(each.about, conversation, decision.customer)
    ]
    found.sort(key=lambda each: each.kind != "outage")
    shown = found[:ANNOUNCEMENTS_IN_FULL]
    more = len(found) - len(shown)
    if Announced(shown=tuple(shown), more=more) == conversation.announced:
        return
    opened = events.ContextAnnouncedOpen(
        announcements=[each.announcement_id for each in shown], more=more
    )
    personal = events.ContextAnnouncedPersonal(announcements=shown)
    decision.on_conversation(events.ContextAnnounced, opened, personal)


def _touches(about: tuple[str, ...], conversation: Conversation, customer: Customer) -> bool:
    if not about:
        return True
    known = _spelled("\n".join(_known(conversation, customer)))
    return any(_spelled(word) in known for word in about)


def _spelled(text: str) -> str:
    """Return a text as it is compared: some keyboards write `ż` as one character, others as two."""
    return unicodedata.normalize("NFKC", text.casefold())


def _known(conversation: Conversation, customer: Customer) -> Iterable[str]:
    """Yield what is known of a matter in words."""
    yield conversation.matter.summary or ""
    yield from (each.value for each in conversation.matter.facts.values())
    yield from (each.text for each in conversation.talk.said)
    for order in customer.orders.values():
        yield from (order.number, order.description or "")
