"""Calls of an Asterisk exchange: its manager's events (AMI) or its REST interface's (ARI), handed over as they come.

Any number of events come at once, AMI blocks or JSON objects, one a line: read from the exchange by us, or handed over
by a program beside it, signed by the Standard Webhooks scheme. All legs of a call have one `Linkedid`; ARI does not say
it: there legs are joined by who dials whom and by bridges. An extension of the exchange is no customer: internal calls
are ignored. What is told twice, or of several legs, is one fact: its id is the call's, and the kind.

Sources, read 2026-11 (docs.asterisk.org): AMI Events (Newchannel, Newstate, DialEnd, DTMFEnd, Hold, Unhold,
BlindTransfer, AttendedTransfer, QueueCallerAbandon, AgentConnect, VarSet, Hangup), ARI Events REST API, Hangup Cause
Mappings; VMSTATUS, MIXMONITOR_FILENAME: VoiceMail, MixMonitor. Before version 12: Dial, DTMF, Hold with `Status`.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from services.ingest.domain import (
    delivery,
    outcome,
    pbx_calls,
    pbx_memory,
    pbx_stream,
    texts,
    webhook_signature,
)
from services.ingest.domain.delivery import no_answer as answer
from services.ingest.domain.delivery import no_handshake as handshake
from services.ingest.domain.outcome import Ignored, Parsed, Reported
from services.ingest.domain.pbx_calls import Calls, Leg
from services.ingest.domain.pbx_stream import Record
from shared import events, handles

__all__ = ["KINDS", "MEDIUM", "NAME", "SECRETS", "answer", "handshake", "parse", "verify"]

NAME = "asterisk"
MEDIUM: events.Medium = "call"
SECRETS = ("signing",)
KINDS: Mapping[str, str] = {
    "Newchannel": "call.started",
    "CoreShowChannel": "call.started",
    pbx_memory.CHANNEL: "call.started",
    "ChannelCreated": "call.started",
    "StasisStart": "call.started",
    "Newstate": "call.answered",
    "ChannelStateChange": "call.answered",
    "AgentConnect": "call.answered",
    "DialEnd": "call.answered",
    "DTMFEnd": "call.menu_selected",
    "DTMF": "call.menu_selected",
    "ChannelDtmfReceived": "call.menu_selected",
    "Hold": "call.held",
    "ChannelHold": "call.held",
    "Unhold": "call.resumed",
    "ChannelUnhold": "call.resumed",
    "BlindTransfer": "call.transferred",
    "AttendedTransfer": "call.transferred",
    "Transfer": "call.transferred",
    "BridgeBlindTransfer": "call.transferred",
    "BridgeAttendedTransfer": "call.transferred",
    "RecordingFinished": "call.recorded",
    "QueueCallerAbandon": "call.abandoned",
    "Hangup": "call.ended",
    "ChannelDestroyed": "call.ended",
    pbx_memory.GONE: "call.ended",
    pbx_memory.GAP: "channel.interrupted",
}
"""What is not here says nothing about a call, and is ignored by name. Some say what they do only in some states."""

OUTCOMES: Mapping[str, str] = {
    "BUSY": "busy",
    "NOANSWER": "no-answer",
    "CANCEL": "canceled",
    "CONGESTION": "failed",
    "CHANUNAVAIL": "failed",
    "17": "busy",
    "18": "no-answer",
    "19": "no-answer",
    "21": "failed",
    "34": "failed",
    "16": "canceled",
}
"""How a call ended that nobody answered: by the state of the last dialling, else by the cause (Q.850)."""
COMPLETED = "completed"
UNANSWERED = "no-answer"
LOST_SIGHT = "lost-sight"
"""Nobody listened when it ended: nobody knows how."""

MEDIA_TYPES: Mapping[str, str] = {".wav": "audio/wav", ".mp3": "audio/mpeg", ".ogg": "audio/ogg"}
OTHER_MEDIA_TYPE = "application/octet-stream"
ID_MAX_CHARACTERS = 128
NAME_MAX_BYTES = 512

_INTERNAL = re.compile(r"[0-9*#]{1,5}\Z")
"""The number of an extension."""
_DIGIT = re.compile(r"[0-9*#]\Z")
_DIALLED = re.compile(r"\+?[0-9*#]{2,32}\Z")
_ID = re.compile(rf"[!-~]{{1,{ID_MAX_CHARACTERS}}}\Z")


def verify(request: delivery.WebRequest, secrets: delivery.Secrets, public_url: str) -> None:  # noqa: ARG001  the shared shape
    """Check a request by the Standard Webhooks scheme. Raises: SignatureInvalid."""
    webhook_signature.verify(request, secrets["signing"])


def parse(raw: delivery.RawDelivery) -> Parsed:
    """Return what the events say of customers' calls, in their order, each fact once."""
    read = pbx_stream.read(raw.body)
    if read is None:
        return outcome.unreadable()
    records, whole = read
    if not records:
        return outcome.not_an_event()
    stream = _Stream(raw, pbx_calls.calls_of(records))
    found: dict[str, tuple[str, events.ContactEvent]] = {}
    for index, record in enumerate(records):
        for told in stream.told(record, index):
            event = _MAKERS[told.kind](stream, told)
            if event is not None:
                found.setdefault(event.id, (told.call, event))
        if record.name == pbx_memory.BEFORE:
            found.clear()
        elif record.name == pbx_memory.GAP and (gap := _gap(raw, record)) is not None:
            found.setdefault(gap.id, (raw.account, gap))
    told_all = Reported(list(found.values())) if found else Ignored(texts.fit(_kind(records), 64))
    return told_all if whole else outcome.together(raw, [told_all, outcome.partly_read("records")])


def _kind(records: Sequence[Record]) -> str:
    """Return a word for what tells nothing of a call."""
    return next((each.name for each in records if each.name), "answer")


@dataclass(frozen=True, slots=True)
class _Told:
    """A record of a customer's call. `kind`: of ours; `moment`: what tells it from others of its kind in the call."""

    kind: str
    record: Record
    leg: Leg
    call: str
    moment: str

    @property
    def is_callers(self) -> bool:
        """Whether it is about the caller's own leg."""
        return self.leg.id == self.call


class _Stream:
    """One delivery as a whole: what is said of each call in it, and how the last dialling of each went."""

    def __init__(self, raw: delivery.RawDelivery, calls: Calls) -> None:
        self._raw = raw
        self._listened = pbx_memory.is_read(raw.path)
        self._recorded: dict[str, list[_Told]] = {}
        self._calls = calls
        self._said = calls.said_of_call()
        self._numbers: dict[str, str | None] = {}
        self._internal: dict[str, bool] = {}
        self._dialled: dict[str, str] = {}
        self._callers: dict[str, tuple[str | None, str | None]] = {}
        self._coming_in: dict[str, bool] = {}
        self._up: dict[str, bool] = {}

    def told(self, record: Record, index: int) -> Iterator[_Told]:
        """Give a record with what it is about; nothing where it says nothing of a customer's call."""
        leg, call = pbx_calls.leg_of(record), self._calls.about(record)
        if record.first("dialstatus"):
            self._dialled[call] = record.first("dialstatus")
        kind = KINDS.get(record.name) or pbx_memory.VARIABLES.get(record.first("variable"), "")
        if kind not in _MAKERS or not _ID.match(call) or self._is_internal(call):
            return
        moment = record.first("timestamp") or f"{self._raw.sha256[:16]}-{index}"
        told = _Told(kind, record, leg, call, moment)
        if record.first("variable") == pbx_memory.RECORDING and self._listened:
            self._recorded.setdefault(leg.id, []).append(replace(told, leg=leg))
            return
        yield told
        if record.name in pbx_memory.LISTED:
            yield replace(told, kind="call.answered")
        if kind == "call.ended":
            yield from self._recorded.pop(leg.id, [])

    def comes_in(self, told: _Told) -> bool:
        """Tell whether somebody called the exchange: AMI says which leg was the first, ARI does not."""
        if told.call not in self._coming_in:
            self._coming_in[told.call] = pbx_calls.comes_in(self._said.get(told.call, []))
        return "event" in told.record.fields or self._coming_in[told.call]

    def was_up(self, told: _Told) -> bool:
        """Tell whether the caller's leg was connected."""
        if told.leg.state:
            return told.leg.state == "Up"
        if told.call not in self._up:
            said = self._calls.said.get(told.call, [])
            self._up[told.call] = any(leg.state == "Up" for leg in said)
        return self._up[told.call]

    def how(self, told: _Told) -> str:
        """Return how a call ended that nobody answered."""
        status, cause = self._dialled.get(told.call, ""), told.record.first("cause")
        return OUTCOMES.get(status) or OUTCOMES.get(cause) or UNANSWERED

    def about(self, told: _Told, moment: str = "") -> dict[str, Any]:
        """Return what the open part of every event has. `moment`: where the call can have several of its kind."""
        provider_id = f"{told.call}/{moment}" if moment else told.call
        fields = outcome.about(self._raw, MEDIUM, told.call, provider_id)
        return {**fields, "provider_time": told.leg.time}

    def personal(self, told: _Told) -> dict[str, Any]:
        """Return what the personal part of every event has: the caller by her own leg, wherever it stands."""
        number, name = self._caller(told.call)
        known = [handles.reference(NAME, self._raw.account, told.call)]
        if number is not None:
            known.append(handles.of("phone", number, "delivered"))
        return {"handles": known, "name": name}

    def event(
        self,
        kind: type[events.ContactEvent],
        opened: events.ContactOpen,
        told: _Told,
        personal: type[events.ContactPersonal] = events.ContactPersonal,
        **more: Any,
    ) -> events.ContactEvent:
        """Return an event; `more`: what its personal part has besides."""
        said = personal(**self.personal(told), **more)
        event: events.ContactEvent = outcome.contact_event(self._raw, kind, opened, said)
        return event

    def _caller(self, call: str) -> tuple[str | None, str | None]:
        """Return the caller's number and name; a call of many records has one caller, who is looked for once."""
        if call not in self._callers:
            said = self._calls.said.get(call, [])
            number = next((each for leg in said if (each := self._number(leg))), None)
            names = (texts.line(leg.caller) for leg in said if not leg.caller.startswith("<"))
            self._callers[call] = number, next((name for name in names if name), None)
        return self._callers[call]

    def _number(self, leg: Leg) -> str | None:
        """Return the number of a leg; a stream of many records has few numbers, and each is read once."""
        written = leg.number
        if written not in self._numbers:
            self._numbers[written] = handles.phone(written, self._raw.rules.region)
        return self._numbers[written]

    def _is_internal(self, call: str) -> bool:
        """Tell whether an extension of the exchange calls."""
        if call not in self._internal:
            said = self._calls.said.get(call, [])
            inside = any(_INTERNAL.match(leg.number) for leg in said)
            self._internal[call] = inside and not any(map(self._number, said))
        return self._internal[call]


# -- the events, one maker each ------------------------------------------------------------------------


def _started(stream: _Stream, told: _Told) -> events.ContactEvent | None:
    if not told.is_callers or not stream.comes_in(told):
        return None
    about = stream.about(told)
    about["provider_time"] = about["provider_time"] or pbx_calls.began(told.call)
    dialled = told.leg.dialled if _DIALLED.match(told.leg.dialled) else None
    return stream.event(events.CallStarted, events.CallStartedOpen(**about, dialled=dialled), told)


def _answered(stream: _Stream, told: _Told) -> events.ContactEvent | None:
    """Connected is who is put through, or whose own leg is up: to a voice menu, a queue, or somebody."""
    name, status = told.record.name, told.record.first("dialstatus")
    dialled = name == "AgentConnect" or (name == "DialEnd" and bool(told.leg.id))
    through = dialled and status in {"", "ANSWER"}
    up = not dialled and told.is_callers and told.leg.state == "Up" and stream.comes_in(told)
    if not through and not up:
        return None
    return stream.event(events.CallAnswered, events.ContactOpen(**stream.about(told)), told)


def _menu(stream: _Stream, told: _Told) -> events.ContactEvent | None:
    """What the caller presses; an agent's keys are commands to the exchange."""
    first = told.record.first
    ours = first("direction") in {"", "Received"} and first("end") in {"", "Yes"}
    if not told.is_callers or not ours or not _DIGIT.match(first("digit")):
        return None
    opened = events.CallMenuSelectedOpen(**stream.about(told, told.moment), digits=first("digit"))
    return stream.event(events.CallMenuSelected, opened, told)


def _held(stream: _Stream, told: _Told) -> events.ContactEvent | None:
    ends = told.kind == "call.resumed" or told.record.first("status") == "Off"
    opened = events.ContactOpen(**stream.about(told, told.moment))
    return stream.event(events.CallResumed if ends else events.CallHeld, opened, told)


def _transferred(stream: _Stream, told: _Told) -> events.ContactEvent | None:
    first = told.record.first
    if first("result") not in {"", "Success"}:
        return None
    to = first("extension", "transferexten", "exten", "secondtransfererconnectedlinenum")
    return stream.event(
        events.CallTransferred,
        events.ContactOpen(**stream.about(told, told.moment)),
        told,
        events.CallTransferredPersonal,
        to=texts.line(to, NAME_MAX_BYTES),
    )


def _recorded(stream: _Stream, told: _Told) -> events.ContactEvent | None:
    first = told.record.first
    source = first("recording.name", "value")
    if not source:
        return None
    form = (
        f".{first('recording.format')}" if first("recording.name") else PurePosixPath(source).suffix
    )
    seconds = first("recording.duration")
    opened = events.CallRecordedOpen(
        **stream.about(told, texts.fit(source, NAME_MAX_BYTES)),
        duration_seconds=int(seconds) if re.match(r"[0-9]{1,6}\Z", seconds) else None,
    )
    file = events.AttachedFile(
        name=texts.line(PurePosixPath(source).name, NAME_MAX_BYTES),
        media_type=MEDIA_TYPES.get(form, OTHER_MEDIA_TYPE),
        source=texts.fit(source, NAME_MAX_BYTES),
    )
    return stream.event(
        events.CallRecorded, opened, told, events.CallRecordedPersonal, files=[file]
    )


def _abandoned(stream: _Stream, told: _Told) -> events.ContactEvent | None:
    opened = events.CallEndedOpen(**stream.about(told), outcome="abandoned")
    return stream.event(events.CallAbandoned, opened, told)


def _voicemail(stream: _Stream, told: _Told) -> events.ContactEvent | None:
    if told.record.first("value") != "SUCCESS":
        return None
    opened = events.CallVoicemailLeftOpen(**stream.about(told), outcome="voicemail")
    return stream.event(events.CallVoicemailLeft, opened, told, events.CallVoicemailLeftPersonal)


def _gap(raw: delivery.RawDelivery, record: Record) -> events.ContactEvent | None:
    """Return what tells of a time when nobody listened; `None` where the record does not say which."""
    since, until = (pbx_calls.time_of(record.first(name)) for name in ("since", "until"))
    if since is None or until is None or not since < until:
        return None
    return outcome.gap_event(raw, since, until)


def _over(stream: _Stream, told: _Told) -> events.ContactEvent | None:
    if not told.is_callers or not stream.comes_in(told):
        return None
    if told.record.name == pbx_memory.GONE:
        opened = events.CallEndedOpen(**stream.about(told), outcome=LOST_SIGHT)
        return stream.event(events.CallEnded, opened, told)
    up = stream.was_up(told)
    how = COMPLETED if up else stream.how(told)
    opened = events.CallEndedOpen(**stream.about(told), outcome=how)
    return stream.event(events.CallEnded if up else events.CallMissed, opened, told)


_MAKERS: Mapping[str, Callable[[_Stream, _Told], events.ContactEvent | None]] = {
    "call.started": _started,
    "call.answered": _answered,
    "call.menu_selected": _menu,
    "call.held": _held,
    "call.resumed": _held,
    "call.transferred": _transferred,
    "call.recorded": _recorded,
    "call.abandoned": _abandoned,
    "call.voicemail_left": _voicemail,
    "call.ended": _over,
}
