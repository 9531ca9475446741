"""A message to the customer as its channel gets it: complete, both addresses in the provider's form."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import msgspec

from shared import events, mail_reference, message_reference
from shared.message_reference import MessageReference
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
        in_reply_to: the provider's id of the message that this one answers or quotes.
        heard: when she last wrote to this account; `None`: not known here.
        template: what is sent in the place of `text`.
        references: the ids of the thread, oldest first.
        own_reference: names the message in whatever the provider gives back to us; see `shared.message_reference`.
        reply_mark: shows whoever answers by mail to have it from us; see `shared.mail_reference`.
        agent: the name of who wrote it; automatic: no person did.
        account: the account's short name, `door`: the address at which ingest takes the provider's reports on it.
        secrets: those of the account that have a value, by what the channel calls each.
        api: the base of the provider's addresses, where it is not the public one.
        smtp, oauth: as the account has them.
    """

    id: events.MessageId
    tenant: str
    conversation: events.ConversationId
    sender: str
    to: str
    title: str | None
    text: str
    in_reply_to: str | None
    references: list[str]
    own_reference: str
    reply_mark: str | None = None
    heard: datetime | None = None
    template: events.MessageTemplate | None = None
    agent: str | None = None
    automatic: bool = False
    account: str
    door: str = ""
    secrets: Mapping[str, str] = {}
    api: str | None = None
    smtp: str | None = None
    oauth: str | None = None

    def secret(self, name: str) -> str:
        """Return a secret of the account. Raises: Unsendable with `secret_missing`."""
        if not self.secrets.get(name):
            raise Unsendable("secret_missing")
        return self.secrets[name]

    def is_within(self, window: timedelta, now: datetime) -> bool:
        """Tell whether she wrote so lately; of whom that is not known, the provider will say."""
        return self.heard is None or now - self.heard <= window


def uncounted(message: CustomerMessage) -> int | None:  # noqa: ARG001  the shape all channels share
    """Return `None`: nobody pays for pieces on this channel."""
    return None


class SendingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What notify knows besides the policy.

    `secrets`: by name; `public_url`: under which providers reach the doors; `reply_keys`: by tenant.
    """

    secrets: Mapping[str, str] = {}
    public_url: str = ""
    reply_keys: Mapping[str, mail_reference.ReplyKeys] = {}


def customer_message(
    event: events.MessageRequested,
    account: Account | None,
    address: Callable[[str], str | None],
    around: SendingSettings,
    agent: str | None = None,
) -> CustomerMessage:
    """Return the message that an event asks for. `address`: `Outbound.address` of its channel; `agent`: her name.

    Raises: Unsendable with `sender_unknown`, `erased` or `address_invalid`.
    """
    if account is None or account.address is None:
        raise Unsendable("sender_unknown")
    if event.personal is None or event.conversation is None:
        raise Unsendable("erased")
    reference = MessageReference(event.open.message_id, event.conversation)
    sender, to = address(account.address), address(event.personal.to)
    if sender is None or to is None:
        raise Unsendable("address_invalid")
    return CustomerMessage(
        id=event.open.message_id,
        tenant=event.tenant,
        conversation=event.conversation,
        sender=sender,
        to=to,
        title=event.personal.title or account.title,
        text=event.personal.text,
        in_reply_to=event.personal.in_reply_to,
        references=event.personal.references,
        heard=event.open.heard,
        template=event.personal.template,
        own_reference=message_reference.write(reference.message, reference.conversation),
        reply_mark=around.reply_keys.get(event.tenant, mail_reference.NO_KEYS).mark(reference),
        agent=agent,
        automatic=event.open.agent is None,
        account=event.open.account,
        door=_door(event, around.public_url),
        secrets={
            name: around.secrets[key]
            for name, key in account.secrets.items()
            if around.secrets.get(key)
        },
        api=account.api,
        smtp=account.smtp,
        oauth=account.oauth,
    )


def _door(event: events.MessageRequested, public_url: str) -> str:
    opened = event.open
    base = public_url.rstrip("/")
    return f"{base}/in/{event.tenant}/{opened.channel}/{opened.account}" if base else ""
