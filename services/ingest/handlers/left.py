"""Deliveries of accounts that left the policy: acknowledged to their senders, and normalised by nobody.

Each account is named as a trouble of ingest until it is in the policy again and its deliveries are normalised: with
whose rules they would be read is no guess of ours.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import structlog

from services.ingest.handlers import logged
from shared import errors, streams
from shared.bus import Bus
from shared.readiness import Trouble

LOOK_SECONDS = 10.0

log = structlog.get_logger("ingest")


class LeftAccounts:
    """Looks for consumers of RAW that have deliveries and that nobody reads.

    `known`: tells whether a tenant's account is in her policy; `troubles`: as of the last look.
    """

    def __init__(self, bus: Bus, known: Callable[[str, str, str], bool]) -> None:
        self._bus = bus
        self._known = known
        self.troubles: list[Trouble] = []

    async def run(self) -> None:
        """Look for ever. Raises: BusUnavailable when the connection was given up."""
        while True:
            try:
                await self.look()
            except errors.TellonceError:  # what keeps the server from answering is others' to tell
                if self._bus.closed:
                    raise
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Name the accounts whose deliveries wait for nobody. Raises: as `Bus.api`."""
        found = sorted([name async for name in self._waiting()])
        known = {each.about for each in self.troubles}
        self.troubles = [Trouble(code=errors.AccountLeft.code, about=name) for name in found]
        for name in found:
            if name not in known:
                log.error(logged.ACCOUNT_LEFT, account=name, code=errors.AccountLeft.code)

    async def _waiting(self) -> AsyncIterator[str]:
        seen, total = 0, 1
        while seen < total:
            page = await self._bus.api(f"CONSUMER.LIST.{streams.RAW}", {"offset": seen})
            consumers = page["consumers"] or []
            for info in consumers:
                name = self._account(info["config"])
                if name is not None and info["num_pending"] + info["num_ack_pending"]:
                    yield name
            seen += len(consumers)
            total = page["total"] if consumers else seen

    def _account(self, config: dict[str, Any]) -> str | None:
        """Return the account that left and whose deliveries a consumer normalised; `None` for any other consumer.

        It is named `<tenant>/<channel>/<name>`.
        """
        (subject,) = config.get("filter_subjects") or [config.get("filter_subject", "")]
        kind, *_, tenant, channel, name = ["", "", *subject.split(".")][-5:]
        ours = streams.ingest_normalise(tenant, channel, name) == config.get("durable_name")
        if kind != "raw" or not ours or self._known(tenant, channel, name):
            return None
        return f"{tenant}/{channel}/{name}"
