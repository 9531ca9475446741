"""The agents' screens: one JSON message per notice on `screen.<tenant>.<recipient>`.

Lossy on purpose: nobody may be looking. That is why a notification is escalated when nobody acknowledges it.
"""

import msgspec

from services.notify.domain.notices import Notice
from shared import subjects
from shared.bus import Bus
from shared.policies import Policies
from shared.settings import Settings

FLUSH_TIMEOUT_SECONDS = 2.0


class Screen:
    """Shows notices on the screens of whoever follows the recipient's subject."""

    NAME = "screen"

    def __init__(self, bus: Bus, settings: Settings, policies: Policies) -> None:  # noqa: ARG002  the shared shape
        self._bus = bus

    async def send(self, tenant: str, notice: Notice) -> None:
        """See `Transport.send`. Raises: BusUnavailable when the server did not take it."""
        await self._bus.publish(subjects.screen(tenant, notice.to), msgspec.json.encode(notice))
        await self._bus.flush(FLUSH_TIMEOUT_SECONDS)
