"""From `message.requested` to its outcome: a message leaves at most once, whatever dies in between.

all of it but the last step | intent appended | the last step | `notification.sent` appended | outcome reported | acked

Before the intent a failure costs nothing and is tried again. A message with an intent and without a known end is never
handed over a second time: its provider is asked for it where it can be, and else it is `message.uncertain`.
"""

import asyncio
import contextlib
import secrets
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Protocol

import structlog
from msgspec.structs import replace

from services.notify.asking import Asking
from services.notify.carriers import Carrier, NotTaken, Transaction, Unanswered
from services.notify.channels import Outbound
from services.notify.domain import commands, decisions, messages, outcomes
from services.notify.domain.asking import HAND_OVER, Doubt
from services.notify.domain.state import Notification, Notifications
from services.notify.store import Decided, NotificationStore
from shared import arrivals, backoff, contact_log, errors, events, metrics
from shared.clock import Clock
from shared.policies import Policies

ATTEMPTS_MAX = 20
RETRY = backoff.Backoff(first_seconds=0.5, longest_seconds=60.0)
"""0.5 s doubling to a minute, 20 times: a provider may be away for a quarter of an hour."""
PAUSES_SECONDS = (1.0, 4.0, 16.0)
"""Between the tries of a last step that a provider refuses for a while: 4^n, as one of them asks for."""
REMEMBERED_OUTCOMES = 1_024
ATTEMPT_BYTES = 16

log = structlog.get_logger("notify.sending")


class Reports(Protocol):
    """Takes outcomes to CONTACTS."""

    async def report(self, event: events.OutcomeEvent) -> None:
        """Store it, once per event id. Raises: BusUnavailable, JetStreamRefused."""
        ...


class ContactReports:
    """Outcomes as contact events of their channel, on the conversation's partition of CONTACTS."""

    def __init__(self, contacts: contact_log.ContactLog) -> None:
        self._contacts = contacts

    async def report(self, event: events.OutcomeEvent) -> None:
        """See `Reports.report`."""
        routing_key = event.conversation or event.aggregate
        await self._contacts.publish([(event.open.channel, routing_key, event)])


class Sending:
    """Sends messages to customers. `channels`, `carriers`: by name."""

    def __init__(
        self,
        store: NotificationStore,
        channels: Mapping[str, Outbound],
        carriers: Mapping[str, Carrier],
        reports: Reports,
        policies: Policies,
        clock: Clock,
        around: messages.SendingSettings,
        adopted: datetime | None = None,
    ) -> None:
        self.store = store
        self._channels = channels
        self._carriers = carriers
        self._asking = Asking(carriers)
        self._reports = reports
        self._policies = policies
        self._clock = clock
        self._around = around
        self._adopted = adopted
        self._ended: OrderedDict[events.MessageId, outcomes.Outcome] = OrderedDict()

    async def on_event(self, event: events.AnyEvent, attempt: int) -> None:
        """Handle one ledger event; all but `message.requested` is nothing to us.

        `attempt`: 1 for the first delivery. Raises: Later, and what the ledger, the bus and the policy raise.
        """
        if isinstance(event, events.MessageRequested) and event.conversation is not None:
            await self._send(event, self._intent(event), attempt)

    async def _send(
        self, event: events.MessageRequested, intent: commands.IntendMessage, attempt: int
    ) -> None:
        state = await self.store.load(intent.tenant, intent.conversation)
        known = state.by_id.get(decisions.notification_id(intent))
        if known is not None:
            await self._settle(event, known, state)
            return
        if self._is_adopted(event):
            await self._give_up(event, intent, outcomes.ADOPTED)
            return
        try:
            with _foreseen(event):
                channel, message = self._message(event)
                request = channel.render(message, self._clock.now())
        except messages.Unsendable as error:
            await self._give_up(event, intent, _failed(error.reason))
            return
        try:
            async with self._carriers[channel.CARRIER].transaction(request) as transaction:
                decided = await self._hand_over_once(event, intent, channel, transaction)
                await self._settle(event, _intended(decided, intent), decided.state)
        except messages.Unsendable as error:
            await self._give_up(event, intent, _failed(error.reason))
        except NotTaken as error:
            refused = _refusal(channel, error)
            if refused.temporary and attempt < ATTEMPTS_MAX:
                raise arrivals.Later(RETRY.delay_seconds(attempt), str(refused.reason)) from error
            await self._give_up(event, intent, _failed(refused.reason))

    def _is_adopted(self, event: events.MessageRequested) -> bool:
        return self._adopted is not None and event.recorded <= self._adopted

    def _message(self, event: events.MessageRequested) -> tuple[Outbound, messages.CustomerMessage]:
        """Return a message as its channel gets it. Raises: Unsendable, and what the policy raises."""
        channel = self._channels.get(event.open.channel)
        if channel is None:
            raise messages.Unsendable("channel_unknown")
        if event.personal is not None and event.personal.template and not channel.TEMPLATES:
            raise messages.Unsendable("template_unsupported")
        policy = self._policies.of(event.tenant)
        account = policy.account(channel.NAME, event.open.account)
        agent = policy.agents.get(event.open.agent or "")
        name = agent.name if agent else None
        return channel, messages.customer_message(
            event, account, channel.address, self._around, name
        )

    async def _hand_over_once(
        self,
        event: events.MessageRequested,
        intent: commands.IntendMessage,
        channel: Outbound,
        transaction: Transaction,
    ) -> Decided:
        """Append the intent; hand the message over only if it was not there before us, and not long after."""
        intent = replace(intent, now=self._clock.now())
        decided = await self.store.decide(intent)
        if decided.events:
            left = HAND_OVER - (self._clock.now() - intent.now)
            outcome = await _hand_over(channel, transaction, left.total_seconds())
            self._remember(event.open.message_id, outcome)
        return decided

    async def _give_up(
        self,
        event: events.MessageRequested,
        intent: commands.IntendMessage,
        outcome: outcomes.Outcome,
    ) -> None:
        """Close the door with the intent first: after its outcome was reported nothing may leave any more."""
        decided = await self.store.decide(intent)
        if decided.events:
            self._remember(event.open.message_id, outcome)
        await self._settle(event, _intended(decided, intent), decided.state)

    async def _settle(
        self, event: events.MessageRequested, intent: Notification, state: Notifications
    ) -> None:
        """Record and report how it ended, as far as anybody knows. Repeating it changes nothing.

        Raises: Later, while a provider that can be asked is still to answer.
        """
        outcome = outcomes.outcome_of(intent, self._ended.get(event.open.message_id))
        if outcome.kind == "uncertain" and not self._is_adopted(event):
            if await self.store.has_ended(event):
                return
            outcome = await self._asked(event, intent, state, outcome)
        outcome = outcomes.kept(outcome)
        at = intent.requested
        if outcome.kind == "sent":
            at = await self._record_sent(event, intent, outcome)
        parts = self._parts(event) if outcome.kind == "sent" else None
        report = outcomes.outcome_event(event, self._medium(event), outcome, at, parts)
        await self._reports.report(report)
        channel = event.open.channel if event.open.channel in self._channels else ""
        metrics.SENT.add(event.tenant, channel, outcome.kind)
        log.info(
            "message_settled",
            message_id=event.open.message_id,
            conversation=event.conversation,
            outcome=outcome.kind,
            reason=outcome.reason,
        )

    async def _asked(
        self,
        event: events.MessageRequested,
        intent: Notification,
        state: Notifications,
        known: outcomes.Outcome,
    ) -> outcomes.Outcome:
        """Return what the provider says of a message in doubt; what is known, if nothing. Raises: Later."""
        others = (each.provider_id for each in state.by_id.values() if each.id != intent.id)
        doubt = Doubt(
            intended=intent.requested,
            now=self._clock.now(),
            others=frozenset(each for each in others if each is not None),
        )
        try:
            with _foreseen(event):
                return await self._asking.resolve(*self._message(event), doubt, known)
        except messages.Unsendable:
            return known

    def _parts(self, event: events.MessageRequested) -> int | None:
        """Return in how many pieces a message travels; of one that was not rendered here, nothing is known."""
        with contextlib.suppress(messages.Unsendable), _foreseen(event):
            channel, message = self._message(event)
            return channel.parts(message)
        return None

    def _medium(self, event: events.MessageRequested) -> events.Medium:
        """Return how the customer was to be reached; of a channel that is not known, as by most."""
        channel = self._channels.get(event.open.channel)
        return "message" if channel is None else channel.MEDIUM

    async def _record_sent(
        self, event: events.MessageRequested, intent: Notification, outcome: outcomes.Outcome
    ) -> datetime:
        """Return when the hand-over was recorded; it is recorded now if it was not."""
        channel = event.open.channel
        if channel in intent.sent:
            return intent.sent[channel]
        record = commands.RecordSent(
            **self._origin(event),
            notification_id=intent.id,
            transport=channel,
            provider_id=outcome.provider_id,
        )
        decided = await self.store.decide(record)
        return decided.state.by_id[intent.id].sent[channel]

    def _intent(self, event: events.MessageRequested) -> commands.IntendMessage:
        return commands.IntendMessage(
            **self._origin(event),
            message_id=event.open.message_id,
            channel=event.open.channel,
            attempt=new_attempt(),
        )

    def _origin(self, event: events.MessageRequested) -> dict[str, Any]:
        return commands.origin(event, self._clock.now())

    def _remember(self, message_id: events.MessageId, outcome: outcomes.Outcome) -> None:
        """Keep an outcome in this process until the ledger holds the outcome."""
        self._ended[message_id] = outcome
        while len(self._ended) > REMEMBERED_OUTCOMES:
            self._ended.popitem(last=False)


@contextlib.contextmanager
def _foreseen(event: events.MessageRequested) -> Iterator[None]:
    """Raises: Unsendable for a fault of ours that nobody foresaw: the next try would fail the same way, for ever."""
    try:
        yield
    except (messages.Unsendable, arrivals.Later, errors.TellonceError):
        raise
    except Exception as error:
        log.exception("message_spoilt", message_id=event.open.message_id)
        raise messages.Unsendable("unrenderable") from error


async def _hand_over(
    channel: Outbound, transaction: Transaction, left_seconds: float
) -> outcomes.Outcome:
    """Return how the last step ended. A provider that refused it for a while has not taken it, and is asked again."""
    if left_seconds <= 0:
        return _failed("too_late")
    known = outcomes.CONNECTION_LOST
    try:
        async with asyncio.timeout(left_seconds):
            for pause in PAUSES_SECONDS:
                known = outcomes.CONNECTION_LOST
                known = channel.outcome(await transaction.commit())
                if not _is_for_a_while(known) or not await transaction.again(pause):
                    return known
            known = outcomes.CONNECTION_LOST
            return channel.outcome(await transaction.commit())
    except NotTaken as error:
        return _refusal(channel, error)
    except Unanswered:
        return outcomes.CONNECTION_LOST
    except TimeoutError:
        return known


def _is_for_a_while(outcome: outcomes.Outcome) -> bool:
    return outcome.kind == "failed" and outcome.temporary


def _refusal(channel: Outbound, error: NotTaken) -> outcomes.Outcome:
    return outcomes.UNREACHABLE if error.answer is None else channel.outcome(error.answer)


def _failed(reason: str | None) -> outcomes.Outcome:
    return outcomes.Outcome(kind="failed", reason=reason)


def new_attempt() -> str:
    """Return what no other try to send any message has: at most once hangs on it."""
    return secrets.token_hex(ATTEMPT_BYTES)


def _intended(decided: Decided, intent: commands.IntendMessage) -> Notification:
    return decided.state.by_id[decisions.notification_id(intent)]
