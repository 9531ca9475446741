"""A story on a stack that runs already, and one whose TELLONCE_DATA names no running stack."""

import asyncio
from pathlib import Path

import pytest

from deploy.embedded.stack import EmbeddedStack
from deploy.story.file.reading import read_story
from deploy.story.stack import running_folder
from tests.stories.conftest import plan_in, playing_on
from tests.stories.files import GOOD, HERE
from tests.stories.played import play

STORY = """
story: by_mail
steps:
  - {as: piotr, do: sign_in}
  - {door: form/contact, body: {email: anna@mail.example, topic: other, message: "$run"}}
  - {as: piotr, do: accept_offer}
  - {as: piotr, do: send_message, with: {channel: email, title: Your parcel, text: It comes tomorrow.}}
  - {expect: mail, to: anna@mail.example, title: Your parcel, count: 1}
  - {as: piotr, do: wrap_up, with: {disposition: solved, summary: It comes.}}
  - {as: piotr, do: resolve}
  - {expect: balance, received: 1, accepted: 1, duplicate: 0}
"""


@pytest.mark.story
def test_a_running_stack_is_measured_from_the_story_on(
    tmp_path: Path, on_it: dict[str, str]
) -> None:
    """Two plays see one delivery and one mail each; without a place for the mail the story is refused."""
    story = tmp_path / "by_mail.yaml"
    story.write_text(STORY)
    for seed in ("1", "2"):
        played = play(story, tmp_path, "--seed", seed, environment=on_it)
        assert played.exit_code == 0, played.output
        assert played.report["balance"]["received"] == 1
        assert [mail["count"] for mail in played.report["mails"]] == [1]
    refused = play(story, tmp_path, environment={**on_it, "TELLONCE_SMTP_URL": ""})
    assert refused.exit_code == 2
    assert "story.stack_unusable" in refused.output


@pytest.mark.story
async def test_the_shipped_stories_may_be_played_again(
    tmp_path: Path, postgres_template: Path
) -> None:
    """Each finds what the last play left: its customers registered, nothing open, other ids."""
    (tmp_path / "data").mkdir()
    shipped = [story for story in GOOD if not read_story(story).needs_own_stack]
    assert len(shipped) > 3
    async with EmbeddedStack(plan_in(tmp_path / "data", postgres_template)) as stack:
        for story in [*shipped, *shipped]:
            played = await asyncio.to_thread(play, story, tmp_path, environment=playing_on(stack))
            played.check_met()


def test_where_no_stack_runs_the_story_gets_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """After `tellonce down` in the same shell a story is played all the same, and leaves the folder alone."""
    folder = tmp_path / "nobody"
    monkeypatch.setenv("TELLONCE_DATA", str(folder))
    assert running_folder(read_story(HERE / "missed_call.yaml")) is None
    assert f"no stack runs on TELLONCE_DATA={folder}" in capsys.readouterr().out
    assert not folder.exists()
