"""What an aggregate remembers of the commands it has seen."""

from collections import ChainMap
from datetime import UTC, datetime, timedelta

import pytest

from shared import memory
from shared.commands import REMEMBERED, SKEW
from shared.errors import CommandIdReused
from shared.events import AgentId, AgentStatusSet, AgentStatusSetOpen, Data, EventId, Nothing
from shared.memory import FORGET_EVERY, Memory, recall, remember

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def event(
    cause: str | None, number: int = 0, at: datetime = NOON, sha256: str = "s"
) -> AgentStatusSet:
    return AgentStatusSet(
        specversion="1.0",
        id=EventId(f"e{number}"),
        source="tellonce/test",
        occurred=at,
        recorded=at,
        aggregate="agent-ewa",
        dataschema="urn:tellonce:event:1",
        datacontenttype="application/json",
        tenant="demo",
        actor="agent:ewa",
        causation=cause,
        causation_sha256=sha256 if cause else None,
        data=Data(open=AgentStatusSetOpen(agent=AgentId("ewa"), status="away"), personal=Nothing()),
    )


def filled(count: int, at: datetime = NOON) -> Memory:
    memory: Memory = {}
    for number in range(count):
        memory = remember(memory, number + 1, event(f"c{number}", number, at))
    return memory


def test_a_command_is_remembered_with_all_it_wrote() -> None:
    """Several events of one command are one memory, in order."""
    memory = remember(remember({}, 7, event("c", 1)), 8, event("c", 2))
    seen = recall(memory, "c", "s")
    assert seen is not None
    assert [(each.id, each.sequence) for each in seen.events] == [("e1", 7), ("e2", 8)]
    assert recall(memory, "other", "s") is None


def test_a_contact_event_is_remembered_under_its_own_id() -> None:
    """It has no command; what it caused is remembered with it."""
    memory = remember(remember({}, 1, event(None, 1)), 2, event("e1", 2, sha256="x"))
    assert [each.id for each in memory["e1"].events] == ["e1", "e2"]


def test_the_same_id_with_another_body_is_noticed() -> None:
    """The error names the id, nothing of the body."""
    with pytest.raises(CommandIdReused) as refusal:
        recall(filled(1), "c0", "another")
    assert refusal.value.details == {"command_id": "c0"}


def test_what_could_still_come_again_is_never_forgotten() -> None:
    """A command is taken until 24 hours after it was issued, perhaps two minutes ahead of our clock."""
    memory = filled(FORGET_EVERY)
    latest = NOON + REMEMBERED + SKEW
    assert recall(remember(memory, 99, event("new", 99, latest)), "c0", "s") is not None


def test_what_is_too_old_to_come_again_is_forgotten() -> None:
    """The memory of an aggregate that lives for years stays small."""
    memory = filled(FORGET_EVERY)
    later = NOON + REMEMBERED + SKEW + timedelta(seconds=1)
    assert set(remember(memory, 99, event("new", 99, later))) == {"new"}


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever comes within a day: of too many the newest are kept."""
    monkeypatch.setattr(memory, "REMEMBERED_MAX_IDS", 2 * FORGET_EVERY)
    found = filled(9 * FORGET_EVERY)
    assert len(found) <= 3 * FORGET_EVERY
    assert f"c{9 * FORGET_EVERY - 1}" in found


def test_forgetting_is_not_done_at_every_event() -> None:
    """Only when FORGET_EVERY ids have come since the last time."""
    memory = filled(FORGET_EVERY - 1)
    later = NOON + timedelta(days=9)
    assert len(remember(memory, 99, event("new", 99, later))) == FORGET_EVERY


def test_remembering_changes_no_earlier_memory() -> None:
    """Folds share states: the one before stays as it was."""
    before = filled(3)
    remember(before, 9, event("c0", 9))
    assert len(before["c0"].events) == 1


def test_what_came_long_ago_is_remembered_as_what_came_just_now() -> None:
    """The order is that of the first event of each id; what an old id writes later is added to what it wrote."""
    count = 3 * FORGET_EVERY + 5
    memory = remember(filled(count), 9_999, event("c0", 9_999))
    assert list(memory) == [f"c{number}" for number in range(count)]
    assert [each.sequence for each in memory["c0"].events] == [1, 9_999]
    assert memory == {**filled(count), "c0": memory["c0"]}
    assert "c1" in memory
    assert memory.get("new") is None


def test_remembering_copies_only_what_is_young() -> None:
    """A busy aggregate has tens of thousands of ids within 24 hours: they are shared by all its states."""
    before = filled(3 * FORGET_EVERY + 5)
    after = remember(before, 9_999, event("new", 9_999))
    assert isinstance(before, ChainMap)
    assert isinstance(after, ChainMap)
    assert after.maps[1] is before.maps[1]
    assert len(after.maps[0]) <= FORGET_EVERY
