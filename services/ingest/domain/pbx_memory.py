"""What is remembered of an exchange's calls while its stream is read: an event alone often does not say whose call it
is, nor how the last dialling went. What was told before of a call goes before what is new of it.

Also what the exchange does not say itself, in records of our own, in its own grammar: `TellonceBefore` behind what was
told before, `TellonceGap` for a time when nobody listened, `TellonceGone` for a call that ended in it, and, where ARI
was asked, `TellonceChannel` and `TellonceBridge` for what there is.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from services.ingest.domain import pbx_calls, pbx_stream
from services.ingest.domain.pbx_calls import Calls
from services.ingest.domain.pbx_stream import Record

BEFORE = "TellonceBefore"
GAP = "TellonceGap"
GONE = "TellonceGone"
CHANNEL = "TellonceChannel"
BRIDGE = "TellonceBridge"
LISTED = frozenset({"CoreShowChannel", CHANNEL})
"""A leg that is there when the exchange is asked."""
ENDS = frozenset({"Hangup", "ChannelDestroyed", GONE})
KEPT = LISTED | {
    *("Newchannel", "Newstate", "NewCallerid", "Dial", "DialBegin", "DialEnd"),
    *("ChannelCreated", "StasisStart", "ChannelStateChange", "ChannelCallerId"),
    *("ChannelEnteredBridge", "BridgeMerged", BRIDGE),
}
"""The records that say whose a leg is, which legs are one call, and how it stands."""
RECORDING = "MIXMONITOR_FILENAME"
VARIABLES: Mapping[str, str] = {RECORDING: "call.recorded", "VMSTATUS": "call.voicemail_left"}
"""Variables of a leg that say what became of the call -> our event type."""
KEPT_MAX = 4_096
"""Of all calls; the oldest call goes first."""
PER_CALL_MAX = 48
OVER_MAX = 4_096
_AFTER_BLANK = re.compile(rb"(?<=\n\r\n)|(?<=\n\n)")


@dataclass(frozen=True, slots=True)
class RawRecord:
    """One record of the stream and its bytes as they came, ended as the stream ends them."""

    record: Record
    raw: bytes


@dataclass(frozen=True, slots=True)
class RecordCodec:
    """How an exchange writes a record. `written`: a record of ours by name and fields."""

    media_type: str
    written: Callable[[str, Mapping[str, str]], bytes]

    def record(self, name: str, fields: Mapping[str, str]) -> RawRecord:
        """Return a record of ours."""
        return RawRecord(Record(name, fields), self.written(name, fields))


def records_of(body: bytes) -> list[RawRecord]:
    """Return the records of a delivery, each with its bytes."""
    if body.lstrip().startswith((b"{", b"[")):
        cut = [(pbx_stream.object_of(line), line + b"\n") for line in body.splitlines()]
    else:
        cut = [(pbx_stream.block(each), each) for each in _AFTER_BLANK.split(body)]
    return [RawRecord(record, raw) for record, raw in cut if record is not None]


def _block(name: str, fields: Mapping[str, str]) -> bytes:
    lines = {"Event": name, **fields}
    return ("".join(f"{key}: {value}\r\n" for key, value in lines.items()) + "\r\n").encode()


def _object(name: str, fields: Mapping[str, str]) -> bytes:
    about = {"id": fields["uniqueid"]} if "uniqueid" in fields else None
    rest = {key: value for key, value in fields.items() if key not in {"uniqueid", "linkedid"}}
    return (
        msgspec.json.encode({"type": name, **rest, **({"channel": about} if about else {})}) + b"\n"
    )


AMI = RecordCodec("text/plain", _block)
ARI = RecordCodec("application/x-ndjson", _object)


WHOLE_MARK, MORE_MARK = "pbx:/calls", "pbx:/more"
"""What stands in the place of a path where a delivery was read: with all calls that there were, or more of them."""


def is_read(path: str) -> bool:
    """Tell whether a delivery was read from the exchange, with what was told before, and not handed over."""
    return path in {WHOLE_MARK, MORE_MARK}


class Memory:
    """What was told of calls that are not over, in order. `telling`: the names of records that make events."""

    def __init__(self, telling: Collection[str]) -> None:
        self._telling = telling
        self._kept: dict[tuple[str, ...], RawRecord] = {}
        self._over: dict[str, None] = {}

    def note(self, pieces: Iterable[RawRecord]) -> None:
        """Remember what was told."""
        ended = False
        for each in pieces:
            leg = pbx_calls.leg_of(each.record)
            if each.record.name in ENDS and leg.id:
                self._over[leg.id] = None
                ended = True
            elif _is_kept(each.record) and not self._is_over(each.record, leg.id):
                self._kept[_key(each.record, leg.id)] = each
        for surplus in list(self._over)[:-OVER_MAX]:
            del self._over[surplus]
        if ended or len(self._kept) > KEPT_MAX:
            self._forget()

    def more(self, codec: RecordCodec, told: Sequence[RawRecord]) -> list[RawRecord]:
        """Return new records, behind what has to be told again so that they say whose calls they are about."""
        again = self._beside(told)
        return [*again, codec.record(BEFORE, {}), *told] if again else list(told)

    def whole(
        self,
        codec: RecordCodec,
        known: Sequence[str],
        present: Sequence[RawRecord] | None,
        waiting: Sequence[RawRecord],
        *,
        seen: datetime,
        since: datetime | None = None,
    ) -> list[RawRecord]:
        """Return what is told when the exchange was asked: what was known, the gap, what is gone, what is there.

        `known`: the calls that were open before it was asked; `present`: its answer, `None` without one; `waiting`:
        what it told besides; `seen`: when it was asked; `since`: from when on nobody had listened.
        """
        told: list[RawRecord] = []
        if since is not None:
            told.append(codec.record(GAP, {"since": since.isoformat(), "until": seen.isoformat()}))
        if present is not None:
            ended = [each for each in waiting if each.record.name in ENDS]
            here = {pbx_calls.leg_of(each.record).id for each in (*present, *ended)}
            gone = set(self.open_calls()).intersection(known) - here
            told += [
                codec.record(
                    GONE, {"timestamp": seen.isoformat(), "uniqueid": call, "linkedid": call}
                )
                for call in known
                if call in gone
            ]
        return [*self._kept.values(), codec.record(BEFORE, {}), *told, *(present or ())]

    def _beside(self, pieces: Sequence[RawRecord]) -> list[RawRecord]:
        calls = self._calls(pieces)
        told = {calls.about(each.record) for each in pieces if self._tells(each.record)}
        return [each for each in self._kept.values() if told and calls.about(each.record) in told]

    def open_calls(self) -> list[str]:
        """Return the calls whose first leg is not over, the oldest first."""
        calls = self._calls()
        found = dict.fromkeys(calls.about(each.record) for each in self._kept.values())
        return [call for call in found if call in calls.said and call not in self._over]

    def _calls(self, more: Sequence[RawRecord] = ()) -> Calls:
        return pbx_calls.calls_of([each.record for each in (*self._kept.values(), *more)])

    def _tells(self, record: Record) -> bool:
        return record.name in self._telling or record.first("variable") in VARIABLES

    def _is_over(self, record: Record, leg: str) -> bool:
        """Tell whether a leg has ended: a list that was made before may still name it."""
        return record.name in LISTED and leg in self._over

    def _forget(self) -> None:
        """Forget calls of which no leg is left, then the oldest beyond the measure."""
        calls = self._calls()
        by_call: dict[str, list[tuple[str, ...]]] = {}
        for key, each in self._kept.items():
            by_call.setdefault(calls.about(each.record), []).append(key)
        alive = {calls.call_of(leg) for leg in calls.said if leg not in self._over}
        surplus = len(self._kept) - KEPT_MAX
        for call, keys in by_call.items():
            dropped = keys if call not in alive or surplus > 0 else self._beyond(keys)
            surplus -= len(dropped)
            for key in dropped:
                del self._kept[key]

    def _beyond(self, keys: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
        """Return the oldest records of a long call about legs of it that ended."""
        ended = [key for key in keys if not self._over.keys().isdisjoint(key[1:])]
        return ended[: max(0, len(keys) - PER_CALL_MAX)]


def _is_kept(record: Record) -> bool:
    return record.name in KEPT or record.first("variable") == RECORDING


def _key(record: Record, leg: str) -> tuple[str, ...]:
    """Return what a later record takes the place of: one says how the last dialling went, another how a leg stands."""
    value = record.first("value") if record.first("variable") else ""
    peer = value or record.first("peer.id", "destuniqueid", "bridge.id")
    return (record.name, leg or record.first("caller.id"), peer)
