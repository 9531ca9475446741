"""A message that has not reached her in its time goes by mail as well, once (ADR 0051)."""

from collections.abc import Mapping, Sequence
from itertools import dropwhile

import msgspec

from services.router.domain.decision import Decision
from services.router.domain.recipients import answers, is_hers, remember_address
from shared import events
from shared.conversation import Conversation
from shared.conversation.talk import Outbound

ARRIVED = frozenset({"delivered", "read"})
BROUGHT_MAX = 16
BROUGHT_MAX_BYTES = 131_072
"""So much one mail brings, or one message, however long it is: what waits beyond has its own time, and its own mail."""


def waiting(matter: Sequence[Conversation], asked: str) -> list[events.MessageId]:
    """Return the messages that a mail brings when the time of one is up: that one, and what went to the same page since
    and has not arrived either; [] when it has arrived, or a mail brings it already.

    `matter`: the conversation in which it was written, and those in which that went on: the last one knows best.
    """
    known: dict[events.MessageId, Outbound] = {}
    for each in matter:
        known |= each.talk.outbound
    written = matter[0].talk.outbound.values() if matter else ()
    since = list(dropwhile(lambda each: each.message_id != asked, written))
    if not since or not _waits(known, since[0]):
        return []
    found = [each.message_id for each in since if each.to == since[0].to and _waits(known, each)]
    return found[:BROUGHT_MAX]


def _waits(known: Mapping[events.MessageId, Outbound], message: Outbound) -> bool:
    brought = {one for each in known.values() for one in each.instead_of}
    status = known.get(message.message_id, message).status
    return not message.instead_of and status not in ARRIVED and message.message_id not in brought


def send_another_way(decision: Decision, asked: str) -> None:  # noqa: ARG001  the shared shape
    """The timer asks: has this message reached her? If not, all that waits for her goes in one mail.

    It goes to the address that she gave, as somebody whom we wrote to from this conversation: her reply proves it. Also
    of a resolved matter: its last answer is what she waits for.
    """
    wanted = _that_fit(decision.loaded.undelivered)
    to = next(iter(decision.loaded.handles), None)
    if not wanted or to is None:
        return
    account = decision.policy.account(wanted[0].open.channel, wanted[0].open.account)
    if account is None or account.when_away is None:
        return
    channel, _, by = account.when_away.by.partition("/")
    reference = answers(decision.conversation, to.handle)
    titles = [each.personal.title for each in wanted if each.personal and each.personal.title]
    title = next(iter(titles), decision.policy.accounts[account.when_away.by].title)
    decision.on_conversation(
        events.MessageRequested,
        events.MessageRequestedOpen(
            message_id=events.MessageId(decision.new_id("message")),
            channel=channel,
            account=by,
            agent=wanted[-1].open.agent,
            instead_of=[each.open.message_id for each in wanted],
        ),
        events.MessageRequestedPersonal(
            to=to.handle.value,
            title=title,
            text="\n\n".join(each.personal.text for each in wanted if each.personal),
            in_reply_to=reference,
            references=[reference] if reference else [],
        ),
    )
    if is_hers(decision, to.handle):
        remember_address(decision)


def _that_fit(messages: Sequence[events.MessageRequested]) -> list[events.MessageRequested]:
    """Return those that one event holds, in order; what was erased is not said again."""
    found: list[events.MessageRequested] = []
    room = BROUGHT_MAX_BYTES
    for each in messages:
        if each.personal is not None:
            room -= len(msgspec.json.encode(each.personal.text))
            if found and room < 0:
                break
            found.append(each)
    return found
