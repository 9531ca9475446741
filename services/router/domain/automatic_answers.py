"""What a customer is told, once, whose message had to wait for a decision because many write (docs/adr/0069)."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime

from msgspec.structs import replace

from services.router.domain.decision import Decision
from services.router.domain.identify import identifies
from services.router.domain.recipients import answers, reaches
from shared import events, proof
from shared.commands import REMEMBERED
from shared.overload import AutomaticAnswer
from shared.policy import Account, Policy

OVERLOAD = "overload.answer"


def answer_overload(decision: Decision, event: events.InboundEvent) -> None:
    """Tell whoever wrote that the message is here, if it waited for longer than the policy allows and nobody has it.

    A machine is told nothing, nor is anybody at an address that is only claimed: others would get what she never asked
    for. What is decided a day late is not told either: it may be an old delivery that is read again.
    """
    rule = decision.policy.overload.answer
    if rule is not None and _is_meant(decision, event, rule):
        message_id = events.MessageId(decision.new_id("automatic_answer"))
        with acting(decision, OVERLOAD):
            answer_automatically(decision, event, rule, message_id)


@contextmanager
def acting(decision: Decision, rule: str) -> Iterator[None]:
    """The actor of what is decided meanwhile is a rule, with the policy's version."""
    before = decision.origin
    decision.origin = replace(before, actor=f"rule:{rule}@{before.policy_version}")
    try:
        yield
    finally:
        decision.origin = before


def answer_automatically(
    decision: Decision,
    event: events.InboundEvent,
    rule: AutomaticAnswer,
    message_id: events.MessageId,
) -> None:
    """Write to whoever wrote, where somebody vouches for the address and she does not object to being written to."""
    text = rule.text(decision.customer.language)
    reply_to(decision, event, text, message_id, by=rule.by)


def reply_to(
    decision: Decision,
    event: events.InboundEvent,
    text: str,
    message_id: events.MessageId,
    *,
    by: str | None,
) -> bool:
    """Answer whoever wrote, from where she wrote to or else `by`; return whether there was a way."""
    channel, name, account = _account(decision, event, by)
    given = event.personal.handles if event.personal else []
    if account is None:
        return False
    to = address(decision.policy, given, event.open.medium, channel, account)
    if to is None or decision.customer.withdrew(channel):
        return False
    writer = channel, name, account
    write_automatically(decision, writer, to, text, message_id, event.happened)
    return True


def write_automatically(
    decision: Decision,
    by: tuple[str, str, Account | None],
    to: events.Handle,
    text: str,
    message_id: events.MessageId,
    heard: datetime | None = None,
) -> None:
    """Write to the customer what no person wrote, which answers nothing.

    `by`: the channel, the name and the rules of the account that writes; `heard`: as in `message.requested`.
    """
    channel, name, account = by
    reference = answers(decision.conversation, to)
    decision.on_conversation(
        events.MessageRequested,
        events.MessageRequestedOpen(
            message_id=message_id, channel=channel, account=name, heard=heard
        ),
        events.MessageRequestedPersonal(
            to=to.value,
            title=account.title if account else None,
            text=text,
            in_reply_to=reference,
            references=[reference] if reference else [],
        ),
    )


def _is_meant(decision: Decision, event: events.InboundEvent, rule: AutomaticAnswer) -> bool:
    if not isinstance(event, events.MessageReceived | events.FormSubmitted) or event.open.automatic:
        return False
    ownership, talk = decision.conversation.ownership, decision.conversation.talk
    waited = decision.origin.recorded - event.recorded
    return (
        event.open.medium in rule.media
        and rule.after_seconds < waited.total_seconds() < REMEMBERED.total_seconds()
        and ownership.owner is None
        and ownership.queue is not None
        and not talk.automatic
    )


def _account(
    decision: Decision, event: events.InboundEvent, by: str | None
) -> tuple[str, str, Account | None]:
    """Return the channel, the name and the rules of the account that writes; none where no account can."""
    own = decision.policy.account(event.open.channel, event.open.account)
    if own is not None and own.address is not None:
        return event.open.channel, event.open.account, own
    channel, _, name = (by or "").partition("/")
    return channel, name, decision.policy.account(channel, name)


def address(
    policy: Policy,
    given: Iterable[events.Handle],
    medium: events.Medium,
    channel: str,
    account: Account,
) -> events.Handle | None:
    """Return from where she wrote, of the handles that came with it, as an account reaches her; `None` where nobody
    vouches for it."""
    kind = reaches(account)
    here = kind == "account" and medium == "chat"  # on her page, whoever she is
    for each in given:
        vouched = (here or proof.of(each) != "claimed") and identifies(policy, each)
        ours = kind != "account" or each.value.startswith(f"{channel}:")
        if each.kind == kind and vouched and ours:
            return each
    return None
