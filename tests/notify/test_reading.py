"""What notify reads of the ledger: the kinds of its lanes, and how a conversation stood before an event."""

import ast
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

import services.notify
from services.notify.passing import Passing
from services.notify.store import NotificationStore
from shared import aggregates, conversation, events, streams, subjects
from shared.arrivals import ArrivedMessage
from shared.codec import encode, is_another
from shared.ledger import Guard, Write, plan
from tests.notify.samples import CONVERSATION, TENANT, accepted, message, queued, received
from tests.support.memory_ledger import MemoryLedger
from tests.support.memory_timers import MemoryTimers

GOLDEN = Path(__file__).parents[1] / "golden" / "events"
NOTIFY = Path(str(services.notify.__file__)).parent
CONV = aggregates.CONVERSATION.of(CONVERSATION)
BY_NAME = {kind.__name__: kind for kind in events.event_types().values()}
REACTING = ("notifying.py", "handlers.py", "sending.py", "domain/occasions.py")
"""The files that say what notify does about an event that comes to it."""


def _reacted_to() -> Iterator[type[events.AnyEvent]]:
    """Yield the events that these files name."""
    for name in REACTING:
        for node in ast.walk(ast.parse((NOTIFY / name).read_text("utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in BY_NAME:
                yield BY_NAME[node.attr]


def _kind(event: type[events.AnyEvent]) -> str:
    """Return the prefix of the aggregates in which an event stands."""
    golden = msgspec.json.decode((GOLDEN / f"{event.__struct_config__.tag}.json").read_bytes())
    return aggregates.split(golden["subject"])[0]


def test_every_event_that_notify_reacts_to_is_given_to_it() -> None:
    """A kind that the lanes leave out would be told of to nobody, without a word."""
    found = {_kind(event) for event in _reacted_to()}
    assert found == {kind.prefix for kind in streams.NOTIFY_KINDS}
    assert _kind(events.MessageRequested) == aggregates.CONVERSATION.prefix


def test_each_aggregate_is_in_one_lane() -> None:
    """No event comes twice, and none that is needed is left out."""
    lanes = [each for each in streams.notify_consumers() if each.name.startswith("notify-lane-")]
    given = [each for lane in lanes for each in lane.config["filter_subjects"]]
    wanted = [
        f"ledger.{partition}.*.{kind.prefix}.*"
        for partition in range(subjects.PARTITIONS)
        for kind in streams.NOTIFY_KINDS
    ]
    assert sorted(given) == sorted(wanted)
    assert {lane.config["max_ack_pending"] for lane in lanes} == {1}


def test_a_type_is_seen_at_a_glance_and_never_wrongly() -> None:
    """What does not begin as we write events must be read: it may be one all the same."""
    wanted = encode(message("e1"))
    assert is_another(encode(queued("e1")), events.MessageRequested)
    assert not is_another(wanted, events.MessageRequested)
    assert not is_another(b" " + wanted, events.MessageRequested)
    assert is_another(
        wanted.replace(b"message.requested", b"message.requested2"), events.MessageRequested
    )


WAY: tuple[events.AnyEvent, ...] = (queued("e1"), received("e2"), accepted("e3"), message("e4"))


def _arrived(sequence: int, event: events.AnyEvent, before: int | None) -> ArrivedMessage:
    """Return an event as a lane gives it; `before`: what its writer expected, if it was the first of its write."""
    headers = {} if before is None else {plan.EXPECTED: str(before)}
    return ArrivedMessage(
        subjects.ledger(TENANT, CONV), encode(event), 1, sequence, headers=headers
    )


def test_what_passes_without_a_gap_is_known() -> None:
    """Single events that name the one before them, and neighbours of one write."""
    passing = Passing(8)
    places = ((3, 0), (4, None), (9, 4), (12, 9))
    for at, (event, (sequence, before)) in enumerate(zip(WAY, places, strict=True)):
        passing.see(_arrived(sequence, event, before), event)
        known = passing.before(event)
        assert known is not None
        earlier = [(place[0], each) for place, each in zip(places, WAY[:at], strict=False)]
        assert known.conversation == conversation.fold(earlier)
        assert known.events == {each.id for each in WAY[:at]}
        assert passing.has_just_begun(TENANT, CONVERSATION) == (at < 2)


@pytest.mark.parametrize("before", [None, 5, 8])
def test_what_another_replica_took_is_not_guessed(before: int | None) -> None:
    """Then the conversation is read, and an event that comes again later changes nothing."""
    passing = Passing(8)
    passing.see(_arrived(3, WAY[0], 0), WAY[0])
    passing.see(_arrived(9, WAY[1], before), WAY[1])
    assert passing.before(WAY[0]) is None
    assert passing.before(WAY[1]) is None
    passing.see(_arrived(10, WAY[2], 9), WAY[2])
    assert passing.before(WAY[2]) is None


def test_a_guard_says_nothing_of_the_aggregate_that_carries_it() -> None:
    """It stands in the same header, about another aggregate."""
    write = Write(CONV, 3, WAY[:2])
    bodies = [encode(each) for each in WAY[:2]]
    (first, second) = plan.plan(TENANT, [write], [Guard("cust-anna", 7)], bodies).messages
    assert plan.sequence_before(20, first.headers) == 3
    assert plan.sequence_before(21, second.headers) == 20


def test_an_entry_that_speaks_of_another_conversation_changes_nothing_there() -> None:
    """Anybody who reaches the server may write it, where no conversation was before."""
    passing = Passing(8)
    for sequence, before, event in ((3, 0, WAY[0]), (4, None, WAY[1])):
        passing.see(_arrived(sequence, event, before), event)
    subject = subjects.ledger(TENANT, "conv-foreign")
    foreign = ArrivedMessage(subject, encode(WAY[2]), 1, 5, headers={plan.EXPECTED: "0"})
    passing.see(foreign, WAY[2])
    known = passing.before(WAY[1])
    assert known is not None
    assert known.events == frozenset[str]({WAY[0].id})


def test_it_keeps_the_newest() -> None:
    """One that was without news for longest is read again."""
    passing = Passing(1)
    elsewhere = {"aggregate": "conv-c2", "conversation": events.ConversationId("c2")}
    other = msgspec.structs.replace(queued("o1"), **elsewhere)
    arrived = ArrivedMessage(
        subjects.ledger(TENANT, "conv-c2"), encode(other), 1, 4, headers={plan.EXPECTED: "0"}
    )
    passing.see(_arrived(3, WAY[0], 0), WAY[0])
    passing.see(arrived, other)
    assert passing.before(WAY[0]) is None
    assert passing.before(other) is not None


class CountedLedger(MemoryLedger):
    """Counts what is asked of it."""

    reads = 0

    async def read(self, tenant: str, aggregate: str, *, after: int = 0) -> list:  # type: ignore[type-arg]
        self.reads += 1
        return await super().read(tenant, aggregate, after=after)


async def test_what_was_read_once_is_folded_on() -> None:
    """A process that was just started reads a conversation once; the next event names the one before it."""
    ledger, passing = CountedLedger(), Passing(8)
    store = NotificationStore(ledger, MemoryTimers(), passing, cached=16, retries=3)
    appended = await ledger.append(TENANT, [Write(CONV, 0, WAY[:3])])
    passing.see(_arrived(appended.sequences[1], WAY[1], None), WAY[1])
    first = await store.before(WAY[1])
    passing.see(_arrived(appended.sequences[2], WAY[2], None), WAY[2])
    second = await store.before(WAY[2])
    assert first.events == frozenset[str](each.id for each in WAY[:1])
    assert second.events == frozenset[str](each.id for each in WAY[:2])
    assert ledger.reads == 1
    assert not passing.has_just_begun(TENANT, CONVERSATION)
