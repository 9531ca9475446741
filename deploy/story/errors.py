"""What can go wrong with a story: its file, its stack, a step, an expectation."""

from typing import Any

from shared.errors import TellonceError


class StoryInvalid(TellonceError):
    code = "story.invalid"
    sentence = "the story file cannot be read or does not fit the format"


class StoryStackUnusable(TellonceError):
    code = "story.stack_unusable"
    sentence = "the stack does not start, does not answer or is not one that this story may change"


class StepFailed(Exception):
    """A step did not do what it says, or an expectation was not met.

    Attributes:
        code: which step or expectation it was, stable: `step.refused`, `expect.packet_fact_missing`, ….
        wanted, got: JSON values for the report.
    """

    def __init__(self, code: str, sentence: str, *, wanted: Any = None, got: Any = None) -> None:
        super().__init__(sentence)
        self.code = code
        self.wanted = wanted
        self.got = got
