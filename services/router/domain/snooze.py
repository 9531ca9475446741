"""A conversation is put aside and comes back: at its time, or when the customer comes first.

It stays its owner's and takes none of her slots while it is aside; her capacity says how much she is asked to take,
not how much comes back to her (docs/adr/0092).
"""

from datetime import timedelta
from typing import Literal

from services.router.domain.decision import Decision
from services.router.domain.offers import release, reserve, time_is_up
from services.router.domain.presence import available, owner_on_duty, return_matter
from shared import commands, errors, events

LONGEST = timedelta(days=366)


def snooze(decision: Decision, command: commands.Snooze) -> None:
    """The owner puts it aside; until that very time already: decide nothing.

    Raises: SnoozeUntilInvalid, SnoozeNotNow.
    """
    if not timedelta(0) < command.until - command.issued_at <= LONGEST:
        raise errors.SnoozeUntilInvalid()
    conversation = decision.conversation
    if conversation.ownership.transfer is not None:
        raise errors.SnoozeNotNow(why="transfer")
    if any(each.live and each.medium == "call" for each in conversation.contacts.by_id.values()):
        raise errors.SnoozeNotNow(why="call")
    aside = conversation.handling.snooze
    if aside is not None and aside.until == command.until:
        return
    decision.on_conversation(
        events.ConversationSnoozed,
        events.ConversationSnoozedOpen(
            snooze_id=events.SnoozeId(decision.new_id("snooze")),
            agent=decision.by,
            until=command.until,
        ),
    )
    release(decision, decision.by, "snoozed")


def wake(decision: Decision, _: commands.Wake) -> None:
    """The owner goes on with it; awake already: decide nothing."""
    wake_up(decision, "agent")


def snooze_is_over(decision: Decision, asked: str) -> None:
    """The timer asks: is it still aside for this time, and is that up? With an owner who has gone it returns (I14)."""
    aside = decision.conversation.handling.snooze
    if aside is None or aside.snooze_id != asked or not time_is_up(decision, aside.until):
        return
    wake_up(decision, "time", to_owner=owner_on_duty(decision))
    return_matter(decision)


def customer_came(decision: Decision, contact_id: events.ContactId, *, new_contact: bool) -> None:
    """She wrote or called. Of a new contact her owner is told anyway, and in a pause by `message.unattended`."""
    owner = owner_on_duty(decision)
    tell = owner is not None and not new_contact and available(decision, owner)
    wake_up(decision, "customer", contact_id, owner if tell else None)


def wake_up(
    decision: Decision,
    by: Literal["time", "customer", "agent", "merged"],
    contact_id: events.ContactId | None = None,
    to_owner: events.AgentId | None = None,
) -> None:
    """It is aside no longer, and takes a slot of its owner's again, if she is there; awake already: decide nothing."""
    conversation = decision.conversation
    aside, packet_id = conversation.handling.snooze, conversation.packet.id
    if aside is None:
        return
    decision.on_conversation(
        events.ConversationWoken,
        events.ConversationWokenOpen(
            snooze_id=aside.snooze_id, by=by, contact_id=contact_id, to_owner=to_owner
        ),
    )
    owner = owner_on_duty(decision)
    if owner is not None and packet_id is not None:
        reserve(decision, owner, events.OfferId(aside.snooze_id), packet_id)
