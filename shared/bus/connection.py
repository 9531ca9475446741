"""How every connection of the house behaves: it reconnects for ever and notices a silent server within 15 s.

The values are measured: with fewer tries a FastStream subscriber freezes the event loop (nats-py 2.16).
"""

from typing import Any

import structlog

CONNECT_TIMEOUT_SECONDS = 5
RECONNECT_DELAY_SECONDS = 0.1
PING_INTERVAL_SECONDS = 5
PINGS_OUTSTANDING_MAX = 2

log = structlog.get_logger("bus")


def connection_options(name: str) -> dict[str, Any]:
    """Return the options that every connection of the house has, also those that FastStream opens."""
    trouble = _Trouble()
    return {
        "name": name,
        "allow_reconnect": True,
        "max_reconnect_attempts": -1,
        "reconnect_time_wait": RECONNECT_DELAY_SECONDS,
        "ping_interval": PING_INTERVAL_SECONDS,
        "max_outstanding_pings": PINGS_OUTSTANDING_MAX,
        "connect_timeout": CONNECT_TIMEOUT_SECONDS,
        "error_cb": trouble.report,
        "reconnected_cb": trouble.end,
    }


class _Trouble:
    """Logs an error of the connection once, not at each of ten tries a second."""

    def __init__(self) -> None:
        self._last: type[Exception] | None = None

    async def report(self, error: Exception) -> None:
        if type(error) is not self._last:
            self._last = type(error)
            log.warning("bus_error_reported", error=type(error).__name__)

    async def end(self) -> None:
        self._last = None
        log.info("bus_reconnected")
