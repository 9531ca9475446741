"""How each contact was handled, and each agent's time at work, as the ledger tells it. Pure.

Times are when things were recorded: the ledger's order and its clock, not a provider's.
"""

from collections import defaultdict
from datetime import datetime, timedelta

import msgspec

from shared import events
from shared.ledger import Recorded

NO_TIME = timedelta(0)


class HandledContact(msgspec.Struct, kw_only=True):
    """One contact. `queued`, `asked`, `taken`, `wrapped`: when it began to wait, somebody was asked first, somebody
    took it, and somebody wrote down how it went; `lost`: when she hung up, `missed` if it was never connected."""

    contact_id: str
    conversation: str
    customer: str | None
    medium: str
    channel: str
    began: datetime
    queue: str | None = None
    agent: str | None = None
    queued: datetime | None = None
    asked: datetime | None = None
    taken: datetime | None = None
    wrapped: datetime | None = None
    lost: datetime | None = None
    missed: bool = False


class HandledConversation(msgspec.Struct, kw_only=True):
    """A conversation. `acknowledged`: hand-overs that named one of its packets; `repeats`: facts told again."""

    customer: str | None = None
    opened: datetime | None = None
    resolved: datetime | None = None
    contacts: int = 0
    hand_overs: int = 0
    acknowledged: int = 0
    transfers: int = 0
    repeats: int = 0
    packets: set[str] = set()


class Attendance(msgspec.Struct, kw_only=True):
    """An agent's time: `present` at work and available, `occupied` with at least one conversation of them."""

    present: timedelta = NO_TIME
    occupied: timedelta = NO_TIME
    at: datetime | None = None
    status: str = "signed_out"
    holds: set[str] = set()

    def passes(self, until: datetime) -> None:
        """Count the time since the last change."""
        if self.at is not None and until > self.at and self.status == "available":
            self.present += until - self.at
            self.occupied += until - self.at if self.holds else NO_TIME
        self.at = until


class HandledWork:
    """Everything that was handled, learned from the ledger in its order."""

    def __init__(self) -> None:
        self.contacts: dict[str, HandledContact] = {}
        self.courses: dict[str, HandledConversation] = defaultdict(HandledConversation)
        self.agents: dict[str, Attendance] = defaultdict(Attendance)
        self.promises: dict[str, tuple[datetime, bool]] = {}
        """When a promise was kept or its time passed, and whether it was kept in time."""
        self.owed: dict[str, datetime] = {}
        """Since when a call is owed."""
        self.recovered: dict[str, datetime] = {}

    def see(self, recorded: Recorded) -> None:
        """Take one event in."""
        event = recorded.event
        if isinstance(event, events.InboundEvent):
            self._began(event)
        elif recorded.aggregate.startswith("agent-"):
            self._worked(recorded.aggregate.removeprefix("agent-"), event)
        else:
            self._promised(event)
            self._decided(event)

    def _began(self, event: events.InboundEvent) -> None:
        told, name = event.open, event.conversation
        if name is None or told.contact_id in self.contacts:
            return
        self.courses[name].contacts += 1
        self.contacts[told.contact_id] = HandledContact(
            contact_id=told.contact_id,
            conversation=name,
            customer=event.customer,
            medium=told.medium,
            channel=told.channel,
            began=event.recorded,
        )

    def _decided(self, event: events.AnyEvent) -> None:
        course = self.courses[event.conversation or ""]
        match event:
            case events.ConversationOpened():
                course.customer, course.opened = event.customer, event.recorded
            case events.ConversationResolved():
                course.resolved = event.recorded
            case events.FactRepeated():
                course.repeats += 1
            case events.ContextPackaged():
                course.packets = course.packets | {event.open.packet_id}
            case events.TransferAccepted():
                course.transfers += 1
                self._handed_over(course, event.open.packet_id)
            case events.CallbackRequested():
                self.owed.setdefault(event.open.callback_id, event.recorded)
            case events.CallbackReached():
                self.recovered.setdefault(event.open.callback_id, event.recorded)
                self._handed_over(course, event.open.packet_id)
            case _:
                self._moved(course, event)

    def _promised(self, event: events.AnyEvent) -> None:
        match event:
            case events.PromiseKept():
                self.promises.setdefault(
                    event.open.promise_id, (event.recorded, not event.open.late)
                )
            case events.PromiseOverdue() | events.PromiseBroken():
                self.promises.setdefault(event.open.promise_id, (event.recorded, False))
            case events.PromiseRenegotiated() if event.open.late:
                self.promises.setdefault(event.open.promise_id, (event.recorded, False))

    def _moved(self, course: HandledConversation, event: events.AnyEvent) -> None:
        contact_id = getattr(event.open, "contact_id", None)
        known = self.contacts.get(contact_id) if contact_id else None
        if known is None:
            return
        match event:
            case events.ContactQueued():
                known.queue = known.queue or event.open.queue
                known.queued = known.queued or event.recorded
            case events.ContactOffered():
                known.asked = known.asked or event.recorded
            case events.ContactAccepted():
                known.taken, known.agent = known.taken or event.recorded, event.open.agent
                self._handed_over(course, event.open.packet_id)
            case events.ContactAbandoned() | events.ContactMissed():
                known.queue = known.queue or event.open.queue
                if event.open.reason == "requested":
                    return
                known.lost, known.missed = event.recorded, isinstance(event, events.ContactMissed)
            case events.ContactWrappedUp():
                known.wrapped = event.recorded
                known.agent = known.agent or event.open.agent

    @staticmethod
    def _handed_over(course: HandledConversation, packet_id: str) -> None:
        course.hand_overs += 1
        course.acknowledged += packet_id in course.packets

    def _worked(self, agent: str, event: events.AnyEvent) -> None:
        attendance = self.agents[agent]
        attendance.passes(event.recorded)
        match event:
            case events.AgentSignedIn():
                attendance.status = "available"
            case events.AgentStatusSet():
                attendance.status = event.open.status
            case events.AgentReserved():
                attendance.holds = attendance.holds | {event.open.conversation}
            case events.AgentReleased():
                attendance.holds = attendance.holds - {event.open.conversation}
