"""Who the customer is."""

from typing import Annotated

import msgspec
from msgspec import Meta

from shared import events
from shared.commands.base import ID, Command, ConversationCommand, FactName, ShortWord


class KnownHandle(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A phone number or an e-mail address, and whether the shop has verified it.

    It may be written in any way; a national phone number is read in the tenant's `region`.
    """

    kind: events.HandleKind
    value: ShortWord
    verified: bool = False


class KnownOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    number: ShortWord
    status: FactName
    description: ShortWord | None = None


class RegisterCustomer(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A shop tells who its customer is, and again whenever something of her has changed.

    The customer's id derives from the command's, unless she wrote or called before: then she keeps hers, and her open
    conversations are known as hers. Who is registered already under this `external_id`, or by one of these handles and
    this name, is told anew: what is left out stays as it was. `external_id`: the shop's own id of its customer; two of
    them are two people, whatever name and handles they share. `vip`: she is served before others, as the policy says.
    """

    verb = "register_customer"
    name: ShortWord
    salutation: ShortWord | None = None
    language: Annotated[str, Meta(pattern=r"^[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*\Z")] | None = None
    handles: Annotated[list[KnownHandle], Meta(max_length=16)] = []
    orders: Annotated[list[KnownOrder], Meta(max_length=32)] = []
    external_id: ShortWord | None = None
    vip: bool | None = None


class ConfirmCustomer(ConversationCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The owner confirms who writes or calls: the contact's handles are this customer's, and proved.

    The conversation is hers from then on and goes on in her open matter, if she has one. `contact_id`: the last
    contact, unless it is given.
    """

    verb = "confirm_customer"
    customer: Annotated[events.CustomerId, ID]
    contact_id: Annotated[events.ContactId, ID] | None = None


PEOPLE_COMMANDS: tuple[type[Command], ...] = (
    RegisterCustomer,
    ConfirmCustomer,
)
