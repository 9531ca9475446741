"""What is asked of whoever takes a contact, how long that is insisted on, and who is served before others."""

from typing import Annotated

from msgspec import Meta

from shared.strict import Name, Seconds, Strict

Level = Annotated[int, Meta(ge=1, le=5)]
Language = Annotated[str, Meta(pattern=r"^[a-z]{2,3}\Z")]
"""ISO 639, as the first part of a BCP 47 tag."""
PrioritySeconds = Annotated[int, Meta(ge=0, le=86_400)]


class Relaxation(Strict, frozen=True, kw_only=True):
    """From `after_seconds` of a wait on less is asked for.

    `level`: no more than so much of each skill, 0: no skill; `any_language`: hers need not be spoken; `overflow`: a
    queue whose agents are asked as well.
    """

    after_seconds: Seconds
    level: Annotated[int, Meta(ge=0, le=5)] = 5
    any_language: bool = False
    overflow: Name | None = None


RELAXES = (
    Relaxation(after_seconds=60, level=1),
    Relaxation(after_seconds=120, level=0, any_language=True),
)
"""Nobody waits for ever because nobody can do what was asked for. `relaxes: []` insists."""


class Priority(Strict, frozen=True, kw_only=True):
    """So many seconds ahead somebody stands, as if she had come earlier, whoever she is and wherever she comes in.

    `vip_seconds`: of a customer whom the shop calls one; `cart_seconds`: who has something in her cart at this moment.
    """

    vip_seconds: PrioritySeconds = 120
    cart_seconds: PrioritySeconds = 60
