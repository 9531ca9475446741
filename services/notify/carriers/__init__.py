"""What carries a rendered message to its provider, in two steps, because only the last can leave a doubt (ADR 0014)."""

import contextlib
from typing import Any, Protocol


class NotTaken(Exception):
    """The provider certainly has no copy. `answer`: the provider's refusal; `None`: the provider was unreachable."""

    def __init__(self, answer: Any = None) -> None:
        super().__init__(answer)
        self.answer = answer


class Unanswered(Exception):
    """The last step was taken and its answer never came: nobody knows whether the provider has it."""


class Transaction(Protocol):
    """A message that the provider has in full, except for the last step, which makes the provider responsible."""

    async def commit(self) -> Any:
        """Take that step and return the answer, which the channel's `outcome` reads. Raises: NotTaken, Unanswered."""
        ...

    async def again(self, pause_seconds: float) -> bool:
        """Wait, for so long or as the provider asked, and get ready to take a step again that was refused for a while.

        `False` at once where a refusal was the end. Raises: NotTaken.
        """
        ...


class Carrier(Protocol):
    """Brings rendered messages to a provider, for the channels that name this carrier."""

    def transaction(self, request: Any) -> contextlib.AbstractAsyncContextManager[Transaction]:
        """Bring a request to the provider; left without a commit, it is forgotten there.

        Raises on entering: NotTaken; Unsendable for what the provider's protocol has no way to say.
        """
        ...
