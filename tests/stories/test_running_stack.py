"""A story on a stack that runs already, and one whose TELLONCE_DATA names no running stack."""

import time
from pathlib import Path
from typing import Any

import pytest

from deploy.embedded.stack import EmbeddedStack
from deploy.story import stack as stacks
from deploy.story.asking import Asker
from deploy.story.errors import StoryStackUnusable
from deploy.story.file.reading import read_story
from tests.stories.conftest import playing_on
from tests.stories.files import GOOD, HERE, is_alone
from tests.stories.played import play

TENANT = "demo"
ASK_SECONDS = 15.0
SHIPPED = [story for story in GOOD if not is_alone(story)]
PLAYED_AGAIN = {"missed_call", "who_writes"}
"""One of calls alone, one of every channel that ends with a customer who was not known at its beginning."""

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
@pytest.mark.parametrize(("seconds", "fits"), [(30, True), (1, False)])
def test_a_story_whose_policy_the_running_stack_has_is_played_on_it(
    on_it: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, seconds: int, fits: bool
) -> None:
    """What it would lay over the policy is said there already, or it is refused with what to do."""
    for name, value in on_it.items():
        monkeypatch.setenv(name, value)
    path = tmp_path / "fits.yaml"
    path.write_text(
        f"story: fits\npolicy: {{times: {{offer_seconds: {seconds}}}}}\nsteps: [{{as: piotr, do: sign_in}}]"
    )
    story = read_story(path)
    if fits:
        found = stacks.running_stack(story, None)
        assert found is not None
        assert found.folder == Path(on_it["TELLONCE_DATA"])
    else:
        with pytest.raises(StoryStackUnusable, match="TELLONCE_POLICY"):
            stacks.running_stack(story, None)


@pytest.mark.story
@pytest.mark.parametrize("story", SHIPPED, ids=lambda story: story.stem)
async def test_a_shipped_story_is_met_and_may_be_played_again(
    story: Path, tmp_path: Path, running_stack: EmbeddedStack
) -> None:
    """The next play finds its customers registered, other ids, and nothing open: that would be in its way."""
    for _ in range(2 if story.stem in PLAYED_AGAIN else 1):
        before = await open_work(running_stack)
        play(story, tmp_path, environment=playing_on(running_stack)).check_met()
        assert await open_work(running_stack) == before


async def open_work(stack: EmbeddedStack) -> dict[str, Any]:
    """Return how many conversations of the tenant are offered, waiting and owned."""
    asker = Asker(TENANT)
    await asker.open(stack.bus_address())
    try:
        answer = await asker.query("inbox", {}, time.monotonic() + ASK_SECONDS)
    finally:
        await asker.close()
    counts: dict[str, Any] = answer["counts"]
    return counts


def test_the_stories_that_are_played_again_are_there() -> None:
    """Each name stands for a file that needs no stack of its own."""
    assert {story.stem for story in SHIPPED} > PLAYED_AGAIN


def test_where_no_stack_runs_the_story_gets_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """After `tellonce down` in the same shell a story is played all the same, and leaves the folder alone."""
    folder = tmp_path / "nobody"
    monkeypatch.setenv("TELLONCE_DATA", str(folder))
    assert stacks.running_stack(read_story(HERE / "missed_call.yaml"), None) is None
    assert f"no stack runs on TELLONCE_DATA={folder}" in capsys.readouterr().out
    assert not folder.exists()
