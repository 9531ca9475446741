"""The stories of the house: those that need a stack of their own are met, the bad ones fail with the named code."""

import re
from pathlib import Path

import pytest
import yaml

from deploy.story.command_line import PROCESSES
from tests.stories.files import GOOD, HERE, MUST_FAIL, is_alone
from tests.stories.played import play

PARCEL_LOCKER = HERE / "parcel_locker.yaml"
KILLS_SEED, KILLS_EVERY = 6, 7
"""Every process is killed at least once."""
ON_ITS_OWN = [story for story in GOOD if is_alone(story)]
FAILS_ON_ITS_OWN = [story for story in MUST_FAIL if is_alone(story)]
FAILS_ON_ANY = [story for story in MUST_FAIL if story not in FAILS_ON_ITS_OWN]
MAIL = {"to": ["anna.nowak@mail.example"], "title": "How you get your parcel", "count": 1}


@pytest.mark.story
@pytest.mark.parametrize("story", ON_ITS_OWN, ids=lambda story: story.stem)
def test_the_story_is_met(story: Path, tmp_path: Path) -> None:
    """Those that need a stack of their own; `test_running_stack` plays the others."""
    play(story, tmp_path).check_met()


@pytest.mark.story
@pytest.mark.parametrize("story", FAILS_ON_ANY, ids=lambda story: story.stem)
def test_the_story_fails_with_the_named_code(
    story: Path, tmp_path: Path, on_it: dict[str, str]
) -> None:
    """A check that cannot fail shows nothing: here each of them does, and for the reason named."""
    _fails_as_named(story, tmp_path, on_it)


@pytest.mark.story
@pytest.mark.parametrize("story", FAILS_ON_ITS_OWN, ids=lambda story: story.stem)
def test_the_story_fails_on_a_stack_of_its_own(story: Path, tmp_path: Path) -> None:
    """Likewise, where the story changes the stack."""
    _fails_as_named(story, tmp_path, {})


def _fails_as_named(story: Path, folder: Path, environment: dict[str, str]) -> None:
    named = yaml.safe_load(story.read_bytes())["must_fail"]
    played = play(story, folder, environment=environment)
    assert played.exit_code == 1, played.output
    assert played.codes == [named], played.output


@pytest.mark.story
def test_killing_any_process_changes_nothing(tmp_path: Path) -> None:
    """Signal 9 to every process, one before each few steps: the same facts for everybody, one mail, the same end."""
    played = play(
        PARCEL_LOCKER, tmp_path, "--kill-random", str(KILLS_SEED), "--kill-every", str(KILLS_EVERY)
    )
    assert played.exit_code == 0, played.output
    assert set(re.findall(r"\(kill -9 (\w+)\)", played.output)) == set(PROCESSES)
    assert played.report["facts"] == {"stated": 7}
    assert played.report["repeats"] == 0
    assert played.report["mails"] == [MAIL]
    assert played.report["messages"] == {"sent": 1, "failed": 0, "uncertain": 0}
    assert played.latest_facts == {"piotr": 1, "ewa": 5, "marek": 7}
    assert played.report["digests"]["live"] == played.report["digests"]["rebuilt"]
