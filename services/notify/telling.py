"""From an event of a conversation to the screens of those who must know, until somebody acknowledges."""

from __future__ import annotations

from datetime import datetime, timedelta

from services.notify.channels.screen import ScreenMessage, Screens
from services.notify.domain.commands import (
    Acknowledge,
    AnyCommand,
    Escalate,
    RecordSent,
    origin,
)
from services.notify.domain.decisions import SCREEN
from services.notify.domain.occasions import (
    DEPEND_ON_BEFORE,
    NOTHING_BEFORE,
    OnOccasion,
    command_on,
)
from services.notify.domain.people import escalates_to
from services.notify.domain.state import Notification
from services.notify.store import Decided, NotificationStore
from shared import aggregates, events
from shared.clock import Clock
from shared.policy import Policies
from shared.serving import Later
from shared.timers import Timer

ASK_AGAIN_SECONDS = 10.0


class Telling:
    """Tells queues and owners, takes acknowledgements, escalates."""

    def __init__(
        self,
        store: NotificationStore,
        screens: Screens,
        policies: Policies,
        clock: Clock,
    ) -> None:
        self.store = store
        self._screens = screens
        self._policies = policies
        self._clock = clock

    async def on_event(self, event: events.AnyEvent) -> None:
        """Handle one ledger event: a new request, a new owner, work on either; any other is nothing to us.

        Raises: what the ledger, the bus and the policy raise; handled again, it goes on where it stopped.
        """
        command = await self._command(event)
        if command is None:
            return
        decided = await self.store.decide(command)
        packet_id: events.PacketId | None = getattr(event.open, "packet_id", None)
        for each in decided.state.about(event.id):
            if each.transport == SCREEN and each.sent is None:
                await self._screens.show(event.tenant, _message(command, each, packet_id=packet_id))
                record = RecordSent(**origin(event, self._clock.now()), notification_id=each.id)
                await self.store.decide(record)

    async def on_timer(self, timer: Timer, attempt: int) -> None:
        """Answer a fired timer's question: still unacknowledged? Then the next person is told.

        Raises: Later once, when the notification is not there (its append may still be under way).
        """
        conversation = events.ConversationId(aggregates.split(timer.aggregate)[1])
        state = await self.store.load(timer.tenant, conversation, leader=True)
        known = state.by_id.get(events.NotificationId(timer.id))
        if known is None:
            if attempt == 1:
                raise Later(ASK_AGAIN_SECONDS, "notification_absent")
            return
        if not known.waits_for_a_person:
            return
        policy = self._policies.of(timer.tenant)
        command = Escalate(
            tenant=timer.tenant,
            conversation=conversation,
            cause=timer.id,
            now=self._clock.now(),
            notification_id=known.id,
            to=escalates_to(policy, known.recipient),
        )
        decided = await self.store.decide(command)
        await self._show_escalated(command, decided.state.by_id[known.id])

    async def acknowledge(self, command: Acknowledge) -> Decided:
        """Carry out an agent's acknowledgement.

        Raises: NotificationUnknown, CommandIdReused, CommandForbidden for an agent who was not told.
        """
        return await self.store.decide(command)

    async def _show_escalated(self, command: Escalate, known: Notification) -> None:
        """Tell the next person; repeated after a crash, because a screen forgives it."""
        if known.escalated_to is not None and known.acknowledged is None:
            message = _message(command, known, escalated=known.escalated_to)
            await self._screens.show(command.tenant, message)

    async def _command(self, event: events.AnyEvent) -> OnOccasion | None:
        if event.conversation is None:
            return None
        before = NOTHING_BEFORE
        if isinstance(event, DEPEND_ON_BEFORE):
            before = await self.store.before(event)
        now = self._clock.now()
        return command_on(event, before, now, lambda: self._deadline(event.tenant, now))

    def _deadline(self, tenant: str, now: datetime) -> datetime:
        return now + timedelta(seconds=self._policies.of(tenant).times.notification_seconds)


def _message(
    command: AnyCommand,
    notification: Notification,
    *,
    packet_id: events.PacketId | None = None,
    escalated: str | None = None,
) -> ScreenMessage:
    return ScreenMessage(
        notification_id=notification.id,
        reason=notification.reason,
        conversation=command.conversation,
        about=notification.about,
        recipient=notification.recipient,
        packet_id=packet_id,
        escalated=escalated,
    )
