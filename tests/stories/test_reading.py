"""A story file is checked whole before anything is played."""

from pathlib import Path

import msgspec
import pytest

from deploy.story.errors import StepFailed, StoryInvalid
from deploy.story.file.durations import seconds
from deploy.story.file.model import (
    EXPECTATIONS,
    STEPS,
    CommandStep,
    DoorStep,
    ExpectPacket,
    GetStep,
    Head,
    Story,
)
from deploy.story.file.reading import parse_story, read_story
from deploy.story.file.references import at_path, filled_in, run_token, with_instants
from tests.stories.files import EVERY_STORY, REFERENCE
from tests.stories.times import NOON

HERE = Path(__file__).parent


def read(steps: str, head: str = "") -> Story:
    return parse_story(f"story: sample\n{head}\nsteps:\n{steps}".encode(), HERE)


def test_each_step_has_its_kind() -> None:
    """The key that a step has says what it is."""
    story = read(
        "  - {door: form/contact, body: {a: b}, times: 2, sign: wrong}\n"
        "  - {as: piotr, do: wrap_up, with: {disposition: solved}}\n"
        "  - {expect: packet, to: ewa, facts: {locker: KRA01M}, within: 2s}\n"
    )
    door, command, packet = story.steps
    assert isinstance(door, DoorStep)
    assert (door.times, door.sign) == (2, "wrong")
    assert isinstance(command, CommandStep)
    assert (command.actor, command.with_) == ("agent:piotr", {"disposition": "solved"})
    assert isinstance(packet, ExpectPacket)
    assert packet.facts == {"locker": "KRA01M"}


def test_a_public_address_is_a_path() -> None:
    """Nothing but a path of the stack's own doors is read."""
    (step,) = read("  - {get: /hours/demo}\n").steps
    assert isinstance(step, GetStep)
    assert step.get == "/hours/demo"
    with pytest.raises(StoryInvalid, match="step 1 does not fit its format"):
        read("  - {get: 'http://elsewhere.example/'}\n")


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ("  - {expects: packet}", "step 1: a step has exactly one of"),
        ("  - {as: piotr, do: sign_in, kill: router}", "step 1: a step has exactly one of"),
        ("  - {expect: happiness}", "step 1: `expect` is one of packet"),
        ("  - {door: form/contact, bodies: x}", "step 1 does not fit its format"),
        ("  - {expect: repeats, is: 0, within: soon}", "not a duration"),
        ("  - {expect: repeats, is: 0, within: 2h}", "at most 600 s"),
        ("  - {door: form, body: x}", "step 1 does not fit its format"),
        ("  - {together: [{kill: router}, {kill: router}]}", "step 1.1: only doors and commands"),
        ("  - {tamper: fact}", "must_fail"),
        ("  - {kill: rooter}", "step 1 does not fit its format"),
        ("  - {expect: owner, is: []}", "step 1 does not fit its format"),
        ("  - {{", "does not fit its format"),
        ("", "does not fit its format"),
    ],
)
def test_a_mistake_names_its_step(steps: str, says: str) -> None:
    """What is written wrong is refused with the place where it stands."""
    with pytest.raises(StoryInvalid, match=says):
        read(steps)


def test_a_missing_file_is_unusable(tmp_path: Path) -> None:
    """A file that is not there is refused before anything starts."""
    with pytest.raises(StoryInvalid, match="cannot be read"):
        read_story(tmp_path / "no.yaml")


@pytest.mark.parametrize("path", EVERY_STORY, ids=lambda path: path.stem)
def test_every_shipped_story_reads_and_is_named_after_its_file(path: Path) -> None:
    """The stories of the house fit the format."""
    assert read_story(path).name == path.stem


@pytest.mark.parametrize(
    ("head", "steps", "alone"),
    [
        ("", "  - {kill: router}", False),
        ("settings: {TELLONCE_LOG_LEVEL: debug}", "  - {kill: router}", True),
        ("", "  - {restart: all}", True),
        ("must_fail: any", "  - {tamper: fact}", True),
        ("must_fail: any", "  - {tamper: mail}", False),
    ],
)
def test_what_changes_machines_needs_its_own_stack(head: str, steps: str, alone: bool) -> None:
    """Settings, restarts and rows are not for a stack of somebody else; the mail boxes are the player's."""
    assert read(steps, head).needs_own_stack is alone


def test_durations_have_units() -> None:
    """A bare number is seconds."""
    assert [seconds(each) for each in ("500ms", "3s", "2m", "1h", 4, 0.5)] == [
        0.5,
        3,
        120,
        3600,
        4,
        0.5,
    ]


def test_references_are_replaced_wherever_they_stand() -> None:
    """A text that is one reference takes the type of the value; inside a text it becomes text."""
    known = {"n": 7, "name": "Anna"}
    given = {"whole": "$n", "part": "Mrs $name", "list": ["$name"], "price": "5 $", "number": 3}
    assert filled_in(given, known) == {
        "whole": 7,
        "part": "Mrs Anna",
        "list": ["Anna"],
        "price": "5 $",
        "number": 3,
    }


def test_an_unknown_reference_is_a_failure() -> None:
    """A name that nobody saved is never sent as it stands."""
    with pytest.raises(StepFailed, match="nothing was saved") as failed:
        filled_in("$nobody", {})
    assert failed.value.code == "step.reference_unknown"


def test_relative_times_become_instants() -> None:
    """A sign, a number and a unit; a phone number stays what it is."""
    given = {"due": "+2h", "issued_at": "-25h", "phone": "+48601234567"}
    assert with_instants(given, NOON) == {
        "due": "2026-11-22T14:00:00+00:00",
        "issued_at": "2026-11-21T11:00:00+00:00",
        "phone": "+48601234567",
    }


def test_a_path_leads_into_lists_and_maps() -> None:
    """`save` reaches into an answer; a path that leads nowhere is a failure."""
    answer = {"events": [{"open": {"fact_id": "f1"}}]}
    assert at_path(answer, "events.0.open.fact_id") == "f1"
    for path in ("events.1", "events.x", "other", "events.0.open.fact_id.deep"):
        with pytest.raises(StepFailed) as failed:
            at_path(answer, path)
        assert failed.value.code == "step.save_path"


def test_run_is_the_same_for_the_same_seed() -> None:
    """A story that is played again sends the same ids; another seed sends others."""
    assert run_token("a", 1) == run_token("a", 1)
    assert len({run_token("a", 1), run_token("a", 2), run_token("b", 1)}) == 3


def test_the_reference_page_names_every_key() -> None:
    """Each step, expectation and key that a story may hold is documented."""
    text = REFERENCE.read_text("utf-8")
    kinds: list[type[msgspec.Struct]] = [*STEPS.values(), *EXPECTATIONS.values(), Head]
    fields = [field.encode_name for kind in kinds for field in msgspec.structs.fields(kind)]
    keys = {*fields, *EXPECTATIONS}
    assert [key for key in sorted(keys) if f"`{key}`" not in text and f"`{key}:" not in text] == []
