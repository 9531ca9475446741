"""A story on a stack that runs already, and one whose TELLONCE_DATA names no running stack."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from deploy.embedded import state
from deploy.embedded.ports import free_ports
from deploy.embedded.stack import EmbeddedStack, Plan
from tests.stories.files import HERE
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
async def test_a_running_stack_is_measured_from_the_story_on(tmp_path: Path) -> None:
    """Two plays see one delivery and one mail each; without a place for the mail the story is refused."""
    story, data = tmp_path / "by_mail.yaml", tmp_path / "data"
    story.write_text(STORY)
    (port,) = free_ports(1)
    place = {"TELLONCE_SMTP_URL": f"smtp://127.0.0.1:{port}"}
    on_it = {"TELLONCE_DATA": str(data)}
    async with EmbeddedStack(Plan(folder=data, environment=place)):
        for seed in ("1", "2"):
            played = await asyncio.to_thread(
                play, story, tmp_path, "--seed", seed, environment={**on_it, **place}
            )
            assert played.exit_code == 0, played.output
            assert played.report["balance"]["received"] == 1
            assert [mail["count"] for mail in played.report["mails"]] == [1]
        refused = await asyncio.to_thread(play, story, tmp_path, environment=on_it)
    assert refused.exit_code == 2
    assert "story.stack_unusable" in refused.output


@pytest.mark.story
def test_where_no_stack_runs_the_story_gets_its_own(tmp_path: Path) -> None:
    """After `tellonce down` in the same shell a story is played all the same, and leaves the folder alone."""
    folder = tmp_path / "nobody"
    played = play(HERE / "missed_call.yaml", tmp_path, environment={"TELLONCE_DATA": str(folder)})
    assert played.exit_code == 0, played.output
    assert f"no stack runs on TELLONCE_DATA={folder}" in played.output
    assert state.holder(folder) is None
    assert not folder.exists()
