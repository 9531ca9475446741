"""A message to the customer as its channel gets it: complete, both addresses in the provider's form."""

from collections.abc import Callable

import msgspec

from shared import events
from shared.policy import Account


class Unsendable(Exception):
    """The message can never leave as it is. `reason`: a stable word, without personal data."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class CustomerMessage(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent wrote to a customer.

    Attributes:
        sender, to: the account's own address and the customer's, as `Outbound.address` returns them.
        title: the agent's, else the account's.
        in_reply_to: the provider's id of the message that this one answers.
        references: the ids of the thread, oldest first.
    """

    id: events.MessageId
    conversation: events.ConversationId
    sender: str
    to: str
    title: str | None
    text: str
    in_reply_to: str | None
    references: list[str]


def customer_message(
    event: events.MessageRequested, account: Account | None, address: Callable[[str], str | None]
) -> CustomerMessage:
    """Return the message that an event asks for. `address`: `Outbound.address` of its channel.

    Raises: Unsendable with `sender_unknown`, `erased` or `address_invalid`.
    """
    if account is None or account.address is None:
        raise Unsendable("sender_unknown")
    if event.personal is None or event.conversation is None:
        raise Unsendable("erased")
    sender, to = address(account.address), address(event.personal.to)
    if sender is None or to is None:
        raise Unsendable("address_invalid")
    return CustomerMessage(
        id=event.open.message_id,
        conversation=event.conversation,
        sender=sender,
        to=to,
        title=event.personal.title or account.title,
        text=event.personal.text,
        in_reply_to=event.personal.in_reply_to,
        references=event.personal.references,
    )
