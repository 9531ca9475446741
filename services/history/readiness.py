"""Announces on the bus that history is ready. The announcement has its own connection, which can be closed alone."""

import structlog

from shared.bus import Bus, connect

log = structlog.get_logger("history")


class Announcement:
    """Answers `$SRV.PING.<name>` while the service is ready, and does not answer while it is not."""

    def __init__(self, nats_url: str, name: str, version: str) -> None:
        self._nats_url = nats_url
        self._name = name
        self._version = version
        self._bus: Bus | None = None

    async def ready(self) -> None:
        """Announce the service, once. Raises: BusUnavailable."""
        if self._bus is not None and not self._bus.closed:
            return
        bus = await connect(self._nats_url, f"{self._name}-ready")
        try:
            await bus.announce(self._name, self._version)
        except BaseException:
            await bus.close()
            raise
        self._bus = bus
        log.info("service_ready")

    async def not_ready(self) -> None:
        """Withdraw the announcement, if there is one."""
        bus, self._bus = self._bus, None
        if bus is not None:
            await bus.close()
            log.info("service_not_ready")
