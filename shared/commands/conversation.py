"""The conversation itself: labelled, put aside, closed, opened again."""

from typing import Annotated

from msgspec import Meta

from shared import events
from shared.commands.base import ChannelName, Command, ConversationCommand, Label, ShortText

Labels = Annotated[list[Label], Meta(max_length=16)]


class LabelConversation(ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The agent gives it labels, and takes labels away; also when it is resolved. It has 16 at most."""

    verb = "label"
    add: Labels = []
    remove: Labels = []


class Snooze(ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The owner puts it aside: it comes back at a time, or when the customer writes or calls.

    It takes none of her slots meanwhile. `until`: within 366 days; given again, the new time counts.
    """

    verb = "snooze"
    until: events.Instant


class Wake(ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The owner goes on now with what she had put aside."""

    verb = "wake"


class SwitchChannel(ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The owner goes on with the customer on another channel, where she is known: what was told goes along.

    `channel`: as of `send_message`; one of calls, where she calls her. Nothing is sent by it.
    """

    verb = "switch_channel"
    channel: ChannelName


class Resolve(ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The owner closes the matter; every contact must be wrapped up, and nothing written in it since."""

    verb = "resolve"
    confirmed_by_customer: bool | None = None


class Reopen(ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An agent goes on with a resolved matter, within the policy's time; it is hers then, and is wrapped up again."""

    verb = "reopen"
    reason: ShortText


CONVERSATION_COMMANDS: tuple[type[Command], ...] = (
    LabelConversation,
    Snooze,
    Wake,
    SwitchChannel,
    Resolve,
    Reopen,
)
