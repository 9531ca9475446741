"""How every connection of the house behaves: it reconnects for ever and notices a silent server within 15 s.

The values are measured: with fewer tries a FastStream subscriber freezes the event loop (nats-py 2.16).
"""

import asyncio
import re
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from shared import errors, nkey
from shared.bus_address import BusAddress

CONNECT_TIMEOUT_SECONDS = 5
RECONNECT_DELAY_SECONDS = 0.1
PING_INTERVAL_SECONDS = 5
PINGS_OUTSTANDING_MAX = 2
FORBIDDEN_MAX = 1_000
UNKNOWN_WORDS = ("authorization", "authentication")
"""What a server says to whom it does not know, or not any more (nats-server, `errors.go`)."""
TOO_LATE = "timeout"
"""What it says to whom it may know, who was too slow to say so."""
_FORBIDDEN = re.compile(r'permissions violation for (publish|subscription) to "([^"]*)"')
_SUBSCRIPTION = "subscription"

log = structlog.get_logger("bus")


class Standing:
    """What the server holds against a connection: it does not know us, or does not let us do something.

    It says so by the way, and whoever waits for an answer would wait in vain: who waits looks here.
    `on_end`: ends the connection; it is called when there is no use in going on.
    `on_error`: called with each error first.
    """

    def __init__(self, address: BusAddress) -> None:
        self.address = address
        self.on_end: Callable[[], Coroutine[None, None, None]] | None = None
        self.on_error: Callable[[], None] = lambda: None
        self.reason: errors.TellonceError | None = None
        self._forbidden: set[str] = set()
        self._reported: set[type[Exception]] = set()

    def check(self, subject: str) -> None:
        """Raises: BusForbidden when the server has taken nothing from us on a subject."""
        if self._forbidden and subject.lower() in self._forbidden:  # in the driver's spelling
            raise errors.BusForbidden(subject=subject)

    async def report(self, error: Exception) -> None:
        """Note an error; log each kind of the connection once, not at each of ten tries a second.

        Raises: BusUnauthorized, BusForbidden, to end the first try to connect.
        """
        self.on_error()
        said = str(error).lower()
        if found := _FORBIDDEN.search(said):
            await self._forbid(*found.groups())
        elif TOO_LATE not in said and any(word in said for word in UNKNOWN_WORDS):
            self._give_up(errors.BusUnauthorized())
        elif type(error) not in self._reported:
            self._reported.add(type(error))
            log.warning("bus_error_reported", error=type(error).__name__)

    async def begin_again(self) -> None:
        """Forget what another connection was told."""
        self._reported.clear()
        self._forbidden.clear()
        log.info("bus_reconnected")

    async def _forbid(self, act: str, subject: str) -> None:
        if subject in self._forbidden or len(self._forbidden) >= FORBIDDEN_MAX:
            return
        refused = errors.BusForbidden(subject=subject)
        log.error("bus_act_forbidden", act=act, subject=subject, code=refused.code)
        if act == _SUBSCRIPTION:  # nothing would ever come, without a word
            self._give_up(refused)
        else:
            self._forbidden.add(subject)

    def _give_up(self, reason: errors.TellonceError) -> None:
        if self.on_end is None:
            raise reason
        if self.reason is None:
            self.reason = reason
            self._ending = asyncio.create_task(self.on_end())  # not within the driver's own task


def connection_options(name: str, standing: Standing) -> dict[str, Any]:
    """Return the options that every connection of the house has, also those that FastStream opens."""
    key = standing.address.key()
    return {
        "name": name,
        "allow_reconnect": True,
        "max_reconnect_attempts": -1,
        "reconnect_time_wait": RECONNECT_DELAY_SECONDS,
        "ping_interval": PING_INTERVAL_SECONDS,
        "max_outstanding_pings": PINGS_OUTSTANDING_MAX,
        "connect_timeout": CONNECT_TIMEOUT_SECONDS,
        "inbox_prefix": nkey.inbox_of(key.public) if key else nkey.INBOX,
        "error_cb": standing.report,
        "reconnected_cb": standing.begin_again,
    }
