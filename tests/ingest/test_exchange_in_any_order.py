"""However two listeners' deliveries are cut, delayed, doubled and interleaved, whoever misses what: the same facts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.channels import asterisk
from services.ingest.domain import pbx_calls, pbx_memory
from services.ingest.domain.outcome import Reported
from services.ingest.domain.pbx_memory import Memory, RawRecord
from tests.ingest.running_ingest import RECEIVED, raw

Do = Literal["next", "store", "cut", "kill", "back", "renew"]


def record(event: str, call: int, leg: int = 0, **fields: str) -> RawRecord:
    """One event about a leg of a call."""
    name = f"1795340000.{call}00"
    about = {"Event": event, "Uniqueid": f"1795340000.{call}0{leg}", "Linkedid": name, **fields}
    body = "".join(f"{key}: {value}\r\n" for key, value in about.items()) + "\r\n"
    (found,) = pbx_memory.records_of(body.encode())
    return found


def call_of(number: int, caller: str, status: str, *, holds: bool) -> list[RawRecord]:
    """A call that an agent is rung for: from a customer, or from an extension."""
    agent = f"1795340000.{number}01"
    answered = status == "ANSWER"
    state = "Up" if answered else "Ring"
    found = [
        record(
            "Newchannel", number, ChannelStateDesc="Ring", CallerIDNum=caller, Exten="221234567"
        ),
        record("Newchannel", number, 1, ChannelStateDesc="Down", CallerIDNum="201"),
        record("DialBegin", number, DestUniqueid=agent, CallerIDNum=caller),
        record("DialEnd", number, DestUniqueid=agent, CallerIDNum=caller, DialStatus=status),
    ]
    if answered:
        found.append(record("Newstate", number, ChannelStateDesc="Up", CallerIDNum=caller))
    if answered and holds:
        found += [record("Hold", number, 1), record("Unhold", number, 1)]
    found += [
        record("Hangup", number, 1, Cause="16"),
        record("Hangup", number, ChannelStateDesc=state, CallerIDNum=caller, Cause="16"),
    ]
    return found


@st.composite
def streams(draw: st.DrawFn) -> list[RawRecord]:
    """What an exchange tells of some calls that overlap, each event with a time of its own."""
    calls = [
        call_of(
            number,
            draw(st.sampled_from([f"+4860010020{number}", "202"])),
            draw(st.sampled_from(["ANSWER", "BUSY", "NOANSWER"])),
            holds=draw(st.booleans()),
        )
        for number in range(draw(st.integers(1, 3)))
    ]
    told: list[RawRecord] = []
    while any(calls):
        mine = draw(st.sampled_from([each for each in calls if each]))
        stamp = f"Timestamp: {1795340000 + len(told)}.5\r\n\r\n".encode()
        told += pbx_memory.records_of(mine.pop(0).raw.removesuffix(b"\r\n") + stamp)
    return told


@dataclass
class World:
    """The exchange and RAW. `at`: how many events it has told."""

    stream: Sequence[RawRecord]
    at: int = 0
    raw: list[bytes] = field(default_factory=list)

    def present(self) -> list[RawRecord]:
        """The legs that there are, as the exchange lists them."""
        legs: dict[str, RawRecord] = {}
        for each in self.stream[: self.at]:
            leg = pbx_calls.leg_of(each.record).id
            if each.record.name in {"Newchannel", "Newstate"}:
                legs[leg] = each
            elif each.record.name == "Hangup":
                del legs[leg]
        listed = b"".join(b"Event: CoreShowChannel\r\n" + _fields(each) for each in legs.values())
        return pbx_memory.records_of(listed)


def _fields(each: RawRecord) -> bytes:
    lines = each.raw.split(b"\r\n")
    return b"\r\n".join(line for line in lines if not line.startswith((b"Event", b"Timestamp")))


@dataclass
class Listener:
    """One process that listens, as the handler does. `came`: what it was told and has not stored."""

    world: World
    memory: Memory = field(default_factory=lambda: Memory(asterisk.KINDS))
    came: list[RawRecord] = field(default_factory=list)
    read_to: int = 0
    connected: bool = False

    def store(self) -> None:
        """Store what came."""
        if self.came:
            body = self.memory.more(pbx_memory.AMI, self.came)
            self.world.raw.append(b"".join(each.raw for each in body))
            self.memory.note(self.came)
            self.came = []

    def cut(self, *, killed: bool) -> None:
        """The connection breaks, or the process ends."""
        self.connected = False
        if killed:
            self.memory, self.came, self.read_to = Memory(asterisk.KINDS), [], 0
        self.store()

    def ask(self) -> None:
        """Ask which calls there are, and store it."""
        for stored in self.world.raw[self.read_to :]:
            self.memory.note(pbx_memory.records_of(stored))
        self.read_to = len(self.world.raw)
        now = RECEIVED + timedelta(seconds=self.world.at)
        body = self.memory.whole(
            pbx_memory.AMI,
            self.memory.open_calls(),
            self.world.present(),
            self.came,
            since=None if self.connected else RECEIVED - timedelta(seconds=1),
            seen=now,
        )
        self.world.raw.append(b"".join(each.raw for each in body))
        self.memory.note(body)
        self.connected = True


def play(
    stream: Sequence[RawRecord], steps: Sequence[tuple[Do, int]], *, steady: bool
) -> dict[str, Any]:
    """Return what RAW tells in the end, by id. `steady`: the first listener is never cut off."""
    world = World(stream)
    listeners = [Listener(world), Listener(world)]
    listeners[0].ask()
    for do, number in steps:
        mine = listeners[number % 2]
        if do == "next":
            told = stream[world.at : world.at + 1 + number]
            world.at += len(told)
            for each in listeners:
                each.came += told if each.connected else []
        elif do == "store":
            mine.store()
        elif do in {"cut", "kill"} and not (steady and mine is listeners[0]):
            mine.cut(killed=do == "kill")
        elif (do == "back" and not mine.connected) or (do == "renew" and mine.connected):
            mine.ask()
    rest = stream[world.at :]
    world.at = len(stream)
    for each in listeners:
        each.came += rest if each.connected else []
        each.store()
    for each in listeners:
        each.ask()
    return told_by(world.raw + world.raw[:3])


def told_by(bodies: Sequence[bytes]) -> dict[str, Any]:
    """The events of deliveries, the first of each id."""
    found: dict[str, Any] = {}
    for body in bodies:
        outcome = asterisk.parse(raw("asterisk", body, path=pbx_memory.MORE_MARK))
        for _, event in outcome.reports if isinstance(outcome, Reported) else ():
            if event.type != "channel.interrupted":
                found.setdefault(event.id, event)
    return found


def facts(told: dict[str, Any]) -> dict[str, tuple[str, object, object]]:
    """What matters of events, by id."""
    return {
        each.id: (each.type, each.open.contact_id, getattr(each.open, "outcome", None))
        for each in told.values()
    }


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["next", "next", "store", "cut", "kill", "back", "renew"]),
        st.integers(0, 5),
    ),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(stream=streams(), steps=STEPS)
def test_two_who_listen_tell_what_the_whole_stream_tells(
    stream: Sequence[RawRecord], steps: Sequence[tuple[Do, int]]
) -> None:
    """As long as one of them always listens. A call whose end that one has not stored yet may be lost sight of; and who
    came in its midst, and stores its end first, does not know how the dialling went."""
    wanted = facts(told_by([b"".join(each.raw for each in stream)]))
    found = facts(play(stream, steps, steady=True))
    less = {asterisk.LOST_SIGHT, "canceled"}
    lost = {name for name, told in found.items() if told[2] in less and told != wanted.get(name)}
    assert {name: found[name] for name in found.keys() - lost} == {
        name: wanted[name] for name in wanted.keys() - lost
    }
    assert {found[name][1] for name in lost} <= {contact for _, contact, _ in wanted.values()}


@settings(max_examples=150, deadline=None)
@given(stream=streams(), steps=STEPS)
def test_whoever_misses_what_no_call_stays_open(
    stream: Sequence[RawRecord], steps: Sequence[tuple[Do, int]]
) -> None:
    """Nothing is told that was not, but how a call ended that was dialled unheard; every call told of has an end."""
    wanted = facts(told_by([b"".join(each.raw for each in stream)]))
    found = facts(play(stream, steps, steady=False))
    ends = {"call.ended", "call.missed"}
    lost = {name for name, (_, _, outcome) in found.items() if outcome == asterisk.LOST_SIGHT}
    assert {(name, found[name][:2]) for name in found.keys() - lost} <= {
        (name, each[:2]) for name, each in wanted.items()
    }
    assert {contact for kind, contact, _ in found.values() if kind not in ends} <= {
        contact for kind, contact, _ in found.values() if kind in ends
    }


def test_a_cut_between_the_dialling_and_the_end_changes_nothing() -> None:
    """Every cut of one call that nobody takes, event by event."""
    stream = call_of(0, "+48600100200", "BUSY", holds=False)
    steps: list[tuple[Do, int]] = [("next", 0), ("store", 0)] * len(stream)
    found = facts(play(stream, steps, steady=True))
    assert [(kind, outcome) for kind, _, outcome in found.values()] == [
        ("call.started", None),
        ("call.missed", "busy"),
    ]


def test_what_is_beyond_the_measure_is_looked_through_now_and_then() -> None:
    """Not with each record: an exchange with more calls than are remembered is the one that has no time to lose."""
    memory = Memory(asterisk.KINDS)
    rings = [
        record("Newchannel", n, ChannelStateDesc="Ring") for n in range(pbx_memory.KEPT_MAX + 1)
    ]
    memory.note(rings)
    calls = [each.record.fields["uniqueid"] for each in rings]
    kept = memory.open_calls()
    assert kept == calls[-len(kept) :]
    assert len(kept) <= pbx_memory.KEPT_MAX * 7 // 8
