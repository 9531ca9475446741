"""The owner writes to the customer."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

from services.router.domain import another_way
from services.router.domain.callbacks import close_callbacks
from services.router.domain.decision import Decision
from services.router.domain.facts import told_already
from services.router.domain.recipients import (
    account_to_write_from,
    answers,
    is_hers,
    may_be_hers,
    names,
    recipient,
    remember_address,
)
from shared import commands, errors, events
from shared.conversation import Conversation
from shared.policy import Account

ANSWERED = "answered"
"""Why a callback ends whose customer wrote since, and has her answer."""


def send_message(decision: Decision, command: commands.SendMessage) -> None:
    """The owner writes to whoever is answered, on a channel.

    An address that nobody holds is remembered: an answer from there is this customer's. If she wrote after a call that
    is owed to her, she has her answer, and it is owed no longer. What asks for a fact that she told says so.
    Raises: MessageChannelUnknown, MessageNoAddress, MessageConsentWithdrawn, MessageAsksAgain, MessageQuoteUnknown,
    TextHasNul.
    """
    if any("\0" in each for each in _texts(command)):
        raise errors.TextHasNul()
    name, account = account_to_write_from(decision.policy, decision.conversation, command.channel)
    to = recipient(decision.policy, decision.loaded, command.channel)
    if to is None:
        raise errors.MessageNoAddress(channel=command.channel)
    if decision.customer.withdrew(command.channel):
        raise errors.MessageConsentWithdrawn(channel=command.channel)
    told = told_already(decision.policy, decision.conversation, command.text)
    if told and command.unless_told:
        raise errors.MessageAsksAgain(facts=", ".join(told))
    quoted = _quoted(decision.conversation, command, name)
    reference = quoted or answers(decision.conversation, to)
    decision.on_conversation(
        events.MessageRequested,
        events.MessageRequestedOpen(
            message_id=events.MessageId(decision.new_id("message")),
            channel=command.channel,
            account=name,
            agent=decision.by,
            deliver_by=_deliver_by(decision, account, to),
            heard=_heard(decision.conversation, command.channel, name, to),
            told_already=told,
        ),
        events.MessageRequestedPersonal(
            to=to.value,
            title=command.title or account.title,
            text=command.text,
            in_reply_to=reference,
            references=[reference] if reference else [],
            template=_template(command),
        ),
    )
    if is_hers(decision, to):
        remember_address(decision)
    if _wrote_last(decision):
        close_callbacks(decision, ANSWERED)


def _deliver_by(decision: Decision, account: Account, to: events.Handle) -> datetime | None:
    """Return until when a message may reach her by its own way; `None` where there is no other one."""
    known = (decision.conversation, decision.customer)
    if account.when_away is None or (
        another_way.address(decision.policy, account, *known, to.value) is None
    ):
        return None
    return decision.origin.recorded + timedelta(seconds=account.when_away.after_seconds)


def _quoted(conversation: Conversation, command: commands.SendMessage, account: str) -> str | None:
    """Return the provider's id of the message that is quoted; `None` if none is. Raises: MessageQuoteUnknown.

    It came to the account that is written from: another one of the same provider does not know its id.
    """
    if command.quotes is None:
        return None
    quotable = conversation.talk.quotable.get(command.quotes)
    here = (command.channel, account)
    if quotable is None or (quotable.channel, quotable.account) != here:
        raise errors.MessageQuoteUnknown(quotes=command.quotes)
    return quotable.provider_id


def _heard(
    conversation: Conversation, channel: str, account: str, to: events.Handle
) -> datetime | None:
    """Return when she last did anything on an account, from where she is written to; `None`: not known here."""
    here = (
        each
        for each in conversation.contacts.by_id.values()
        if (each.channel, each.account) == (channel, account) and names(each, to)
    )
    times = [at for each in here for at in (each.heard, each.reacted) if at is not None]
    return max(times, default=None)


def _template(command: commands.SendMessage) -> events.MessageTemplate | None:
    wanted = command.template
    if wanted is None:
        return None
    return msgspec.convert(wanted, events.MessageTemplate, from_attributes=True)


def _texts(command: commands.SendMessage) -> Iterator[str]:
    """Yield what a message says, in its own words and in the places of a template."""
    yield from (command.text, command.title or "")
    template = command.template
    if template is not None:
        yield from (*template.parameters, template.header or "")
        yield from (each.value for each in template.buttons)
        yield (template.header_file and template.header_file.name) or ""


def _wrote_last(decision: Decision) -> bool:
    """Tell whether the customer was heard last by what she wrote: who is written to after a call is not reached yet."""
    latest = decision.conversation.contacts.latest
    return latest is not None and latest.medium != "call" and may_be_hers(decision.customer, latest)
