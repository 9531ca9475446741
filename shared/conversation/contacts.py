"""The contacts of a conversation: pieces of work on one channel each, from their first event to their end."""

from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from shared import events
from shared.conversation import people
from shared.conversation.ownership import Ownership, lets_go, returned_to

ContactStatus = Literal["waiting", "accepted", "lost"]
NOT_SHOWN = (events.ContactCompleted,)
"""It changes nothing that a packet shows."""


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of work on one channel: a call, a chat session, a mail, a form.

    `status`: `lost` is a call that ended before an agent took it; `over`: the channel reported its end;
    `wrapped_up`: the agent wrote down how it went, and nothing was written in it since; `name`, `handles`: of whoever
    wrote or called last in it, the best proved handle first; `held`: the provider's number of the last hold report;
    `held_since`: since when she holds, `held_seconds`: for how long she held before;
    `heard`: when somebody called, or wrote last in it; `reference`: what an answer to the last mail in it names;
    `reacted`: when somebody last put a sign to a message in it.
    """

    contact_id: events.ContactId
    medium: events.Medium
    channel: str
    account: str
    started: datetime
    queue: str | None = None
    status: ContactStatus = "waiting"
    over: bool = False
    answered: bool = False
    on_hold: bool = False
    wrapped_up: bool = False
    completed: bool = False
    name: str | None = None
    handles: tuple[events.Handle, ...] = ()
    held: events.Numbered | None = None
    held_since: datetime | None = None
    held_seconds: int = 0
    heard: datetime | None = None
    reference: str | None = None
    reacted: datetime | None = None

    @property
    def live(self) -> bool:
        """Somebody still has to take or finish it."""
        return not self.over and self.status != "lost"


class Contacts(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """All contacts by id, in the order they began. `channels`: on which the customer came, in that order.

    `heard_last`: in which somebody wrote or called last, by the time at which it was done; `moved_to`: the channel on
    which an agent goes on with her since.
    """

    by_id: dict[events.ContactId, Contact] = {}
    channels: tuple[str, ...] = ()
    last_activity: datetime | None = None
    heard_last: events.ContactId | None = None
    moved_to: str | None = None

    @property
    def last(self) -> Contact | None:
        """The contact that began last; `None` before the first."""
        return next(reversed(self.by_id.values()), None)

    @property
    def goes_on(self) -> str | None:
        """The channel on which it goes on: an agent's choice, else where she wrote or called last."""
        latest = self.latest
        return self.moved_to or (latest.channel if latest else None)

    @property
    def by_heard(self) -> list[Contact]:
        """All contacts, the one first in which somebody wrote or called last."""
        return sorted(
            self.by_id.values(),
            key=lambda each: (_when_heard(each), each.contact_id == self.heard_last),
        )[::-1]

    @property
    def latest(self) -> Contact | None:
        """The contact of whoever is answered: she wrote or called last; `None` before the first."""
        return next(iter(self.by_heard), None)


def _when_heard(contact: Contact) -> datetime:
    return contact.heard or contact.started


def evolve(  # noqa: C901  the table of what concerns contacts
    contacts: Contacts, event: events.AnyEvent, before: Ownership
) -> Contacts:
    """Return the contacts after an event; `before`: the ownership at the time of the event."""
    match event:
        case events.CallStarted() | events.MessageReceived() | events.FormSubmitted():
            joins_only = event.open.automatic and contacts.by_id
            return contacts if joins_only else _begun(contacts, event, before)
        case events.CallMenuSelected() | events.MessageEdited():
            return _begun(contacts, event, before)
        case events.CallAnswered():
            # The provider connected the call, which may be to a voice menu: only an agent's acceptance takes it.
            return _with(_begun(contacts, event, before), event.open.contact_id, answered=True)
        case events.CallHeld():
            return _held(_begun(contacts, event, before), event, on_hold=True)
        case events.CallResumed():
            return _held(_begun(contacts, event, before), event, on_hold=False)
        case (
            events.CallEnded()
            | events.CallMissed()
            | events.CallAbandoned()
            | events.CallVoicemailLeft()
        ):
            begun = _off_hold(_begun(contacts, event, before), event)
            return _with(begun, event.open.contact_id, over=True)
        case events.MessageReacted():
            return _reacted(contacts, event)
        case events.ContactQueued():
            contact_id, queue = event.open.contact_id, event.open.queue
            return _with(contacts, contact_id, queue=queue, status="waiting")
        case events.ContactAbandoned() | events.ContactMissed():
            return _with(contacts, event.open.contact_id, status="lost", over=True)
        case events.ContactWrappedUp():
            return _with(contacts, event.open.contact_id, wrapped_up=True)
        case events.ContactCompleted():
            return _with(contacts, event.open.contact_id, completed=True)
        case events.ConversationReopened() if contacts.latest is not None:
            last = contacts.latest.contact_id
            return _with(contacts, last, wrapped_up=False, completed=False)
        case events.ChannelSwitched() if event.open.by is not None:
            return replace(contacts, moved_to=event.open.to_channel)
        case events.ConversationMerged():
            return _merged(contacts, event, event.open.owner or before.owner)
        case _:
            return _handed_over(contacts, event, before)


def _handed_over(contacts: Contacts, event: events.AnyEvent, before: Ownership) -> Contacts:
    match event:
        case events.ContactAccepted() | events.TransferAccepted() | events.CallbackReached():
            return _all_taken(contacts)
        case events.ConversationAssigned() if event.open.agent != before.owner:
            herself = event.open.agent == event.open.by
            return _all_taken(contacts) if herself else _given(contacts)
        case events.TransferRequested() if lets_go(event.open.kind, event.open.to):
            return _all_wait(contacts)
        case events.ConversationReturned():
            return _all_wait(contacts)
        case events.TransferRejected() | events.TransferCancelled() | events.TransferExpired():
            to = returned_to(event)
            if to is None or to == f"agent-{before.owner}":
                return contacts
            return _all_taken(contacts) if to.startswith("agent-") else _all_wait(contacts)
        case _:
            return contacts


def _begun(contacts: Contacts, event: events.InboundEvent, before: Ownership) -> Contacts:
    """Return the contacts with the event's in them: the first event seen of a contact begins it.

    Whoever writes on in a contact that was wrapped up is not done with. What was imported was over before it came.
    """
    opened, came_by = event.open, contacts.channels
    at = event.happened if event.imported else event.recorded
    active = max(at, contacts.last_activity or at)
    if opened.contact_id in contacts.by_id:
        written = isinstance(event, events.MessageReceived | events.FormSubmitted)
        goes_on = written and not event.imported
        again: dict[str, Any] = {"wrapped_up": False, "completed": False} if goes_on else {}
        known = _with(contacts, opened.contact_id, **_who(event), **again)
        return replace(_heard(known, event), last_activity=active)
    # A message to an owned conversation is with its owner at once; a call is when an agent accepts it.
    waits = before.owner is None or opened.medium == "call"
    contact = Contact(
        contact_id=opened.contact_id,
        medium=opened.medium,
        channel=opened.channel,
        account=opened.account,
        started=at,
        status="waiting" if waits and not event.imported else "accepted",
        over=event.imported,
        wrapped_up=event.imported,
        completed=event.imported,
        **_who(event),
    )
    begun = replace(
        contacts,
        by_id={**contacts.by_id, contact.contact_id: contact},
        channels=came_by if opened.channel in came_by else (*came_by, opened.channel),
        last_activity=active,
    )
    return _heard(begun, event)


def _heard(contacts: Contacts, event: events.InboundEvent) -> Contacts:
    """Return the contacts with when the event's was heard; a later report of a call says nothing of that."""
    contact = contacts.by_id[event.open.contact_id]
    at = event.happened
    last = contacts.by_id.get(contacts.heard_last) if contacts.heard_last else contacts.latest
    if contact.medium == "call" and contact.heard is not None:
        return contacts
    if contact.heard is not None and at < contact.heard:
        return contacts
    reference = event.open.provider_id if contact.medium == "mail" else None
    heard = _with(contacts, contact.contact_id, heard=at, reference=reference)
    is_last = last is None or last is contact or at >= _when_heard(last)
    return replace(heard, heard_last=contact.contact_id, moved_to=None) if is_last else heard


def _reacted(contacts: Contacts, event: events.MessageReacted) -> Contacts:
    contact = contacts.by_id.get(event.open.contact_id)
    if contact is None or (contact.reacted is not None and event.happened < contact.reacted):
        return contacts
    return _with(contacts, contact.contact_id, reacted=event.happened)


def _who(event: events.InboundEvent) -> dict[str, Any]:
    """Return what an event says of whoever is on the other end; a report that says nothing changes nothing."""
    handles = people.handles_of(event)
    name = event.personal.name if event.personal else None
    return {"name": name, "handles": handles} if handles or name else {}


def _held(
    contacts: Contacts, event: events.CallHeld | events.CallResumed, *, on_hold: bool
) -> Contacts:
    """Return the contacts after a report of a hold. One that was overtaken, or comes after the end, holds nobody."""
    contact, numbered = contacts.by_id[event.open.contact_id], event.open.numbered
    last = contact.held
    overtaken = (
        last and numbered and last.series == numbered.series and last.number > numbered.number
    )
    if contact.over or overtaken:
        return contacts
    noted = _with(contacts, contact.contact_id, held=numbered or last)
    if not on_hold:
        return _off_hold(noted, event)
    since = contact.held_since or event.recorded
    return _with(noted, contact.contact_id, on_hold=True, held_since=since)


def _off_hold(contacts: Contacts, event: events.InboundEvent) -> Contacts:
    """Return the contacts with how long she has held, now that she does not."""
    contact = contacts.by_id[event.open.contact_id]
    since = contact.held_since
    held = 0 if since is None else max(0, int((event.recorded - since).total_seconds()))
    seconds = contact.held_seconds + held
    return _with(contacts, contact.contact_id, on_hold=False, held_since=None, held_seconds=seconds)


def _with(contacts: Contacts, contact_id: events.ContactId, **changes: object) -> Contacts:
    contact = contacts.by_id.get(contact_id)
    if contact is None:
        return contacts
    return replace(contacts, by_id={**contacts.by_id, contact_id: replace(contact, **changes)})


def _merged(
    contacts: Contacts, event: events.ConversationMerged, owner: events.AgentId | None
) -> Contacts:
    """Return the contacts with those of another conversation, in the order in which all began.

    A message that waited here or there is with the owner at once, as any other in an owned conversation.
    """
    came = {each.contact_id: _as_it_stood(each, event.personal) for each in event.open.contacts}
    both = sorted({**came, **contacts.by_id}.values(), key=lambda each: each.started)
    if owner is not None:
        both = [
            each
            if each.medium == "call" or each.status != "waiting"
            else replace(each, status="accepted")
            for each in both
        ]
    channels = dict.fromkeys(each.channel for each in both)
    merged = replace(
        contacts,
        by_id={each.contact_id: each for each in both},
        channels=tuple(channels),
        heard_last=None,
    )
    last = merged.latest
    return replace(merged, heard_last=last.contact_id if last else None)


def _as_it_stood(
    merged: events.MergedContact, personal: events.ConversationMergedPersonal | None
) -> Contact:
    key = merged.contact_id
    return Contact(
        contact_id=merged.contact_id,
        medium=merged.medium,
        channel=merged.channel,
        account=merged.account,
        started=merged.started,
        status=merged.status,
        over=merged.over,
        wrapped_up=merged.wrapped_up,
        completed=merged.completed,
        queue=merged.queue,
        answered=merged.answered,
        on_hold=merged.on_hold,
        held=merged.held,
        held_since=merged.held_since,
        held_seconds=merged.held_seconds,
        heard=merged.heard,
        reference=merged.reference,
        name=personal.names.get(key) if personal else None,
        handles=tuple(personal.handles.get(key, ())) if personal else (),
    )


def _all_taken(contacts: Contacts) -> Contacts:
    """Nobody waits any longer: the agent has all of it."""
    taken = {
        key: replace(contact, status="accepted") if contact.status == "waiting" else contact
        for key, contact in contacts.by_id.items()
    }
    return replace(contacts, by_id=taken)


def _given(contacts: Contacts) -> Contacts:
    """What was written is with the agent at once; a call is when she accepts it (docs/adr/0015)."""
    given = {
        key: replace(contact, status="waiting")
        if contact.live and contact.medium == "call"
        else contact
        for key, contact in _all_taken(contacts).by_id.items()
    }
    return replace(contacts, by_id=given)


def _all_wait(contacts: Contacts) -> Contacts:
    """Whoever is still on the line waits for an agent again."""
    waiting = {
        key: replace(contact, status="waiting") if contact.live else contact
        for key, contact in contacts.by_id.items()
    }
    return replace(contacts, by_id=waiting)
