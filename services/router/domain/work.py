"""The agent's work on a conversation: promises, callbacks, messages, wrap-up, the end."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

from services.router.domain import another_way
from services.router.domain.decision import Decision, Loaded, goes_on
from services.router.domain.handover import attach_packet
from services.router.domain.identify import identifies
from services.router.domain.lost_calls import next_call_due
from services.router.domain.offers import release, reserve
from services.router.domain.transfers import take_back
from shared import aggregates, commands, errors, events, handles, proof
from shared.conversation import Callback, Contact, Conversation
from shared.customer import Customer
from shared.packet import check_text
from shared.policy import Account, Policy

PROMISE_LONGEST = timedelta(days=3_660)
"""Ten years: nobody keeps a promise of today after them."""
RESOLVED = "resolved"
"""Why a callback ends that is still owed when the owner closes the matter."""
ANSWERED = "answered"
"""Why a callback ends whose customer wrote since, and has her answer."""


def make_promise(decision: Decision, command: commands.MakePromise) -> None:
    """Somebody promises something by a time. Raises: PromiseDueInvalid, TextTooLong, TextHasNul."""
    if not timedelta(0) < command.due - command.issued_at <= PROMISE_LONGEST:
        raise errors.PromiseDueInvalid()
    decision.on_conversation(
        events.PromiseMade,
        events.PromiseMadeOpen(
            promise_id=events.PromiseId(decision.new_id("promise")),
            agent=decision.by,
            due=command.due,
        ),
        events.PromiseMadePersonal(text=check_text(command.text)),
    )


def keep_promise(decision: Decision, command: commands.KeepPromise) -> None:
    """The promise was kept; once is enough. Raises: PromiseNotOpen."""
    promise_id = command.promise_id
    promise = decision.conversation.matter.promises.get(promise_id)
    if promise is None:
        raise errors.PromiseNotOpen(promise_id=promise_id, **goes_on(decision.conversation))
    if promise.kept is not None:
        return
    late = decision.origin.recorded > promise.due
    decision.on_conversation(
        events.PromiseKept,
        events.PromiseKeptOpen(promise_id=promise_id, agent=decision.by, late=late),
    )


def attempt_callback(decision: Decision, command: commands.AttemptCallback) -> None:
    """An agent called back. Reaching the customer is a hand-over: it carries the packet and makes her owner.

    Raises: CallbackNotOpen, ConversationNotOwned (somebody else owns the conversation by now).
    """
    agent_id, callback = decision.by, _open_callback(decision, command.callback_id)
    if command.outcome == "no_answer":
        tried = events.CallbackAttemptedOpen(
            callback_id=callback.callback_id,
            agent=agent_id,
            attempt=callback.attempts + 1,
            due=next_call_due(decision),
        )
        decision.on_conversation(events.CallbackAttempted, tried)
        return
    conversation = decision.conversation
    if conversation.ownership.owner not in (None, agent_id):
        raise errors.ConversationNotOwned()
    offer, packet_id = conversation.ownership.offer, attach_packet(decision)
    decision.on_conversation(
        events.CallbackReached,
        events.CallbackReachedOpen(
            callback_id=callback.callback_id, agent=agent_id, packet_id=packet_id
        ),
    )
    if offer is not None and offer.agent != agent_id:
        release(decision, offer.agent, "withdrawn")
    if conversation.id not in decision.agent(agent_id).working_on:
        reserve(decision, agent_id, events.OfferId(callback.callback_id), packet_id)


def close_callback(decision: Decision, command: commands.CloseCallback) -> None:
    """The callback ends for a stated reason. Raises: CallbackNotOpen."""
    callback = _open_callback(decision, command.callback_id)
    _close_callback(decision, callback.callback_id, check_text(command.reason))


def _close_callbacks(decision: Decision, reason: str) -> None:
    for callback in decision.conversation.matter.callbacks.values():
        if callback.status == "open":
            _close_callback(decision, callback.callback_id, reason)


def _close_callback(decision: Decision, callback_id: events.CallbackId, reason: str) -> None:
    closed = events.CallbackClosedOpen(callback_id=callback_id, agent=decision.by, reason=reason)
    decision.on_conversation(events.CallbackClosed, closed)


def _open_callback(decision: Decision, callback_id: events.CallbackId) -> Callback:
    callback = decision.conversation.matter.callbacks.get(callback_id)
    if callback is None or callback.status != "open":
        raise errors.CallbackNotOpen(callback_id=callback_id)
    return callback


def send_message(decision: Decision, command: commands.SendMessage) -> None:
    """The owner writes to whoever is answered, on a channel.

    An address that nobody holds is remembered: an answer from there is this customer's. If she wrote after a call that
    is owed to her, she has her answer, and it is owed no longer.
    Raises: MessageChannelUnknown, MessageNoAddress, MessageConsentWithdrawn, MessageQuoteUnknown, TextHasNul.
    """
    if any("\0" in each for each in _texts(command)):
        raise errors.TextHasNul()
    name, account = _account_to_write_from(decision.policy, decision.conversation, command.channel)
    to = recipient(decision.policy, decision.loaded, command.channel)
    if to is None:
        raise errors.MessageNoAddress(channel=command.channel)
    if decision.customer.withdrew(command.channel):
        raise errors.MessageConsentWithdrawn(channel=command.channel)
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
        _close_callbacks(decision, ANSWERED)


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
        if (each.channel, each.account) == (channel, account) and _names(each, to)
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
    return (
        latest is not None and latest.medium != "call" and _may_be_hers(decision.customer, latest)
    )


def answers(conversation: Conversation, to: events.Handle) -> str | None:
    """Return what a message to an address answers: the last mail from there, and nobody else's."""
    wrote = (each for each in conversation.contacts.by_heard if _names(each, to))
    return next((each.reference for each in wrote if each.reference), None)


def _names(contact: Contact, handle: events.Handle) -> bool:
    return any((each.kind, each.value) == (handle.kind, handle.value) for each in contact.handles)


def is_hers(decision: Decision, to: events.Handle) -> bool:
    """Tell whether she gave an address herself: that of somebody else who wrote in her matter is not hers."""
    customer, contacts = decision.customer, decision.conversation.contacts.by_id.values()
    given = [each for each in contacts if _names(each, to)]
    claimed = any((each.kind, each.value) == (to.kind, to.value) for each in customer.handles)
    return claimed or any(_may_be_hers(customer, each) for each in given)


def _may_be_hers(customer: Customer, contact: Contact) -> bool:
    """Tell whether she may have been on a contact: nobody else was, as far as more than a claim says who was."""
    known = {(each.kind, each.value) for each in customer.handles}
    heard = [each for each in contact.handles if proof.of(each) != "claimed"]
    return not heard or any((each.kind, each.value) in known for each in heard)


def recipient(policy: Policy, loaded: Loaded, channel: str) -> events.Handle | None:
    """Return where an answer on a channel goes; `None` without an address. Raises: MessageChannelUnknown.

    It goes to whoever wrote or called last, if she is known by more than a claim; else to the customer, the best proved
    handle first; else to what was claimed last. What somebody else wrote from is only for an answer to him.
    """
    _, account = _account_to_write_from(policy, loaded.conversation, channel)
    kind = reaches(account)
    contacts = loaded.conversation.contacts.by_heard
    last = contacts[0].handles if contacts else ()
    hers = [
        events.Handle(kind=kind, value=each.value, proof=proof.of(each))
        for each in loaded.customer.handles
        if each.kind == kind
    ]
    hers.sort(key=lambda each: -proof.RANK[proof.of(each)])
    given = [each for each in contacts if _may_be_hers(loaded.customer, each)]
    earlier = [handle for contact in given for handle in contact.handles]
    known = [
        *(each for each in last if proof.of(each) != "claimed"),
        *(each for each in hers if proof.of(each) != "claimed"),
        *earlier,
        *hers,
    ]
    reached = (each for each in known if each.kind == kind and identifies(policy, each))
    if kind == "account":
        reached = (each for each in reached if each.value.startswith(f"{channel}:"))
    return next(reached, None)


def reaches(account: Account) -> events.HandleKind:
    """Return the kind of handle that an account writes to."""
    return account.reaches or ("phone" if handles.email(account.address) is None else "email")


def _account_to_write_from(
    policy: Policy, conversation: Conversation, channel: str
) -> tuple[str, Account]:
    """Return the name and rules of the account of a channel to which she wrote last, else of the first one.

    It has an address of its own. Raises: MessageChannelUnknown.
    """
    came_to = [f"{each.channel}/{each.account}" for each in conversation.contacts.by_heard]
    for name in [*came_to, *policy.accounts]:
        of_channel, _, short = name.partition("/")
        account = policy.accounts.get(name)
        if account is not None and of_channel == channel and account.address is not None:
            return short, account
    raise errors.MessageChannelUnknown(channel=channel)


def remember_address(decision: Decision) -> None:
    """The handle that is written to is the only one that was looked up."""
    conversation, customer = decision.conversation.id, decision.conversation.customer
    assert conversation is not None
    assert customer is not None
    for each in decision.loaded.handles:
        if each.identity.holders or each.identity.addressed == (customer, conversation):
            continue
        decision.emit(
            events.IdentityAddressed,
            aggregates.IDENTITY.of(each.hash),
            events.IdentityAddressedOpen(
                kind=each.handle.kind, customer=customer, conversation=conversation
            ),
        )


# -- the end ------------------------------------------------------------------------------------------


def wrap_up(decision: Decision, command: commands.WrapUp) -> None:
    """The agent says how the contacts went; already wrapped up: decide nothing. Raises: TextTooLong, TextHasNul.

    A call that still rings went nowhere yet.
    """
    check_text(command.summary)
    if command.next_step is not None:
        check_text(command.next_step)
    contacts = decision.conversation.contacts.by_id.values()
    wanted = [
        each
        for each in contacts
        if not each.wrapped_up
        and command.contact_id in (None, each.contact_id)
        and not _rings(each)
    ]
    for contact in wanted:
        _wrap_up_one(decision, contact, command)


def _rings(contact: Contact) -> bool:
    return contact.medium == "call" and contact.live and contact.status == "waiting"


def _wrap_up_one(decision: Decision, contact: Contact, command: commands.WrapUp) -> None:
    decision.on_conversation(
        events.ContactWrappedUp,
        events.ContactWrappedUpOpen(
            contact_id=contact.contact_id, agent=decision.by, disposition=command.disposition
        ),
        events.ContactWrappedUpPersonal(summary=command.summary, next_step=command.next_step),
    )
    if contact.over or contact.medium != "call":
        decision.on_conversation(
            events.ContactCompleted, events.ContactCompletedOpen(contact_id=contact.contact_id)
        )


def resolve(decision: Decision, command: commands.Resolve) -> None:
    """The owner closes the matter: nothing stays open that nobody could close any more.

    A transfer under way is taken back, callbacks still owed are closed for this reason.
    Raises: ConversationNotWrappedUp.
    """
    contacts = decision.conversation.contacts.by_id.values()
    missing = sum(not each.wrapped_up and each.status != "lost" for each in contacts)
    if missing:
        raise errors.ConversationNotWrappedUp(contacts=missing)
    if decision.conversation.ownership.transfer is not None:
        take_back(decision, decision.conversation.ownership.transfer)
    _close_callbacks(decision, RESOLVED)
    decision.on_conversation(
        events.ConversationResolved,
        events.ConversationResolvedOpen(
            agent=decision.by, confirmed_by_customer=command.confirmed_by_customer
        ),
    )
    release(decision, decision.by, "resolved")
