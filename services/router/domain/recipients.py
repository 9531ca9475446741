"""Where an answer to the customer goes."""

from services.router.domain.decision import Decision, Loaded
from services.router.domain.identify import identifies
from shared import aggregates, errors, events, handles, proof
from shared.conversation import Contact, Conversation
from shared.customer import Customer
from shared.policy import Account, Policy


def recipient(policy: Policy, loaded: Loaded, channel: str) -> events.Handle | None:
    """Return where an answer on a channel goes; `None` without an address. Raises: MessageChannelUnknown.

    It goes to whoever wrote or called last, if she is known by more than a claim; else to the customer, the best proved
    handle first; else to what was claimed last. What somebody else wrote from is only for an answer to him.
    """
    _, account = account_to_write_from(policy, loaded.conversation, channel)
    kind = reaches(account)
    contacts = loaded.conversation.contacts.by_heard
    last = contacts[0].handles if contacts else ()
    hers = [
        events.Handle(kind=kind, value=each.value, proof=proof.of(each))
        for each in loaded.customer.handles
        if each.kind == kind
    ]
    hers.sort(key=lambda each: -proof.RANK[proof.of(each)])
    given = [each for each in contacts if may_be_hers(loaded.customer, each)]
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


def account_to_write_from(
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


def answers(conversation: Conversation, to: events.Handle) -> str | None:
    """Return what a message to an address answers: the last mail from there, and nobody else's."""
    wrote = (each for each in conversation.contacts.by_heard if names(each, to))
    return next((each.reference for each in wrote if each.reference), None)


def names(contact: Contact, handle: events.Handle) -> bool:
    return any((each.kind, each.value) == (handle.kind, handle.value) for each in contact.handles)


def is_hers(decision: Decision, to: events.Handle) -> bool:
    """Tell whether she gave an address herself: that of somebody else who wrote in her matter is not hers."""
    customer, contacts = decision.customer, decision.conversation.contacts.by_id.values()
    given = [each for each in contacts if names(each, to)]
    claimed = any((each.kind, each.value) == (to.kind, to.value) for each in customer.handles)
    return claimed or any(may_be_hers(customer, each) for each in given)


def may_be_hers(customer: Customer, contact: Contact) -> bool:
    """Tell whether she may have been on a contact: nobody else was, as far as more than a claim says who was."""
    known = {(each.kind, each.value) for each in customer.handles}
    heard = [each for each in contact.handles if proof.of(each) != "claimed"]
    return not heard or any((each.kind, each.value) in known for each in heard)


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
