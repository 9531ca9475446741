"""From an event of a conversation to those who must know, by all their transports, until somebody acknowledges."""

import asyncio
from collections.abc import Mapping

import structlog

from services.notify.domain import commands, notices, occasions, people
from services.notify.domain.state import Notification
from services.notify.store import Decided, NotificationStore
from services.notify.transports import Transport
from shared import aggregates, arrivals, errors, events, metrics, timers, tracing
from shared.clock import Clock
from shared.policies import Policies

ASK_AGAIN_SECONDS = 10.0
SEND_TIMEOUT_SECONDS = 5.0
"""A transport may keep the notices behind this one waiting for so long."""

log = structlog.get_logger("notify.notifying")


class Notifying:
    """Tells queues and owners, takes acknowledgements, escalates. `transports`: by name."""

    def __init__(
        self,
        store: NotificationStore,
        transports: Mapping[str, Transport],
        policies: Policies,
        clock: Clock,
    ) -> None:
        self.store = store
        self._transports = transports
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
        for notification in decided.state.about(event.id):
            if not decided.events:
                await self.store.arm_again(event.tenant, command.conversation, notification)
            notice = _notice(notification, command.conversation, packet_id=packet_id)
            for transport in notification.unsent:
                if await self._send(transport, event.tenant, notice):
                    waited = (self._clock.now() - event.recorded).total_seconds()
                    metrics.TOLD_SECONDS.observe(waited, transport)
                    record = commands.RecordSent(
                        **commands.origin(event, self._clock.now()),
                        notification_id=notification.id,
                        transport=transport,
                    )
                    await self.store.decide(record)

    async def on_timer(self, timer: timers.Timer, attempt: int) -> None:
        """Answer a fired timer's question: still unacknowledged? Then the next person is told.

        Raises: Later once, when the notification is not there (its append may still be under way).
        """
        conversation = events.ConversationId(aggregates.split(timer.aggregate)[1])
        state = await self.store.load(timer.tenant, conversation, leader=True)
        known = state.by_id.get(events.NotificationId(timer.id))
        if known is None:
            if attempt == 1:
                raise arrivals.Later(ASK_AGAIN_SECONDS, "notification_absent")
            return
        if not known.waits_for_a_person:
            return
        policy = self._policies.of(timer.tenant)
        line = people.next_in_line(policy, known.recipient)
        agents = (name for each in line for name in sorted(people.reached_by(policy, each)))
        command = commands.Escalate(
            tenant=timer.tenant,
            conversation=conversation,
            cause=timer.id,
            now=self._clock.now(),
            notification_id=known.id,
            policy=policy,
            there=await self.store.there(timer.tenant, agents),
        )
        decided = await self.store.decide(command)
        await self._tell_next(command, decided.state.by_id[known.id])

    async def acknowledge(self, command: commands.Acknowledge) -> Decided:
        """Carry out an agent's acknowledgement.

        Raises: NotificationUnknown, CommandIdReused, CommandForbidden for an agent who was not told.
        """
        return await self.store.decide(command)

    async def _tell_next(self, command: commands.Escalate, known: Notification) -> None:
        """Tell the recipient of the escalation. A crash may repeat the notice; every transport allows repetition."""
        if known.escalated_to is not None and known.acknowledged is None:
            notice = _notice(known, command.conversation, escalated=known.escalated_to)
            for transport in people.transports_of(command.policy, known.escalated_to):
                await self._send(transport, command.tenant, notice)

    async def _send(self, name: str, tenant: str, notice: notices.Notice) -> bool:
        """Return whether the transport took the notice. A refused notice is not retried: it escalates instead."""
        with tracing.span("notice", tenant=tenant, transport=name):
            reason = await self._refusal(name, tenant, notice)
        metrics.NOTICES.add(tenant, name, "sent" if reason is None else "not_sent")
        if reason is not None:
            log.warning("notification_not_sent", reason=reason, **_facts(name, notice))
            return False
        log.info("notification_sent", **_facts(name, notice))
        return True

    async def _refusal(self, name: str, tenant: str, notice: notices.Notice) -> str | None:
        """Return why the transport did not take a notice; `None` when it did. No fault of it stops the others."""
        transport = self._transports.get(name)
        if transport is None:
            return "transport_unknown"
        try:
            async with asyncio.timeout(SEND_TIMEOUT_SECONDS):
                await transport.send(tenant, notice)
        except notices.NotSent as error:
            return error.reason
        except TimeoutError:
            return "timed_out"
        except errors.TellonceError:
            raise
        except Exception:
            log.exception("transport_failed", transport=name)
            return "failed"
        return None

    async def _command(self, event: events.AnyEvent) -> occasions.OnOccasion | None:
        if event.conversation is None and not isinstance(event, occasions.OF_NO_CONVERSATION):
            return None
        before = occasions.NOTHING_BEFORE
        if isinstance(event, occasions.DEPEND_ON_BEFORE):
            before = await self.store.before(event)
        return occasions.command_on(
            event, before, self._clock.now(), lambda: self._policies.of(event.tenant)
        )


def _notice(
    notification: Notification,
    conversation: events.ConversationId,
    *,
    packet_id: events.PacketId | None = None,
    escalated: str | None = None,
) -> notices.Notice:
    return notices.Notice(
        notification_id=notification.id,
        reason=notification.reason,
        conversation=conversation,
        about=notification.about,
        recipient=notification.recipient,
        packet_id=packet_id,
        escalated=escalated,
    )


def _facts(transport: str, notice: notices.Notice) -> dict[str, object]:
    """Return the log fields of a notice: transport, recipient and reason."""
    return {
        "transport": transport,
        "notification_id": notice.notification_id,
        "conversation": notice.conversation,
        "about": notice.reason,
        "to": notice.to,
        "escalated": notice.escalated is not None,
    }
