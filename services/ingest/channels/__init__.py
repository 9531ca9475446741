"""The channels: one file each, all of the same shape, all pure. The shell does the HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from services.ingest.channels import chat, email, form, twilio_voice
from services.ingest.domain.delivery import Answer, RawDelivery, WebRequest
from services.ingest.domain.outcome import Parsed
from shared.policy import Account


class Channel(Protocol):
    """What every file here offers."""

    @property
    def NAME(self) -> str:  # noqa: N802  a constant of the module
        """The channel as it stands in addresses and accounts."""
        ...

    @property
    def KINDS(self) -> Mapping[str, str]:  # noqa: N802  likewise
        """The provider's word for each kind of delivery -> our event type, or `ignored`."""
        ...

    def verify(self, request: WebRequest, secret: str, public_url: str) -> None:
        """Check who sent a request, on its raw bytes. Raises: SignatureInvalid."""
        ...

    def answer(self, request: WebRequest, rules: Account) -> Answer:
        """Return what the door says once the delivery is stored."""
        ...

    def parse(self, raw: RawDelivery) -> Parsed:
        """Return what a stored delivery reports. It never raises because of what a delivery holds."""
        ...


CHANNELS: Mapping[str, Channel] = {
    channel.NAME: channel for channel in (twilio_voice, chat, email, form)
}
"""By name; a door without an entry here does not exist."""
