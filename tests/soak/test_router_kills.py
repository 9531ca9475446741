"""The router, which dispatches, is killed again and again while a story is played: nobody notices."""

from pathlib import Path

import pytest

from tests.soak.router_kills import NEEDS, play_with_kills

SEED = 1
STORY = next(story for story in NEEDS if story.stem == "called_back")


@pytest.mark.story
def test_a_router_that_dies_at_any_moment_changes_nothing(tmp_path: Path) -> None:
    """What people saw is what they see without it; `make soak ARGS=--needs` plays every story of a need so."""
    print(f"seed {SEED}")
    played, kills = play_with_kills(STORY, tmp_path, SEED)
    assert kills > 0
    played.check_met()
