"""What is written to the customer, and what an agent was told."""

from typing import Annotated

from shared import events
from shared.commands.base import ID, ChannelName, Command, ConversationCommand, LongText, ShortWord
from shared.message_template import Template


class SendMessage(ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The owner writes to the customer. `channel`: one of the policy's that has an account with an address of its own;
    the customer is reached at a handle of the same kind.

    `quotes`: the event of a message of hers, as `said` of a packet names it, with which this one is shown where the
    channel can; `template`: is sent in the place of `text`, which then says for the record what she reads.
    What asks for facts that she told is sent, and the event in the reply names them, `told_already`; with `unless_told`
    it is refused instead.
    """

    verb = "send_message"
    channel: ChannelName
    text: LongText
    title: ShortWord | None = None
    quotes: Annotated[events.EventId, ID] | None = None
    template: Template | None = None
    unless_told: bool = False


class AcknowledgeNotification(
    ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """The agent has seen what she was told."""

    verb = "acknowledge_notification"
    served_by = "notify"
    notification_id: Annotated[events.NotificationId, ID]


MESSAGE_COMMANDS: tuple[type[Command], ...] = (
    SendMessage,
    AcknowledgeNotification,
)
