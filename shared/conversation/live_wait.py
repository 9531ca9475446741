"""Somebody waits on the line, or in a chat, since when, and when that will have been too long."""

from datetime import datetime

import msgspec

from shared import events

NOT_SHOWN = (events.ContactWaitExceeded, events.ContactWaitStarted)
"""A packet shows since when she waits."""


class LiveWait(msgspec.Struct, frozen=True, kw_only=True):
    """`exceeds`: when the wait passes the next limit of the policy, `None` after the last one."""

    contact_id: events.ContactId
    since: datetime
    exceeds: datetime | None


def evolve(wait: LiveWait | None, event: events.AnyEvent, *, owned: bool) -> LiveWait | None:
    """Return the wait after an event; none once an agent owns the conversation. Another queue begins none anew."""
    if owned:
        return None
    match event:
        case events.ContactQueued() if event.open.exceeds is not None:
            contact_id = event.open.contact_id
            known = wait is not None and wait.contact_id == contact_id
            since = wait.since if wait is not None and known else event.recorded
            return LiveWait(contact_id=contact_id, since=since, exceeds=event.open.exceeds)
        case events.ContactWaitExceeded() | events.ContactWaitStarted():
            return LiveWait(
                contact_id=event.open.contact_id, since=event.open.since, exceeds=event.open.exceeds
            )
        case _:
            return wait
