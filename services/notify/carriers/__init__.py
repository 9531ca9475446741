"""What carries a rendered message to its provider, in two steps, because only the last can leave a doubt (ADR 0014)."""

import contextlib
from typing import Any, Protocol


class NotTaken(Exception):
    """The provider does not have it, and we know it. `answer`: its refusal; `None`: it could not be reached."""

    def __init__(self, answer: Any = None) -> None:
        super().__init__(answer)
        self.answer = answer


class Unanswered(Exception):
    """The last step was taken and its answer never came: nobody knows whether the provider has it."""


class Transaction(Protocol):
    """A message that is at its provider in full, but for the step that makes it the provider's."""

    async def commit(self) -> Any:
        """Take that step and return the answer, which the channel's `outcome` reads. Raises: NotTaken, Unanswered."""
        ...


class Carrier(Protocol):
    """Takes what the channels that name it render."""

    def transaction(self, request: Any) -> contextlib.AbstractAsyncContextManager[Transaction]:
        """Bring a request to the provider; left without a commit, it is forgotten there.

        Raises on entering: NotTaken.
        """
        ...
