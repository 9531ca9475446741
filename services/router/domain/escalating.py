"""What a queue cannot answer goes up to its next line, which has a time of its own to answer (docs/adr/0093)."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from services.router.domain.automatic_answers import write_automatically
from services.router.domain.decision import Decision
from services.router.domain.presence import home_queue
from services.router.domain.recipients import account_to_write_from, names, recipient
from services.router.domain.transfers import check_request, hand_on
from shared import calendars, commands, errors, events, proof
from shared.policy import NextLine
from shared.texts import in_language

RULE = "escalate.next_line"
SPOKEN: frozenset[events.Medium] = frozenset({"call", "visit"})
"""Where she is told by whoever talks with her."""


def escalate(decision: Decision, command: commands.Escalate) -> None:
    """The owner hands it up and is free; the customer is told who answers and by when, where the policy says it.

    Of a warm one the owner tells her, who stays with her until somebody of the line has accepted.
    Raises: EscalationNoLine, and as a transfer.
    """
    here = home_queue(decision)
    line, now = _line(decision, here, command.to), decision.origin.recorded
    to = events.Target(queue=line.queue)
    check_request(decision, to, command.brief)
    hours, time = decision.policy.hours(line.queue), timedelta(seconds=line.within_seconds)
    due = calendars.after_open(hours, now, time)
    message_id = _tell(decision, line, due) if command.kind == "cold" else None
    transfer = hand_on(decision, to, command.kind, command.brief)
    contact = decision.conversation.contacts.latest
    assert contact is not None
    decision.on_conversation(
        events.ContactEscalated,
        events.ContactEscalatedOpen(
            escalation_id=events.EscalationId(decision.new_id("escalation")),
            transfer_id=transfer.transfer_id,
            contact_id=contact.contact_id,
            sender=decision.by,
            from_queue=here,
            line=line.queue,
            due=due,
            packet_id=transfer.packet_id,
            rule=RULE,
            policy_version=decision.origin.policy_version,
            message_id=message_id,
        ),
    )


def _line(decision: Decision, here: str, wanted: str | None) -> NextLine:
    """Return the next line of a queue, or the one of those after it that is wanted. Raises: EscalationNoLine."""
    lines = decision.policy.lines_after(here)
    found = next((each for each in lines if wanted in (None, each.queue)), None)
    if found is None:
        raise errors.EscalationNoLine(queue=here)
    return found


def _tell(decision: Decision, line: NextLine, due: datetime) -> events.MessageId | None:
    """Tell the customer where she wrote last; `None` without words for it, or where she cannot be told."""
    if not line.texts:
        return None
    for channel in dict.fromkeys(_written_on(decision)):
        to = _address(decision, channel)
        if to is not None:
            name, account = account_to_write_from(decision.policy, decision.conversation, channel)
            text = in_language(line.texts, decision.customer.language)
            title = decision.policy.queues[line.queue].title
            told = text.replace("{line}", title).replace("{by}", _clock(decision, line, due))
            message_id = events.MessageId(decision.new_id("escalation_message"))
            write_automatically(decision, (channel, name, account), to, told, message_id)
            return message_id
    return None


def _written_on(decision: Decision) -> Iterator[str]:
    """Yield where an agent went on with her, where she wrote, the last one first, and where she was written to."""
    conversation = decision.conversation
    contacts, moved_to = conversation.contacts.by_heard, conversation.contacts.moved_to
    if moved_to is not None:
        yield moved_to
    yield from (each.channel for each in contacts if each.medium not in SPOKEN)
    yield from (each.channel for each in reversed(conversation.talk.outbound.values()))


def _address(decision: Decision, channel: str) -> events.Handle | None:
    """Return where she is told on a channel; `None` where she wants no messages, or nobody vouches for an address.

    The page at which she sits in a chat is no other one's, and an address to which an agent has written in this matter
    was looked at.
    """
    try:
        to = recipient(decision.policy, decision.loaded, channel)
    except errors.MessageChannelUnknown:
        return None
    if to is None or decision.customer.withdrew(channel):
        return None
    contacts, talk = decision.conversation.contacts.by_id.values(), decision.conversation.talk
    written = {each.to for each in talk.outbound.values() if each.message_id not in talk.automatic}
    sits_there = any(each.medium == "chat" and names(each, to) for each in contacts)
    return to if proof.of(to) != "claimed" or to.value in written or sits_there else None


def _clock(decision: Decision, line: NextLine, due: datetime) -> str:
    """Return a time as the line's people read it off a wall, with the day where it is another one."""
    zone = decision.policy.hours(line.queue).zone
    at, now = (each.astimezone(ZoneInfo(zone)) for each in (due, decision.origin.recorded))
    told = at.strftime("%H:%M" if at.date() == now.date() else "%Y-%m-%d %H:%M")
    return f"{told} UTC" if zone == "UTC" else told
