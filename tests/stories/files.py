"""Where the stories are, which are played on a stack of their own, and the policy that the others share."""

from functools import cache
from pathlib import Path

import yaml

from deploy.story.file.model import KillStep, Story
from deploy.story.file.reading import read_story
from deploy.story.stack import merged_policy, says
from shared.settings import Settings

HERE = Path(__file__).parent
GOOD = sorted([*HERE.glob("*.yaml"), *(HERE / "needs").glob("*.yaml")])
MUST_FAIL = sorted((HERE / "must_fail").glob("*.yaml"))
EVERY_STORY = [*GOOD, *MUST_FAIL]
REFERENCE = HERE.parents[1] / "docs" / "reference" / "stories.md"


ADDED = ("calendars", "out_of_hours", "queues", "agents", "accounts", "external")
"""What a story may add to the policy that others share: they do not meet it."""


@cache
def shared_policy() -> bytes:
    """Return the embedded policy with what all stories add that change nothing in it."""
    policy = Path(Settings().policy).read_bytes()
    for story in EVERY_STORY:
        laid_over = _read(story).head.policy
        if not laid_over.keys() <= set(ADDED):
            continue
        named = [(part, name) for part in ADDED for name in laid_over.get(part, {})]
        for part, name in named:
            if part != "accounts" and name in yaml.safe_load(policy).get(part, {}):
                continue  # a queue that asks for more, or an agent who can do less, is met by everybody
            merged = merged_policy(policy, {part: {name: laid_over[part][name]}})
            if says(merged, yaml.safe_load(policy)):
                policy = merged
    return policy


@cache
def is_alone(story: Path) -> bool:
    """Whether a story changes the stack, wants another policy, or kills a part.

    Nobody starts that again on the stack that tests share: its supervisor sleeps while a story is played.
    """
    read = _read(story)
    if read.needs_own_stack or not says(shared_policy(), read.head.policy):
        return True
    return any(isinstance(step, KillStep) for step in read.steps)


@cache
def _read(story: Path) -> Story:
    return read_story(story)
