"""The conversation itself."""

from shared.commands.base import Command, ConversationCommand


class Resolve(ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The owner closes the matter; every contact must be wrapped up, and nothing written in it since."""

    verb = "resolve"
    confirmed_by_customer: bool | None = None


CONVERSATION_COMMANDS: tuple[type[Command], ...] = (Resolve,)
