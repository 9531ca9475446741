"""What is set aside: work that failed for a reason nobody expected, and entries of the ledger that are none of ours."""

from shared.events.envelope import ContactId, Event, EventId, Nothing, Part


class ParkedOpen(Part, frozen=True, kw_only=True):
    """Where the message stands and how it failed.

    `parked_id`: see `shared/parked_ids.py`, by which operators name it; `stream`, `sequence`: where the message stands;
    `sha256`: of its body; `error`: the class of the exception, or the code of the refusal; `failures`: how often.
    """

    parked_id: str
    stream: str
    sequence: int
    sha256: str
    error: str
    failures: int


class SettledOpen(Part, frozen=True, kw_only=True):
    """`parked_id`: see `ParkedOpen`."""

    parked_id: str


class RetriedOpen(SettledOpen, frozen=True, kw_only=True):
    """`stream`, `sequence`, `sha256`: as in `ParkedOpen`, for the service whose work it is."""

    stream: str
    sequence: int
    sha256: str


class SkippedOpen(SettledOpen, frozen=True, kw_only=True):
    """`reason`: why an operator gave it up, in her words."""

    reason: str


class ContactParkedOpen(ParkedOpen, frozen=True, kw_only=True):
    """`event_id`, `event_type`: of the contact event; `raw` of the envelope is its evidence."""

    event_id: EventId
    event_type: str
    contact_id: ContactId | None = None


class ContactParked(
    Event[ContactParkedOpen, Nothing], frozen=True, kw_only=True, tag="contact.parked"
):
    """What a channel reported could not be decided. Later reports go on."""


class ContactRetried(Event[RetriedOpen, Nothing], frozen=True, kw_only=True, tag="contact.retried"):
    """The parked report was decided after all."""


class ContactSkipped(Event[SkippedOpen, Nothing], frozen=True, kw_only=True, tag="contact.skipped"):
    """The parked report is given up: nothing of it became a fact."""


class WorkParked(Event[ParkedOpen, Nothing], frozen=True, kw_only=True, tag="work.parked"):
    """A fired timer, or a ledger event that notify works on, could not be handled. What comes after it goes on."""


class WorkRetried(Event[RetriedOpen, Nothing], frozen=True, kw_only=True, tag="work.retried"):
    """The parked work is done, or handed to the service whose work it is: fails it there, it is parked again."""


class WorkSkipped(Event[SkippedOpen, Nothing], frozen=True, kw_only=True, tag="work.skipped"):
    """The parked work is given up."""


class EntryRejectedOpen(Part, frozen=True, kw_only=True):
    """`sequence`, `sha256`: where the entry stands in the ledger, and the hash of its body; `reason`: in words."""

    sequence: int
    sha256: str
    reason: str


class EntryRejected(
    Event[EntryRejectedOpen, Nothing], frozen=True, kw_only=True, tag="entry.rejected"
):
    """What stands at a place of the ledger is no event of ours, or cannot be applied: it is passed over.

    It stays there and in the digest; readers take this event in its place.
    """


Parked = ContactParked | WorkParked
Retried = ContactRetried | WorkRetried
Skipped = ContactSkipped | WorkSkipped

ParkingEvent = Parked | Retried | Skipped
SetAsideEvent = ParkingEvent | EntryRejected
