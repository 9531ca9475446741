"""Parks what the router cannot handle, and handles it again when an operator asks for it."""

from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec
import structlog

from services.router.cases import Cases
from services.router.domain import folds, parking
from services.router.domain.decision import SERVICE
from shared import (
    aggregates,
    arrivals,
    codec,
    commands,
    deciding,
    errors,
    events,
    ids,
    parked_ids,
    streams,
    subjects,
)
from shared.bus.deliveries import StoredMessage

ACTOR = f"service:{SERVICE}"
TIMERS = aggregates.WORK.of(streams.fired(SERVICE))

Handle = Callable[[arrivals.ArrivedMessage], Awaitable[None]]

log = structlog.get_logger("router.parking")


class _ReportedOpen(msgspec.Struct):
    channel: str
    account: str
    contact_id: events.ContactId | None = None


class _ReportedData(msgspec.Struct):
    open: _ReportedOpen


class _Reported(msgspec.Struct):
    """A contact event as far as parking needs it, also one of a type that this version does not know."""

    id: events.EventId
    type: str
    tenant: str
    data: _ReportedData
    rawref: str | None = None


_reported_decoder = msgspec.json.Decoder(_Reported)


def _reported(body: bytes) -> _Reported:
    """Raises: NotAnEvent."""
    try:
        return _reported_decoder.decode(body)
    except codec.UNREADABLE as error:
        raise errors.NotAnEvent from error


class Messages(Protocol):
    """Gives stored messages; `Bus` is one."""

    async def leader_get(
        self, stream: str, *, sequence: int | None = None
    ) -> StoredMessage | None: ...


class Parking:
    """`contacts`, `timers`: what handles a message of CONTACTS, and a fired timer."""

    def __init__(self, cases: Cases, messages: Messages, contacts: Handle, timers: Handle) -> None:
        self._cases = cases
        self._messages = messages
        self._contacts = contacts
        self._timers = timers

    async def park_contact(self, failed: arrivals.Failed) -> None:
        """Set a contact event aside on its account's journal. Raises: NotAnEvent, LedgerUnavailable."""
        event = _reported(failed.arrived.body)
        opened = event.data.open
        aggregate = aggregates.account(opened.channel, opened.account)
        if not subjects.is_token(aggregates.split(aggregate)[1]):
            raise errors.NotAnEvent(type=event.type)
        sequence, sha256 = failed.arrived.sequence, ids.body_sha256(failed.arrived.body)
        parked = events.ContactParkedOpen(
            parked_id=parked_ids.of_message(aggregate, streams.CONTACTS, sequence, sha256),
            stream=streams.CONTACTS,
            sequence=sequence,
            sha256=sha256,
            error=failed.error,
            failures=failed.failures,
            event_id=event.id,
            event_type=event.type,
            contact_id=opened.contact_id,
        )
        await self._record(event.tenant, aggregate, events.ContactParked, parked, event.rawref)

    async def park_timer(self, failed: arrivals.Failed) -> None:
        """Set a fired timer aside. Raises: LedgerUnavailable."""
        sequence, sha256 = failed.arrived.sequence, ids.body_sha256(failed.arrived.body)
        parked = events.ParkedOpen(
            parked_id=parked_ids.of_message(TIMERS, streams.TIMERS, sequence, sha256),
            stream=streams.TIMERS,
            sequence=sequence,
            sha256=sha256,
            error=failed.error,
            failures=failed.failures,
        )
        await self._record(failed.tenant, TIMERS, events.WorkParked, parked)

    async def take_up(self, tenant: str, command: commands.RetryParked) -> None:
        """Handle what is parked once more; what is not parked is left to the decision, and another service's to it.

        Raises: ParkedGone, ParkedFailsAgain, and what handling refuses.
        """
        aggregate = parking.journal_of(command)
        prefix, name = aggregates.split(aggregate)
        folded = folds.PARKED_ON.get(prefix)
        if folded is None:
            return
        journal = await self._cases.deciding.load(tenant, folded, name, leader=True)
        known = journal.parked.get(command.parked_id)
        handle = self._contacts if folded is folds.ACCOUNT else self._timers
        if known is None:
            return
        arrived = await self._message(known)
        if folded is folds.WORK and aggregate != TIMERS:
            return
        try:
            await handle(arrived)
        except (errors.TellonceError, arrivals.Later):
            raise
        except Exception as error:
            log.exception("parked_failed_again", parked_id=known.parked_id)
            raise errors.ParkedFailsAgain(error=type(error).__name__) from error

    async def check_unread(self, tenant: str, command: commands.ParkedCommand) -> None:
        """Raises: ParkedUnknown for the id of a delivery of which the ledger does not say that it could not be read."""
        sequence = parked_ids.unread_at(command.parked_id)
        if sequence is None:
            return
        stored = await self._cases.deciding.ledger.get(sequence)
        event = None if stored is None else stored.event
        on_journal = stored is not None and stored.aggregate == parked_ids.journal_of(
            command.parked_id
        )
        if (
            not (on_journal and isinstance(event, events.PayloadQuarantined))
            or event.tenant != tenant
        ):
            raise errors.ParkedUnknown(parked_id=command.parked_id)

    async def check_entry(self, tenant: str, command: commands.RejectEntry) -> None:
        """Raises: EntryUnknown when the ledger holds nothing, something else, or another tenant's, at that place."""
        stored = await self._messages.leader_get(streams.LEDGER, sequence=command.sequence)
        if stored is None or ids.body_sha256(stored.body) != command.sha256:
            raise errors.EntryUnknown(sequence=command.sequence)
        owner = subjects.tenant_in(stored.subject)
        if owner != tenant and owner in self._cases.policies.tenants():
            raise errors.EntryUnknown(sequence=command.sequence)

    async def _message(self, parked: events.ParkedOpen) -> arrivals.ArrivedMessage:
        stored = await self._messages.leader_get(parked.stream, sequence=parked.sequence)
        if stored is None or ids.body_sha256(stored.body) != parked.sha256:
            raise errors.ParkedGone(parked_id=parked.parked_id)
        return arrivals.ArrivedMessage(
            stored.subject, stored.body, arrivals.PARKED_ATTEMPT, stored.sequence
        )

    async def _record(
        self,
        tenant: str,
        aggregate: str,
        kind: type[events.Parked],
        parked: events.ParkedOpen,
        raw: str | None = None,
    ) -> None:
        """Append it, unless it is parked already: its acknowledgement was lost."""
        prefix, name = aggregates.split(aggregate)

        async def load(reading: deciding.Reading) -> folds.Journal:
            return await reading.load(folds.PARKED_ON[prefix], name)

        def decide(journal: folds.Journal) -> list[events.AnyEvent]:
            if parked.parked_id in journal.parked:
                return []
            cause = f"{parked.parked_id}:{journal.sequence}"
            origin = self._cases.origin_of_any(tenant, cause, ACTOR, raw=raw)
            event_id = ids.decision_event_id(tenant, aggregate, cause, 0)
            return [events.make(kind, origin, event_id, aggregate, parked)]

        await self._cases.deciding.change(tenant, load, decide)
