"""What notify listens to. Each handler: read, act, answer; `shared.serving` acknowledges."""

from services.notify.domain.commands import Acknowledge
from services.notify.notifying import Notifying
from services.notify.store import Decided
from shared import arrivals, commands, errors, requests, subjects, timers
from shared.clock import Clock
from shared.policy import Policies
from shared.refusals import OneAnswer, Refusals


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
