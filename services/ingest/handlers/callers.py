"""Who calls, behind which proxies."""

from starlette.requests import HTTPConnection

from services.ingest.domain.peers import peer_of
from shared.settings import Settings, proxies


class Callers:
    """Tells callers apart; a proxy that the settings do not trust counts as the caller of all that it brings."""

    def __init__(self, settings: Settings) -> None:
        self._trusted = proxies(settings)

    def peer_of(self, connection: HTTPConnection) -> str:
        """Return the caller's address, as `domain.peers.peer_of`."""
        connected = connection.client.host if connection.client else None
        fields = connection.headers.getlist("x-forwarded-for")
        return peer_of(
            connected, [each for one in fields for each in one.split(",")], self._trusted
        )
