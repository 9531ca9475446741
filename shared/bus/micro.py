"""The NATS micro protocol (ADR-32): a service says that it is there, by answering `$SRV.PING`, INFO and STATS.

The driver has this too, but answers to whatever subject a message names, also to one of a stream.
"""

import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from shared.bus.deliveries import Message, Subscription

if TYPE_CHECKING:
    from shared.bus import Bus

VERBS = ("PING", "INFO", "STATS")
ID_BYTES = 12


class Announcement:
    """One process of a service on the bus. `made` and not `withdrawn`: it is ready."""

    def __init__(self, bus: "Bus", name: str, version: str) -> None:
        self._bus = bus
        self._name = name
        self._said = {"name": name, "id": secrets.token_hex(ID_BYTES), "version": version}
        self._started = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._subscriptions: list[Subscription] = []

    @property
    def made(self) -> bool:
        """Whether the service answers now."""
        return bool(self._subscriptions)

    async def make(self) -> None:
        """Answer from now on. Raises: BusUnavailable."""
        if self.made:
            return
        for verb in VERBS:
            for subject in (
                f"$SRV.{verb}",
                f"$SRV.{verb}.{self._name}",
                f"$SRV.{verb}.{self._name}.{self._said['id']}",
            ):
                self._subscriptions.append(await self._bus.subscribe(subject, self._answer))

    async def withdraw(self) -> None:
        """Answer no more."""
        subscriptions, self._subscriptions = self._subscriptions, []
        for subscription in subscriptions:
            await subscription.stop()

    async def _answer(self, message: Message) -> None:
        verb = message.subject.split(".")[1]
        said: dict[str, Any] = {
            "type": f"io.nats.micro.v1.{verb.lower()}_response",
            **self._said,
            "metadata": {},
        }
        if verb == "INFO":
            said |= {"description": "", "endpoints": []}
        elif verb == "STATS":
            said |= {"started": self._started, "endpoints": []}
        await self._bus.answer(message.reply, msgspec.json.encode(said))
