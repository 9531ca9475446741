"""What channels report of calls. Ingest writes these to CONTACTS, as `shared/events/contact.py`."""

from shared.events.contact_parts import AttachedFile, ContactOpen, ContactPersonal
from shared.events.envelope import Event


class CallStartedOpen(ContactOpen, frozen=True, kw_only=True):
    dialled: str | None = None


class CallStarted(
    Event[CallStartedOpen, ContactPersonal], frozen=True, kw_only=True, tag="call.started"
):
    """A customer's call rings at an account."""


class CallMenuSelectedOpen(ContactOpen, frozen=True, kw_only=True):
    """`digits`: what was pressed, at most 32 of `[0-9*#]`."""

    digits: str


class CallMenuSelected(
    Event[CallMenuSelectedOpen, ContactPersonal],
    frozen=True,
    kw_only=True,
    tag="call.menu_selected",
):
    """The caller pressed digits in the voice menu."""


class CallAnswered(
    Event[ContactOpen, ContactPersonal], frozen=True, kw_only=True, tag="call.answered"
):
    """The provider connected the call."""


class CallHeld(Event[ContactOpen, ContactPersonal], frozen=True, kw_only=True, tag="call.held"):
    """The caller was put on hold."""


class CallResumed(
    Event[ContactOpen, ContactPersonal], frozen=True, kw_only=True, tag="call.resumed"
):
    """The caller was taken off hold."""


class CallEndedOpen(ContactOpen, frozen=True, kw_only=True):
    """`outcome`: the provider's word for how it ended; `duration_seconds`: as the provider bills it."""

    outcome: str
    duration_seconds: int | None = None


class CallEnded(Event[CallEndedOpen, ContactPersonal], frozen=True, kw_only=True, tag="call.ended"):
    """The call is over after it was connected."""


class CallMissed(
    Event[CallEndedOpen, ContactPersonal], frozen=True, kw_only=True, tag="call.missed"
):
    """The call is over and was never connected."""


class CallAbandoned(
    Event[CallEndedOpen, ContactPersonal], frozen=True, kw_only=True, tag="call.abandoned"
):
    """The caller hung up while she waited for somebody, after a machine had connected the call."""


class CallRecordedOpen(ContactOpen, frozen=True, kw_only=True):
    """`duration_seconds`: of the recording."""

    duration_seconds: int | None = None


class CallRecordedPersonal(ContactPersonal, frozen=True, kw_only=True):
    """`files`: the recording, where its provider keeps it."""

    files: list[AttachedFile] = []


class CallRecorded(
    Event[CallRecordedOpen, CallRecordedPersonal], frozen=True, kw_only=True, tag="call.recorded"
):
    """There is a recording of the call."""


class CallVoicemailLeftOpen(CallEndedOpen, frozen=True, kw_only=True):
    """`refers_to`: the provider's id of the voicemail whose words this tells; `None` for the voicemail itself."""

    refers_to: str | None = None


class CallVoicemailLeftPersonal(CallRecordedPersonal, frozen=True, kw_only=True):
    """`text`: what a machine heard; empty as long as none has listened."""

    text: str = ""


class CallVoicemailLeft(
    Event[CallVoicemailLeftOpen, CallVoicemailLeftPersonal],
    frozen=True,
    kw_only=True,
    tag="call.voicemail_left",
):
    """The caller spoke on the machine: nobody has heard her yet."""


class CallTransferredPersonal(ContactPersonal, frozen=True, kw_only=True):
    """`to`: whom the call was passed to, as the provider names it; `None` when it does not."""

    to: str | None = None


class CallTransferred(
    Event[ContactOpen, CallTransferredPersonal],
    frozen=True,
    kw_only=True,
    tag="call.transferred",
):
    """Somebody passed the call to somebody else at the provider."""


CallLost = CallMissed | CallAbandoned | CallVoicemailLeft
"""The call is over and nobody spoke with the caller."""
