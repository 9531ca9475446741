"""Where else a message goes, of which nobody says that it has reached her (ADR 0051)."""

from services.router.domain.identify import identifies
from shared import events, handles, proof
from shared.conversation import Conversation
from shared.customer import Customer
from shared.policy import Account, Policy


def address(
    policy: Policy,
    account: Account | None,
    conversation: Conversation,
    customer: Customer,
    to: str | None,
) -> events.Handle | None:
    """Return the e-mail address that was given together with `to`, the best proved one; `None` without one.

    `account`, `to`: from which account, and to whom, the message went. Whoever sits at a page is answered where she
    said, and nowhere else: other addresses of the same matter may be other people's. Who wants no mail gets none.
    """
    if account is None or account.when_away is None:
        return None
    if customer.withdrew(account.when_away.by.partition("/")[0]):
        return None
    beside = (
        each
        for contact in conversation.contacts.by_heard
        if any(one.kind == account.reaches and one.value == to for one in contact.handles)
        for each in contact.handles
        if each.kind == "email" and handles.email(each.value) and identifies(policy, each)
    )
    return max(beside, key=lambda each: proof.RANK[proof.of(each)], default=None)
