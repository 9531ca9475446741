"""The agents' screens: one JSON message per notification on `screen.<tenant>.<recipient>`.

Lossy on purpose: nobody may be looking. That is why it is escalated when nobody acknowledges.
"""

from __future__ import annotations

import msgspec
import structlog

from shared import events, subjects
from shared.bus import Bus

FLUSH_TIMEOUT_SECONDS = 2.0

log = structlog.get_logger("notify.screen")


class ScreenMessage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a screen shows.

    Attributes:
        about: id of the ledger event that it is about.
        recipient: who was to be told first.
        packet_id: the context that the new owner acknowledged; `query.<tenant>.context` returns it.
        escalated: who is told now because nobody acknowledged.
    """

    notification_id: events.NotificationId
    reason: events.NotificationReason
    conversation: events.ConversationId
    about: str
    recipient: str
    packet_id: events.PacketId | None = None
    escalated: str | None = None


class Screens:
    """Shows messages; one that comes again has the same `notification_id`."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def show(self, tenant: str, message: ScreenMessage) -> None:
        """Send it to the screens of `escalated`, else of the recipient.

        Raises: BusUnavailable when the server did not take it.
        """
        to = message.escalated or message.recipient
        await self._bus.publish(subjects.screen(tenant, to), msgspec.json.encode(message))
        await self._bus.flush(FLUSH_TIMEOUT_SECONDS)
        log.info(
            "notification_shown",
            notification_id=message.notification_id,
            conversation=message.conversation,
            reason=message.reason,
            to=to,
            escalated=message.escalated is not None,
        )
