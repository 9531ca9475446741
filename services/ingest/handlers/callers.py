"""Who calls, behind which proxies."""

import structlog
from starlette.requests import HTTPConnection

from services.ingest.domain.peers import peer_of
from services.ingest.handlers import logged
from shared.settings import Settings, proxies

log = structlog.get_logger("ingest")


class Callers:
    """Tells callers apart; a proxy that the settings do not trust counts as the caller of all that it brings."""

    def __init__(self, settings: Settings) -> None:
        self._trusted = proxies(settings)
        self._told = bool(self._trusted)

    def peer_of(self, connection: HTTPConnection) -> str:
        """Return the caller's address, as `domain.peers.peer_of`."""
        connected = connection.client.host if connection.client else None
        fields = connection.headers.getlist("x-forwarded-for")
        if fields and not self._told:
            self._told = True
            log.warning(logged.PROXY_NOT_TRUSTED, setting="TELLONCE_TRUSTED_PROXIES")
        return peer_of(
            connected, [each for one in fields for each in one.split(",")], self._trusted
        )
