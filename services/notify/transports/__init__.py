"""The transports that tell agents: one file each, all of the same shape."""

from collections.abc import Callable, Mapping
from typing import Protocol

from services.notify.domain.notices import Notice
from services.notify.transports.screen import Screen
from shared.bus import Bus
from shared.policies import Policies
from shared.settings import Settings


class Transport(Protocol):
    """What every file here offers."""

    async def send(self, tenant: str, notice: Notice) -> None:
        """Tell `notice.to`, within `SEND_TIMEOUT_SECONDS`. The same notice may come again after a crash.

        Raises: NotSent; BusUnavailable when nothing at all can be told, so that all is tried again.
        """
        ...


TRANSPORTS: Mapping[str, Callable[[Bus, Settings, Policies], Transport]] = {
    transport.NAME: transport for transport in (Screen,)
}
"""By name, as policy and events name them; each is made of what notify has."""
