"""A contact is taken, recorded and wrapped up."""

from typing import Annotated, Literal

from msgspec import Meta

from shared import events
from shared.commands.base import (
    ID,
    Command,
    ConversationCommand,
    FactName,
    LongText,
    ShortText,
    ShortWord,
)
from shared.commands.people import KnownHandle


class AcceptOffer(ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The agent takes the contact that was offered."""

    verb = "accept_offer"
    offer_id: Annotated[events.OfferId, ID]


class RejectOffer(ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The agent refuses the contact that was offered."""

    verb = "reject_offer"
    offer_id: Annotated[events.OfferId, ID]
    reason: FactName | None = None


class RecordContact(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The agent records that a customer came to the counter, or wrote a letter: it joins her matter or opens one.

    `text`: what she said or wrote; `handles`: who it is, `verified` where the agent saw it proved; `at`: when it was,
    at most 366 days ago, now unless it is given. The reply's event names the conversation.
    """

    verb = "record_contact"
    medium: Literal["visit", "letter"]
    text: LongText
    name: ShortWord | None = None
    handles: Annotated[list[KnownHandle], Meta(max_length=16)] = []
    at: events.Instant | None = None


class WrapUp(ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The agent says how the contact went; without `contact_id`, all contacts not wrapped up yet.

    `disposition`: of the policy's, where it lists any, and with a `next_step` where it says so.
    """

    verb = "wrap_up"
    disposition: FactName
    summary: ShortText
    next_step: ShortText | None = None
    confirmed_by_customer: bool | None = None
    contact_id: Annotated[events.ContactId, ID] | None = None


CONTACT_COMMANDS: tuple[type[Command], ...] = (
    AcceptOffer,
    RejectOffer,
    RecordContact,
    WrapUp,
)
