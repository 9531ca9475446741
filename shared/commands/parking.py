"""What could not be handled is set aside, and taken up again."""

from typing import Annotated

from msgspec import Meta

from shared.commands.base import Command, ParkedId, ShortText


class ParkWork(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A service sets aside what it cannot handle. `consumer`: whose message it is; `error`: the exception's class."""

    verb = "park_work"
    consumer: Annotated[str, Meta(pattern=r"^[a-z0-9_-]{1,64}\Z")]
    stream: Annotated[str, Meta(pattern=r"^[A-Z]{1,32}\Z")]
    sequence: Annotated[int, Meta(ge=1, le=2**53)]
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    error: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.]{1,64}\Z")]
    failures: Annotated[int, Meta(ge=1, le=2**31)]


class ParkedCommand(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A command about something parked; `parked_id`: as the query `parked` lists it."""

    parked_id: ParkedId


class RetryParked(ParkedCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Handle it again now. What fails again stays parked, and the reply says why; notify's work is handed to notify.

    A delivery that could not be read is not read again.
    """

    verb = "retry_parked"


class SkipParked(ParkedCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Give it up: nothing of it becomes a fact. A delivery that could not be read was looked at."""

    verb = "skip_parked"
    reason: ShortText


class RejectEntry(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands at this place of the ledger is no event of ours, or cannot be applied: readers pass it over.

    `sha256`: of its body, so that nobody rejects another by a slip; history names both when it halts.
    """

    verb = "reject_entry"
    sequence: Annotated[int, Meta(ge=1, le=2**53)]
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    reason: ShortText


PARKING_COMMANDS: tuple[type[Command], ...] = (
    ParkWork,
    RetryParked,
    SkipParked,
    RejectEntry,
)
