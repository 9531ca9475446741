"""Where the stories are."""

from pathlib import Path

HERE = Path(__file__).parent
GOOD = sorted(HERE.glob("*.yaml"))
MUST_FAIL = sorted((HERE / "must_fail").glob("*.yaml"))
EVERY_STORY = [*GOOD, *MUST_FAIL]
REFERENCE = HERE.parents[1] / "docs" / "reference" / "stories.md"
