"""The channels to the customer: one file each, all of the same shape, all pure. A carrier does the I/O."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from services.notify.domain.asking import Doubt
from services.notify.domain.messages import CustomerMessage
from services.notify.domain.outcomes import Outcome
from shared import events, modules


class Outbound(Protocol):
    """What every file here offers."""

    @property
    def NAME(self) -> str:  # noqa: N802  a constant of the module
        """The channel as it stands in accounts and events."""
        ...

    @property
    def MEDIUM(self) -> events.Medium:  # noqa: N802  likewise
        """How the customer is reached."""
        ...

    @property
    def CARRIER(self) -> str:  # noqa: N802  likewise
        """The name of the carrier that takes the result of `render`; `outcome` reads the carrier's answers."""
        ...

    @property
    def SECRETS(self) -> Sequence[str]:  # noqa: N802  likewise
        """The channel's names for the secrets that it needs to write."""
        ...

    @property
    def TEMPLATES(self) -> bool:  # noqa: N802  likewise
        """Whether the provider takes words that it has approved, by their name."""
        ...

    def address(self, to: str) -> str | None:
        """Return an address in the provider's form; `None` when the provider takes no such address."""
        ...

    def render(self, message: CustomerMessage, now: datetime) -> Any:
        """Return what the carrier takes. Raises: Unsendable."""
        ...

    def parts(self, message: CustomerMessage) -> int | None:
        """Return in how many pieces a message travels, where each is paid for; `None` where nobody counts them."""
        ...

    def outcome(self, answer: Any) -> Outcome:
        """Return what the provider's answer means; an answer that is not in its table is a doubt."""
        ...

    def ask(self, message: CustomerMessage, doubt: Doubt) -> Any:
        """Return what the carrier takes to find out whether the provider has a message; `None` if nothing can.

        That may be the message again, where the provider has a key under which it takes it once. Raises: Unsendable.
        """
        ...

    def found(self, answer: Any, message: CustomerMessage, doubt: Doubt) -> Outcome:
        """Return what the answer to `ask` means; `temporary`: it says nothing, ask again."""
        ...


CHANNELS: Mapping[str, Outbound] = modules.by_name(__name__, __path__)
"""Every file here, by name; a message to another channel fails with `channel_unknown`."""
