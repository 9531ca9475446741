"""What an agent is told of a notification, as every transport gets it."""

import msgspec

from shared import events


class NotSent(Exception):
    """The transport cannot take a notice now; nobody waits until it can. `reason`: a stable word, no address."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Notice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A notice to an agent; a repeated notice has the same `notification_id`.

    Attributes:
        conversation: of what an account or a lane is told of, its aggregate: it is acknowledged under that name.
        about: id of the ledger event that it is about.
        recipient: who was to be told first: `agent-<id>` or `queue-<name>`.
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

    @property
    def to(self) -> str:
        """Whom to tell: `escalated`, else `recipient`."""
        return self.escalated or self.recipient
