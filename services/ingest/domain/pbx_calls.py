"""The legs in a stream of a telephone exchange, joined to calls: a customer's call has many legs and is one contact."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from services.ingest.domain.pbx_stream import Record

_HALF = re.compile(r"(Local/.+);[12]\Z")
"""A leg that the exchange makes to itself has two halves."""
_SECONDS = re.compile(r"(\d{9,11})(?:\.(\d{1,9}))?\Z")
_STARTED = re.compile(r"(?:.*-)?(\d{9,11})\.\d+\Z")
"""An id of the exchange begins with the second in which the leg began, after the system's name if it has one."""

DIALLING_OUT = ("AppDial", "AppQueue")
"""How the program begins that a leg runs which the exchange itself has called."""


WAITING_ROOM = "holding"
"""The kind of bridge in which callers wait who do not hear each other: they are several calls."""


@dataclass(frozen=True, slots=True)
class Leg:
    """What a record says of the leg that it is about. `time`: when it happened; `None` where the record is silent."""

    id: str
    linked: str
    name: str
    number: str
    caller: str
    state: str
    dialled: str
    program: str
    time: datetime | None


def leg_of(record: Record) -> Leg:
    """Return the leg that a record is about, of a transfer who is passed on; its id is empty when it is about none."""
    first = record.first
    told = "transferee" if "transferee.id" in record.fields else "channel"
    return Leg(
        id=first("uniqueid", f"{told}.id", "srcuniqueid", "transfereeuniqueid"),
        linked=first("linkedid", "transfereelinkedid", "transfererlinkedid"),
        name=first(f"{told}.name", "channel"),
        number=first("calleridnum", "transfereecalleridnum", f"{told}.caller.number"),
        caller=first("calleridname", "transfereecalleridname", f"{told}.caller.name"),
        state=first("channelstatedesc", "transfereechannelstatedesc", f"{told}.state"),
        dialled=first("exten", f"{told}.dialplan.exten"),
        program=first("channel.dialplan.app_name"),
        time=time_of(first("timestamp")),
    )


def named(record: Record, leg: Leg) -> str:
    """Return the leg or bridge that a record names; empty for none."""
    target = record.first("recording.target_uri").partition(":")[2]
    return leg.id or record.first("peer.id", "destuniqueid") or target or record.first("bridge.id")


def began(call: str) -> datetime | None:
    """Return the second in which a call began, by its id; `None` for an id that somebody else chose."""
    found = _STARTED.match(call)
    return datetime.fromtimestamp(int(found[1]), UTC) if found else None


def time_of(text: str) -> datetime | None:
    """Return an instant, in seconds or by ISO 8601; `None` for what is none, or has no zone."""
    seconds = _SECONDS.match(text)
    if seconds is not None:
        parts = timedelta(microseconds=int((seconds[2] or "0").ljust(6, "0")[:6]))
        return datetime.fromtimestamp(int(seconds[1]), UTC) + parts
    try:
        time = datetime.fromisoformat(text)
        return time.astimezone(UTC) if time.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


@dataclass(slots=True)
class Calls:
    """The calls of one delivery.

    `links`: the call of a leg, as the exchange says; `joined`: a leg or bridge -> an older one of the same call;
    `ages`: how many legs and bridges were seen before one; `said`: what was said of each leg, in order.
    """

    links: dict[str, str] = field(default_factory=dict)
    joined: dict[str, str] = field(default_factory=dict)
    ages: dict[str, int] = field(default_factory=dict)
    said: dict[str, list[Leg]] = field(default_factory=dict)
    _halves: dict[str, str] = field(default_factory=dict)

    def learn(self, record: Record, leg: Leg) -> None:
        """Remember what a record says of its leg, and which legs are one call."""
        self.note(leg)
        half = _HALF.match(leg.name) if leg.id else None
        if half is not None:
            self.join(self._halves.setdefault(half[1], leg.id), leg.id)
        called = record.first("peer.id", "destuniqueid")
        if called:
            self.join(record.first("caller.id") or leg.id, called)
        bridged = record.first("bridge.channels")
        if bridged and record.first("bridge.bridge_type") != WAITING_ROOM:
            self.join(record.first("bridge.id"), *bridged.split())

    def call_of(self, leg: str, linked: str = "") -> str:
        """Return the id of the call that a leg or a bridge belongs to: the exchange's word, else its oldest leg."""
        oldest = self._oldest(leg)
        return linked or self.links.get(leg) or self.links.get(oldest, oldest)

    def about(self, record: Record) -> str:
        """Return the id of the call that a record is about; empty for none."""
        leg = leg_of(record)
        return self.call_of(named(record, leg), leg.linked)

    def said_of_call(self) -> dict[str, list[Leg]]:
        """Return what was said of all legs of each call."""
        found: dict[str, list[Leg]] = {}
        for leg, said in self.said.items():
            found.setdefault(self.call_of(leg), []).extend(said)
        return found

    def note(self, leg: Leg) -> None:
        """Remember what a record says of a leg."""
        if leg.id:
            self.said.setdefault(leg.id, []).append(leg)
            self.ages.setdefault(leg.id, len(self.ages))
        if leg.id and leg.linked:
            self.links.setdefault(leg.id, leg.linked)

    def join(self, *names: str) -> None:
        """Note that some legs and bridges belong to one call."""
        for name in names:
            self.ages.setdefault(name, len(self.ages))
        roots = {self._oldest(name) for name in names if name}
        first, *others = sorted(roots, key=self.ages.__getitem__) or [""]
        self.joined.update(dict.fromkeys(others, first))

    def _oldest(self, name: str) -> str:
        """Return the oldest leg or bridge of a call, to which all on the way to it lead at once from now on."""
        oldest = name
        while oldest in self.joined:
            oldest = self.joined[oldest]
        while name != oldest:
            before, self.joined[name] = self.joined[name], oldest
            name = before
        return oldest


def comes_in(said: Sequence[Leg]) -> bool:
    """Tell whether somebody calls the exchange, by what is said of a call's legs: it rings itself, or runs the dialled
    program. A leg that the exchange calls rings elsewhere."""
    return any(leg.state == "Ring" for leg in said) or any(
        leg.dialled and not leg.program.startswith(DIALLING_OUT) for leg in said
    )


def calls_of(records: Sequence[Record]) -> Calls:
    """Return the calls that records are about."""
    calls = Calls()
    for record in records:
        calls.learn(record, leg_of(record))
    return calls
