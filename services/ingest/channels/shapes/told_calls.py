"""Calls of which a provider tells one thing at a time: what every event of a call has, whoever tells it.

One call is one contact: its id and the kind name the fact, and a `moment` where a call can have several of a kind.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.ingest.domain import numbers, outcome, texts
from services.ingest.domain.delivery import RawDelivery
from shared import events, handles

MEDIUM: events.Medium = "call"
COMPLETED = "completed"
VOICEMAIL = "voicemail"
VISIT = "visit"
ID_MAX_CHARACTERS = 128
NAME_MAX_BYTES = 512
SECONDS_MAX_DIGITS = 6

_ID = re.compile(rf"[!-~]{{1,{ID_MAX_CHARACTERS}}}\Z")
_DIALLED = re.compile(r"\+?[0-9*#]{2,32}\Z")
_DIGITS = re.compile(r"[0-9*#]{1,32}\Z")

Report = tuple[str, events.ContactEvent]


def is_id(written: str) -> bool:
    """Tell whether it can be a call's id."""
    return _ID.match(written) is not None


def is_digits(written: str) -> bool:
    """Tell whether these are keys of a telephone, as an event can hold them."""
    return _DIGITS.match(written) is not None


def seconds(written: str) -> int | None:
    """Return a length; `None` for what is none."""
    whole = written.strip().partition(".")[0]
    fits = whole.isascii() and whole.isdigit() and len(whole) <= SECONDS_MAX_DIGITS
    return int(whole) if fits else None


@dataclass(frozen=True, slots=True)
class Call:
    """A customer's call. `caller`: her number as written, or a word where it is withheld.

    What tells of it returns an event behind the call's id, which chooses the partition.
    """

    raw: RawDelivery
    id: str
    caller: str = ""
    name: str | None = None

    def started(self, dialled: str = "", time: datetime | None = None) -> Report:
        """Tell that it rings."""
        number = numbers.international(dialled, self.raw.rules.region)
        shown = number or (dialled if _DIALLED.match(dialled) else None)
        opened = events.CallStartedOpen(**self._about(time=time), dialled=shown)
        return self._told(events.CallStarted, opened)

    def answered(self) -> Report:
        """Tell that the provider has connected it."""
        return self._told(events.CallAnswered, events.ContactOpen(**self._about()))

    def menu(self, digits: str, moment: str) -> Report:
        """Tell what the caller pressed; see `is_digits`."""
        opened = events.CallMenuSelectedOpen(**self._about(moment), digits=digits)
        return self._told(events.CallMenuSelected, opened)

    def transferred(self, to: str | None, moment: str) -> Report:
        """Tell to whom it was passed on."""
        opened = events.ContactOpen(**self._about(moment))
        passed_on = texts.line(to, NAME_MAX_BYTES)
        return self._told(
            events.CallTransferred, opened, events.CallTransferredPersonal, to=passed_on
        )

    def ended(self, length: int | None = None, time: datetime | None = None) -> Report:
        """Tell that it is over after it was connected. `length`: in seconds."""
        opened = events.CallEndedOpen(
            **self._about(time=time), outcome=COMPLETED, duration_seconds=length
        )
        return self._told(events.CallEnded, opened)

    def missed(self, how: str, time: datetime | None = None) -> Report:
        """Tell that it is over and was never connected."""
        opened = events.CallEndedOpen(**self._about(time=time), outcome=how)
        return self._told(events.CallMissed, opened)

    def voicemail(
        self, files: list[events.AttachedFile], length: int | None, time: datetime | None = None
    ) -> Report:
        """Tell that it is over, and that the caller spoke on the machine."""
        opened = events.CallVoicemailLeftOpen(
            **self._about(time=time), outcome=VOICEMAIL, duration_seconds=length
        )
        personal = events.CallVoicemailLeftPersonal
        return self._told(events.CallVoicemailLeft, opened, personal, files=files)

    def recorded(self, file: events.AttachedFile, moment: str, length: int | None) -> Report:
        """Tell that there is a recording."""
        opened = events.CallRecordedOpen(**self._about(moment), duration_seconds=length)
        return self._told(events.CallRecorded, opened, events.CallRecordedPersonal, files=[file])

    def brought_by(self, campaign: Sequence[tuple[str, str]], pages: Sequence[str]) -> Report:
        """Tell what brought the caller to the shop's pages, and where there she came first."""
        opened = events.ContactOpen(**self._about(VISIT))
        return self._told(
            events.VisitSummarised,
            opened,
            events.VisitSummarisedPersonal,
            campaign=list(campaign),
            pages=[events.SeenPage(url=texts.line(each)) for each in pages],
        )

    def _about(self, moment: str = "", time: datetime | None = None) -> dict[str, Any]:
        provider_id = f"{self.id}/{moment}" if moment else self.id
        about = outcome.about(self.raw, MEDIUM, self.id, provider_id)
        return {**about, "provider_time": time}

    def _told(
        self,
        kind: type[events.ContactEvent],
        opened: events.ContactOpen,
        personal: type[events.ContactPersonal] = events.ContactPersonal,
        **more: Any,
    ) -> Report:
        known = [handles.reference(self.raw.channel, self.raw.account, self.id)]
        number = numbers.international(self.caller, self.raw.rules.region)
        if number is not None:
            known.append(handles.of("phone", number, "delivered"))
        said = personal(handles=known, name=self.name, **more)
        event: events.ContactEvent = outcome.contact_event(self.raw, kind, opened, said)
        return self.id, event
