"""What every question and every answer has."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Generic, TypeVar, cast

import msgspec
from msgspec import Meta

Position = Annotated[int, Meta(ge=0, le=2**53)]
Id = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.:-]{1,128}\Z")]
Name = Annotated[str, Meta(pattern=r"^[a-z0-9_-]{1,48}\Z")]

AnswerT = TypeVar("AnswerT", bound=msgspec.Struct)


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What every answer says."""

    position: int


class Question(
    msgspec.Struct,
    Generic[AnswerT],
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
):
    """What every question may say.

    `min_seq`: a position (of a command's reply) that the answer must hold; it waits for it, within a limit.
    """

    name: ClassVar[str]
    served_by: ClassVar[str] = "history"

    min_seq: Position | None = None


def answer_to(question: type[Question[AnswerT]]) -> type[AnswerT]:
    """Return the answer of a kind of question: what stands in the brackets of its `Question[…]`."""
    (base,) = cast("Any", question).__orig_bases__
    return cast("type[AnswerT]", base.__args__[0])


def exactly_one(**given: object) -> None:
    """Raises: ValueError unless one of the values is given."""
    if sum(value is not None for value in given.values()) != 1:
        raise ValueError(f"exactly one of {', '.join(given)}")
