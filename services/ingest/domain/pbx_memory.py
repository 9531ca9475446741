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
from services.ingest.domain.pbx_calls import Calls, Leg
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
"""Of all calls; the oldest calls go first, an eighth at once: looking through all of them takes its time."""
PER_CALL_MAX = 48
OVER_MAX = 4_096
ENDED_MAX = 32
"""Legs that end before their calls are looked at."""
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


@dataclass(frozen=True, slots=True)
class _Kept:
    """A record that is remembered, with what it says of its leg. `named`: the leg or bridge that it is about."""

    told: RawRecord
    leg: Leg
    named: str


class Memory:
    """What was told of calls that are not over, in order. `telling`: the names of records that make events."""

    def __init__(self, telling: Collection[str]) -> None:
        self._telling = telling
        self._kept: dict[tuple[str, ...], _Kept] = {}
        self._over: dict[str, None] = {}
        self._ended = 0
        self._calls = Calls()

    def note(self, told: Iterable[RawRecord]) -> None:
        """Remember what was told."""
        for each in told:
            leg = pbx_calls.leg_of(each.record)
            if each.record.name in ENDS and leg.id:
                self._over[leg.id] = None
                self._ended += 1
            elif _is_kept(each.record) and not self._is_over(each.record, leg.id):
                kept = _Kept(each, leg, pbx_calls.named(each.record, leg))
                self._kept[_key(each.record, leg.id)] = kept
                self._calls.learn(each.record, leg)
        if self._ended > ENDED_MAX or len(self._kept) > KEPT_MAX:
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
        self._forget()
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
        return [
            *(each.told for each in self._kept.values()),
            codec.record(BEFORE, {}),
            *told,
            *(present or ()),
        ]

    def open_calls(self) -> list[str]:
        """Return the calls whose first leg is not over, the oldest first."""
        calls = self._calls
        found = dict.fromkeys(map(self._call, self._kept.values()))
        return [call for call in found if call in calls.said and call not in self._over]

    def _beside(self, told: Sequence[RawRecord]) -> list[RawRecord]:
        for each in told:
            self._calls.learn(each.record, pbx_calls.leg_of(each.record))
        mine = {self._calls.about(each.record) for each in told if self._tells(each.record)}
        return [each.told for each in self._kept.values() if mine and self._call(each) in mine]

    def _call(self, kept: _Kept) -> str:
        return self._calls.call_of(kept.named, kept.leg.linked)

    def _tells(self, record: Record) -> bool:
        return record.name in self._telling or record.first("variable") in VARIABLES

    def _is_over(self, record: Record, leg: str) -> bool:
        """Tell whether a leg has ended: a list that was made before may still name it."""
        return record.name in LISTED and leg in self._over

    def _forget(self) -> None:
        """Forget calls of which no leg is left, then the oldest beyond the measure."""
        by_call: dict[str, list[tuple[str, ...]]] = {}
        for key, each in self._kept.items():
            by_call.setdefault(self._call(each), []).append(key)
        calls = self._calls
        alive = {calls.call_of(leg) for leg in calls.said if leg not in self._over}
        surplus = len(self._kept) - KEPT_MAX
        surplus += KEPT_MAX // 8 if surplus > 0 else 0
        for call, keys in by_call.items():
            dropped = keys if call not in alive or surplus > 0 else self._beyond(keys)
            surplus -= len(dropped)
            for key in dropped:
                del self._kept[key]
        for old in list(self._over)[:-OVER_MAX]:
            del self._over[old]
        self._ended, self._calls = 0, Calls()
        for each in self._kept.values():
            self._calls.learn(each.told.record, each.leg)

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
