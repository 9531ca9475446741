"""Options of `tellonce story` that cannot do what they say are refused before anything starts."""

from pathlib import Path

import pytest

from deploy.story.command_line import EXIT_UNUSABLE, STORIES_MAX, main
from tests.stories.files import HERE
from tests.stories.played import play

STORY = str(HERE / "missed_call.yaml")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--kill", "router"], "--kill and --at go together"),
        (["--at", "3"], "--kill and --at go together"),
        (["--kill", "router", "--at", "0"], "0 is not 1 or more"),
        (["--kill", "router", "--at", "500"], "--at 500: missed_call has"),
        (["--kill", "rooter", "--at", "3"], "invalid choice: 'rooter'"),
        (["--kill-random", "1", "--kill-every", "0"], "0 is not 1 or more"),
        (["--kill-random", "1", "--kill-every", "-3"], "-3 is not 1 or more"),
        (["--kill-every", "3"], "--kill-every goes with --kill-random"),
        ([STORY] * STORIES_MAX, f"at most {STORIES_MAX} files"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(
    options: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With 2, the usage and what is wrong."""
    with pytest.raises(SystemExit) as ended:
        main([STORY, *options])
    assert ended.value.code == EXIT_UNUSABLE
    complaint = capsys.readouterr().err
    assert complaint.startswith("usage: tellonce story")
    assert says in complaint


def test_an_unusable_file_ends_with_two(tmp_path: Path) -> None:
    """What cannot be read is neither met nor failed."""
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("story: wrong\nsteps: [{expects: packet}]\n")
    played = play(wrong, tmp_path)
    assert played.exit_code == EXIT_UNUSABLE
    assert "story.invalid" in played.output
