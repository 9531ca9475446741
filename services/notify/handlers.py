"""What notify listens to. Each handler: read, act, answer; `shared.serving` acknowledges."""

from __future__ import annotations

import msgspec

from services.notify.domain.commands import Acknowledge
from services.notify.mailing import Mailing
from services.notify.store import Decided
from services.notify.telling import Telling
from shared import subjects
from shared.clock import Clock
from shared.codec import Codec
from shared.commands import REMEMBERED, SKEW, AcknowledgeNotification, Done, EventSummary
from shared.errors import (
    AgentUnknown,
    CommandForbidden,
    CommandTooNew,
    CommandTooOld,
    CommandUnreadable,
    NotAnEvent,
    NotificationUnknown,
)
from shared.events import AgentId
from shared.ids import body_sha256
from shared.memory import recall
from shared.policy import Policies
from shared.serving import Arrived
from shared.timers import read_timer


class LedgerHandlers:
    """The ledger, read twice: once for the screens, once for mail (see `shared.streams.notify_consumers`).

    An event type of a newer version stops the reader until it is understood (`event.unknown_type`, retryable).
    """

    def __init__(self, codec: Codec, telling: Telling, mailing: Mailing) -> None:
        self._codec = codec
        self._telling = telling
        self._mailing = mailing

    async def tell(self, arrived: Arrived) -> None:
        """Handle one event of `notify-ledger`."""
        (event,) = await self._codec.unseal([arrived.body])
        await self._telling.on_event(event)

    async def mail(self, arrived: Arrived) -> None:
        """Handle one event of `notify-mail`."""
        (event,) = await self._codec.unseal([arrived.body])
        await self._mailing.on_event(event, arrived.attempt)


class TimerHandler:
    """The fired timers of `notify-fired`."""

    def __init__(self, telling: Telling) -> None:
        self._telling = telling

    async def ask(self, arrived: Arrived) -> None:
        """Handle one fired timer. Raises: NotAnEvent for a body that is no timer."""
        try:
            timer = read_timer(arrived.body)
        except msgspec.DecodeError:
            raise NotAnEvent() from None
        await self._telling.on_timer(timer, arrived.attempt)


class CommandHandler:
    """The command `acknowledge_notification`."""

    def __init__(self, telling: Telling, policies: Policies, clock: Clock) -> None:
        self._telling = telling
        self._policies = policies
        self._clock = clock

    async def acknowledge_notification(self, tenant: str, body: bytes) -> Done:
        """Return the reply to one request. Raises: what `_read`, `_checked` and `Telling.acknowledge` refuse."""
        command, sha256 = _read(body)
        wanted = self._checked(tenant, command, sha256)
        return _done(wanted, await self._telling.acknowledge(wanted))

    def _checked(self, tenant: str, command: AcknowledgeNotification, sha256: str) -> Acknowledge:
        """Return what is to be decided. Raises: TenantUnknown, CommandTooOld, CommandTooNew, and who may not."""
        policy = self._policies.of(tenant)
        now = self._clock.now()
        if now - command.issued_at > REMEMBERED:
            raise CommandTooOld(command_id=command.command_id)
        if command.issued_at - now > SKEW:
            raise CommandTooNew(command_id=command.command_id)
        kind, _, name = command.actor.partition(":")
        if kind != "agent":
            raise CommandForbidden(actor=command.actor)
        if name not in policy.agents:
            raise AgentUnknown(agent=name)
        if not subjects.is_token(subjects.notification(command.conversation)):
            raise NotificationUnknown(notification_id=command.notification_id)
        return Acknowledge(
            tenant=tenant,
            conversation=command.conversation,
            cause=command.command_id,
            cause_sha256=sha256,
            actor=command.actor,
            now=now,
            notification_id=command.notification_id,
            agent=AgentId(name),
            policy=policy,
        )


def _read(body: bytes) -> tuple[AcknowledgeNotification, str]:
    """Return the command and the hash of its canonical form. Raises: CommandUnreadable."""
    try:
        command = msgspec.json.decode(body, type=AcknowledgeNotification)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CommandUnreadable(f"the body is not a valid request: {error}") from None
    return command, body_sha256(msgspec.json.encode(command, order="deterministic"))


def _done(command: Acknowledge, decided: Decided) -> Done:
    """Return the reply, the same for a repeated command: what it wrote when it was first carried out."""
    seen = recall(decided.state.seen, command.cause, command.cause_sha256)
    events: list[EventSummary] = [] if seen is None else list(seen.events)
    settled = decided.state.by_id[command.notification_id].acknowledged or decided.state.sequence
    return Done(events=events, position=max((each.sequence for each in events), default=settled))
