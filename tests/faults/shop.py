"""A shop seen from outside: its doors, its colleagues' commands, and its ledger as it grows."""

import contextlib
import itertools
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec

from deploy.embedded.stack import EmbeddedStack
from deploy.story.providers import doors, provider_of
from services.router.tolerant_codec import TolerantCodec, is_unreadable
from shared import errors, subjects
from shared.backoff import Backoff
from shared.bus import Bus
from shared.ledger import Recorded
from shared.ledger.jetstream import NatsLedger
from tests.faults.asking import TENANT, wait
from tests.faults.observed import Observed

DELIVERED_WITHIN_SECONDS = 60.0
REQUEST_SECONDS = 4.0
COMMAND_SECONDS = 60.0
AGAIN = Backoff(first_seconds=0.2, longest_seconds=5.0)
"""Whoever gets no answer asks again ever more rarely: a service that is behind has more to do with every repetition."""


class Shop(ABC):
    """One stack under traffic, and what was observed of it. `reached`: what was read of its ledger."""

    def __init__(
        self, stack: EmbeddedStack, bus: Bus, observed: Observed, secrets: Mapping[str, str]
    ) -> None:
        self.stack, self.bus, self.observed = stack, bus, observed
        self.reached = 0
        self._secrets = secrets
        self._commands = itertools.count(1)
        self._http = httpx.AsyncClient(timeout=REQUEST_SECONDS, trust_env=False)

    async def close(self) -> None:
        await self._http.aclose()

    # -- doors ----------------------------------------------------------------------------------------

    def door(self, account: str) -> doors.Door:
        return doors.door_of(self.stack.addresses["ingest"], "", TENANT, account)

    def key(self, account: str) -> str:
        """Return what the provider of an account signs with."""
        return doors.secret_of(self.observed.policy.accounts[account], self._secrets)

    def delivery(self, account: str, content: Any) -> doors.Delivery:
        """Return what the provider of an account sends of `content`."""
        door, key = self.door(account), self.key(account)
        return doors.make_delivery(provider_of(account), door, content, key, {})

    async def deliver(self, delivery: doors.Delivery, marker: str = "") -> bool:
        """Deliver as a provider does: the same again until it is taken, or DELIVERED_WITHIN_SECONDS are over.

        `marker`: is noted as acknowledged, where one is given. Tells whether it was taken.
        """
        deadline = time.monotonic() + DELIVERED_WITHIN_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.TransportError):
                answer = await self._http.post(
                    self.url_of(delivery), headers=delivery.headers, content=delivery.body
                )
                if answer.status_code < 300:
                    if marker:
                        self.observed.acknowledged.setdefault(marker, datetime.now(UTC))
                    return True
            await wait()
        return False

    def url_of(self, delivery: doors.Delivery) -> str:
        """Return where a delivery goes now."""
        return delivery.url

    # -- the ledger -----------------------------------------------------------------------------------

    async def follow(self) -> None:
        """Read the ledger as it grows; until cancelled.

        While an older ledger stands in the place of the one that was followed, nothing is read.
        """
        while True:
            ledger = NatsLedger(self.bus, TolerantCodec())
            with contextlib.suppress(errors.StreamDrift):
                async with contextlib.aclosing(ledger.follow(self.reached)) as batches:  # type: ignore[type-var]
                    async for batch in batches:
                        self._read(batch)
            await wait()

    def _read(self, batch: Sequence[Recorded]) -> None:
        for each in batch:
            self.reached = each.sequence
            if not is_unreadable(each.event):
                self.observed.followed[each.sequence] = each.event.id
                self._see(each)

    @abstractmethod
    def _see(self, recorded: Recorded) -> None:
        """Take an event of the ledger."""

    # -- colleagues -----------------------------------------------------------------------------------

    async def does(self, who: str, verb: str, **fields: Any) -> bool:
        """Give a command until somebody answers, with the same bytes; tell whether it was done.

        `who`: an agent, or `service:<name>`.
        """
        command = {
            "command_id": f"f{self.observed.seed}-{next(self._commands)}",
            "issued_at": datetime.now(UTC).isoformat(),
            "actor": who if ":" in who else f"agent:{who}",
            **fields,
        }
        body, deadline = msgspec.json.encode(command), time.monotonic() + COMMAND_SECONDS
        for attempt in itertools.count(1):
            if time.monotonic() > deadline:
                break
            with contextlib.suppress(errors.TellonceError):
                answer = await self.bus.request(
                    subjects.command(TENANT, verb), body, timeout_seconds=REQUEST_SECONDS
                )
                reply = msgspec.json.decode(answer)
                if reply.get("ok"):
                    self.observed.replies.append(reply)
                    return True
                if not reply["error"]["retryable"]:
                    return False
            await AGAIN.pause(attempt)
        return False


def mail_body(addresses: Mapping[str, str], title: str, message_id: str, text: str) -> bytes:
    """Return a mail as its server hands it over. `addresses`: `from` and `to`."""
    lines = [
        f"From: <{addresses['from']}>",
        f"To: <{addresses['to']}>",
        f"Subject: {title}",
        f"Message-ID: <{message_id}>",
        "Date: Sun, 29 Nov 2026 10:00:00 +0000",
        "Content-Type: text/plain; charset=utf-8",
        "",
        text,
    ]
    return "\r\n".join(lines).encode()
