"""What notify listens to. Each handler: read, act, answer; `shared.worker` acknowledges what a stream delivers."""

import contextlib

import structlog

from services.notify.domain.commands import Acknowledge
from services.notify.notifying import Notifying
from services.notify.older import OlderReader
from services.notify.parking import Parking
from services.notify.passing import Passing
from services.notify.sending import Sending
from services.notify.store import Decided
from shared import arming, arrivals, commands, errors, events, requests, subjects, timers, tracing
from shared.clock import Clock
from shared.codec import Codec, is_another
from shared.ledger import Ledger
from shared.policies import Policies
from shared.refusals import OneAnswer, Refusals

log = structlog.get_logger("notify.handlers")

OLDER_SECONDS = 2.0
"""So much later a message is looked at again that an older version may be sending."""


class LedgerHandler:
    """The lanes of the ledger: whom its events concern is told, and a message to a customer is handed on."""

    def __init__(
        self,
        codec: Codec,
        ledger: Ledger,
        passing: Passing,
        parking: Parking,
        notifying: Notifying,
        at_once: arming.Timers,
    ) -> None:
        self._codec = codec
        self._ledger = ledger
        self._passing = passing
        self._parking = parking
        self._notifying = notifying
        self._at_once = at_once

    async def tell(self, arrived: arrivals.ArrivedMessage) -> None:
        """Handle one event. Raises: what reading, handing on, parking and telling raise."""
        event = await read(self._codec, self._ledger, arrived)
        self._passing.see(arrived, event)
        for timer in timers.at_once(event, arrived.sequence):
            await self._at_once.arm(timer)
        if isinstance(event, events.WorkRetried):
            await self._parking.take_up(event)
        with tracing.span("tell", event.traceparent, tenant=event.tenant, type=event.type):
            await self._notifying.on_event(event)


class MessageHandler:
    """The messages to customers that the lanes have handed on, and those that an older version's consumer gives."""

    def __init__(self, codec: Codec, ledger: Ledger, sending: Sending, older: OlderReader) -> None:
        self._codec = codec
        self._ledger = ledger
        self._sending = sending
        self._older = older

    async def send(self, arrived: arrivals.ArrivedMessage) -> None:
        """Handle what was handed on.

        Raises: Later, NotAnEvent, TimerKindUnknown, and what reading and sending raise.
        """
        timer = timers.read_timer(arrived.body)
        if timer.kind != timers.MESSAGE_SENDING.name:
            raise errors.TimerKindUnknown(kind=timer.kind)
        if await self._older.has(timer.sequence):
            raise arrivals.Later(OLDER_SECONDS, "older_reader")
        recorded = await self._ledger.get(timer.sequence)
        if recorded is None:
            raise errors.LedgerUnavailable(position=timer.sequence)
        if timer in timers.at_once(recorded.event, recorded.sequence):
            await self._send(recorded.event, arrived.attempt)
        else:
            log.error("handed_on_gone", position=timer.sequence, message_id=timer.id)

    async def send_of_ledger(self, arrived: arrivals.ArrivedMessage) -> None:
        """Handle one event of the ledger; all but messages are nothing to it, and what nobody here can read.

        That is parked once, by the lane that has it as well. Raises: Later, and what reading and sending raise.
        """
        if is_another(arrived.body, events.MessageRequested):
            return
        event: events.AnyEvent | None = None
        with contextlib.suppress(errors.EventTypeUnknown):
            event = await read(self._codec, self._ledger, arrived)
        if event is not None:
            await self._send(event, arrived.attempt)

    async def _send(self, event: events.AnyEvent, attempt: int) -> None:
        with tracing.span("send", event.traceparent, tenant=event.tenant):
            await self._sending.on_event(event, attempt)


async def read(codec: Codec, ledger: Ledger, arrived: arrivals.ArrivedMessage) -> events.AnyEvent:
    """Return the event in a message of the ledger, or what an operator has put in its place.

    Raises: EventTypeUnknown for a type of a newer version, NotAnEvent, LedgerUnavailable.
    """
    try:
        (event,) = await codec.unseal([arrived.body])
    except errors.EventTypeUnknown:
        recorded = await ledger.get(arrived.sequence)
        if recorded is None:
            raise errors.LedgerUnavailable(position=arrived.sequence) from None
        return recorded.event
    return event


class TimerHandler:
    """The fired timers of `notify-fired`."""

    def __init__(self, notifying: Notifying) -> None:
        self._notifying = notifying

    async def ask(self, arrived: arrivals.ArrivedMessage) -> None:
        """Handle one fired timer. Raises: NotAnEvent for a body that is no timer, TimerKindUnknown."""
        timer = timers.read_timer(arrived.body)
        if timer.kind != timers.NOTIFICATION_ESCALATION.name:
            raise errors.TimerKindUnknown(kind=timer.kind)
        await self._notifying.on_timer(timer, arrived.attempt)


class CommandHandler:
    """The command `acknowledge_notification`."""

    def __init__(
        self, notifying: Notifying, policies: Policies, clock: Clock, refusals: Refusals
    ) -> None:
        self._notifying = notifying
        self._policies = policies
        self._clock = clock
        self._answer = OneAnswer(refusals)

    async def acknowledge_notification(self, tenant: str, body: bytes) -> commands.Done:
        """Return the reply to one request.

        Raises: TenantUnknown, what `read_command` and `agent_of` refuse, and what `Notifying.acknowledge` does.
        """
        self._policies.of(tenant)
        command = requests.read_command(commands.AcknowledgeNotification.verb, body)
        return await self._answer.to(tenant, command, lambda: self._acknowledge(tenant, command))

    async def _acknowledge(self, tenant: str, command: commands.Command) -> commands.Done:
        policy, now = self._policies.of(tenant), self._clock.now()
        if not isinstance(command, commands.AcknowledgeNotification) or not subjects.is_token(
            command.conversation
        ):
            raise errors.NotificationUnknown
        wanted = Acknowledge(
            tenant=tenant,
            conversation=command.conversation,
            cause=command.command_id,
            cause_sha256=requests.sha256_of(command),
            older_sha256=requests.sha256_before_verbs(command),
            actor=command.actor,
            now=now,
            issued=command.issued_at,
            notification_id=command.notification_id,
            agent=requests.agent_of(policy, command.actor),
            policy=policy,
        )
        return _done(wanted, await self._notifying.acknowledge(wanted))


def _done(command: Acknowledge, decided: Decided) -> commands.Done:
    """Return the reply. A repeated command gets the reply to its first run: the events written then."""
    seen = command.seen_in(decided.state.seen)
    events: list[commands.EventSummary] = [] if seen is None else list(seen.events)
    settled = decided.state.by_id[command.notification_id].acknowledged or decided.state.sequence
    return commands.Done(
        events=events, position=max((each.sequence for each in events), default=settled)
    )
