"""Where the stories are, and which are played on a stack of their own."""

from pathlib import Path

from deploy.story.file.model import KillStep
from deploy.story.file.reading import read_story

HERE = Path(__file__).parent
GOOD = sorted(HERE.glob("*.yaml"))
MUST_FAIL = sorted((HERE / "must_fail").glob("*.yaml"))
EVERY_STORY = [*GOOD, *MUST_FAIL]
REFERENCE = HERE.parents[1] / "docs" / "reference" / "stories.md"


def is_alone(story: Path) -> bool:
    """Whether a story changes the stack, or kills a part: nobody starts that again on the stack that tests share, whose
    supervisor sleeps while a story is played."""
    read = read_story(story)
    return read.needs_own_stack or any(isinstance(step, KillStep) for step in read.steps)
