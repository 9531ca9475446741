"""The channels: one file each, all of the same shape, all pure. The shell does the HTTP."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from services.ingest.domain.delivery import Answer, RawDelivery, Secrets, WebRequest
from services.ingest.domain.outcome import Parsed
from shared import events, modules
from shared.policy import Account


class Channel(Protocol):
    """What every file here offers."""

    @property
    def NAME(self) -> str:  # noqa: N802  a constant of the module
        """The channel as it stands in addresses and accounts."""
        ...

    @property
    def MEDIUM(self) -> events.Medium:  # noqa: N802  likewise
        """How the customer comes."""
        ...

    @property
    def SECRETS(self) -> Sequence[str]:  # noqa: N802  likewise
        """The channel's names for the secrets that every account needs."""
        ...

    @property
    def KINDS(self) -> Mapping[str, str]:  # noqa: N802  likewise
        """The provider's word for each kind of delivery -> our event type, or `ignored`."""
        ...

    def handshake(self, request: WebRequest, secrets: Secrets) -> Answer | None:
        """Return the answer to a provider that tries the door by GET; `None` where none does.

        Raises: SignatureInvalid.
        """
        ...

    def verify(self, request: WebRequest, secrets: Secrets, public_url: str) -> None:
        """Check who sent a request, on its raw bytes. Raises: SignatureInvalid."""
        ...

    def answer(self, request: WebRequest, rules: Account) -> Answer:
        """Return what the door says once the delivery is stored."""
        ...

    def parse(self, raw: RawDelivery) -> Parsed:
        """Return the report of a stored delivery. The content of a delivery never makes `parse` raise."""
        ...


CHANNELS: Mapping[str, Channel] = modules.by_name(__name__, __path__)
"""Every file here, by name; a door without one does not exist."""
