"""What every question and every answer has."""

from typing import Annotated, Any, ClassVar, Generic, TypeVar, cast

import msgspec
from msgspec import Meta

Position = Annotated[int, Meta(ge=0, le=2**53)]
Id = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.:-]{1,128}\Z")]
Name = Annotated[str, Meta(pattern=r"^[a-z0-9_-]{1,48}\Z")]

Cursor = Annotated[str, Meta(min_length=1, max_length=2_048)]
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

    `min_seq`: a position (of a command's reply) that the answer must hold; it waits for it, within a limit. A position
    that the ledger does not hold is refused at once.
    """

    name: ClassVar[str]
    served_by: ClassVar[str] = "history"
    one_of: ClassVar[tuple[str, ...]] = ()
    """Fields of which exactly one is given."""

    min_seq: Position | None = None

    def __post_init__(self) -> None:
        if self.one_of and sum(getattr(self, name) is not None for name in self.one_of) != 1:
            raise ValueError(f"exactly one of {', '.join(self.one_of)}")


class ListAnswer(Answer, frozen=True, kw_only=True):
    """One page of a list. `count`: how many there are in all, on whatever page; `next`: see `ListQuestion`."""

    count: int
    next: str | None


class ListQuestion(Question[AnswerT], Generic[AnswerT], frozen=True, kw_only=True):
    """A question whose answer is a list, a page at a time.

    `after`: the `next` of the page before, which is `None` on the last page; `limit`: lines at most.
    """

    after: Cursor | None = None
    limit: Annotated[int, Meta(ge=1, le=10_000)] | None = None


def answer_to(question: type[Question[AnswerT]]) -> type[AnswerT]:
    """Return the answer of a kind of question: what stands in the brackets of its `Question[…]`."""
    (base,) = cast("Any", question).__orig_bases__
    return cast("type[AnswerT]", base.__args__[0])
