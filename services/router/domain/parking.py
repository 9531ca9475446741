"""What failed unexpectedly is set aside on a journal: a contact event on its account's, work on its consumer's."""

from services.router.domain.decision import Decision
from shared import aggregates, commands, errors, events, parked_ids

Settling = type[events.Retried | events.Skipped]
OperatorCommand = commands.ParkWork | commands.ParkedCommand | commands.RejectEntry


def journal_of(command: OperatorCommand) -> str:
    """Return the aggregate on which a command about what is set aside is recorded."""
    if isinstance(command, commands.RejectEntry):
        return aggregates.ENTRY.of(str(command.sequence))
    if isinstance(command, commands.ParkWork):
        return aggregates.WORK.of(command.consumer)
    return parked_ids.journal_of(command.parked_id)


def park_work(decision: Decision, command: commands.ParkWork) -> None:
    """Set aside what a service could not handle."""
    aggregate = journal_of(command)
    parked = events.ParkedOpen(
        parked_id=parked_ids.of_message(
            aggregate, command.stream, command.sequence, command.sha256
        ),
        stream=command.stream,
        sequence=command.sequence,
        sha256=command.sha256,
        error=command.error,
        failures=command.failures,
    )
    decision.emit(events.WorkParked, aggregate, parked)


def retry_parked(decision: Decision, command: commands.RetryParked) -> None:
    """Note that it was done, or let its service hear of it. Raises: ParkedUnread, ParkedUnknown."""
    if parked_ids.unread_at(command.parked_id) is not None:
        raise errors.ParkedUnread(parked_id=command.parked_id)
    known = parked_on(decision, command)
    retried = events.RetriedOpen(
        parked_id=known.parked_id,
        stream=known.stream,
        sequence=known.sequence,
        sha256=known.sha256,
    )
    _settle(decision, command, (events.ContactRetried, events.WorkRetried), retried)


def skip_parked(decision: Decision, command: commands.SkipParked) -> None:
    """Give it up; a delivery that could not be read is where the ledger says so. Raises: ParkedUnknown."""
    if parked_ids.unread_at(command.parked_id) is None:
        parked_on(decision, command)
    skipped = events.SkippedOpen(parked_id=command.parked_id, reason=command.reason)
    _settle(decision, command, (events.ContactSkipped, events.WorkSkipped), skipped)


def reject_entry(decision: Decision, command: commands.RejectEntry) -> None:
    """Record that an entry of the ledger is passed over."""
    rejected = events.EntryRejectedOpen(
        sequence=command.sequence, sha256=command.sha256, reason=command.reason
    )
    decision.emit(events.EntryRejected, journal_of(command), rejected)


def parked_on(decision: Decision, command: commands.ParkedCommand) -> events.ParkedOpen:
    """Raises: ParkedUnknown."""
    known = decision.loaded.journal.parked.get(command.parked_id)
    if known is None:
        raise errors.ParkedUnknown(parked_id=command.parked_id)
    return known


def _settle(
    decision: Decision,
    command: commands.ParkedCommand,
    kinds: tuple[Settling, Settling],
    open_part: events.Part,
) -> None:
    """Decide the event of an account's journal, or that of a consumer's."""
    aggregate = journal_of(command)
    of_contact, of_work = kinds
    on_account = aggregates.split(aggregate)[0] == aggregates.ACCOUNT.prefix
    decision.emit(of_contact if on_account else of_work, aggregate, open_part)
