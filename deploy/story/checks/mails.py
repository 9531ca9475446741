"""Messages to customers, counted twice: as they arrived there, and as LEDGER says they ended."""

from collections import Counter
from collections.abc import Iterable, Sequence

from deploy.story import errors, ledger_copy
from deploy.story.providers.api import Arrived
from deploy.story.providers.mail_sink import Mail
from deploy.story.telling.report import ArrivedResult, MailResult, MessageOutcomes


def arrived(mails: Sequence[Mail]) -> list[MailResult]:
    """Return how many mails arrived by mail boxes and title, in that order."""
    counted = Counter((mail.to, mail.title) for mail in mails)
    return [
        MailResult(to=list(to), title=title, count=count)
        for (to, title), count in sorted(counted.items())
    ]


def taken(messages: Sequence[Arrived]) -> list[ArrivedResult]:
    """Return how many messages arrived by channel and customer, in that order."""
    counted = Counter((each.channel, each.to) for each in messages)
    return [ArrivedResult(by=by, to=to, count=count) for (by, to), count in sorted(counted.items())]


def outcomes(ledgers: Iterable[ledger_copy.LedgerCopy]) -> MessageOutcomes:
    """Return how many messages of all tenants ended how."""
    counted = Counter(
        entry.type
        for ledger in ledgers
        for entry in ledger.of_type("message.sent", "message.failed", "message.uncertain")
    )
    return MessageOutcomes(
        sent=counted["message.sent"],
        failed=counted["message.failed"],
        uncertain=counted["message.uncertain"],
    )


def check_sent_once(
    mails: Sequence[Mail], messages: Sequence[Arrived], known: MessageOutcomes
) -> None:
    """A message leaves at most once, and none leaves that LEDGER does not know of. `messages`: by providers' APIs.

    Raises: StepFailed (`mail.repeated`, `mail.unaccounted`).
    """
    counted = Counter(mail.message_id for mail in mails)
    repeated = {message_id: count for message_id, count in counted.items() if count > 1}
    if repeated:
        raise errors.StepFailed(
            "mail.repeated", "one mail arrived more than once", wanted=1, got=repeated
        )
    may_have_left = known.sent + known.uncertain
    arrived = len(mails) + len(messages)
    if arrived > may_have_left:
        raise errors.StepFailed(
            "mail.unaccounted",
            "more messages arrived than LEDGER says were sent",
            wanted=may_have_left,
            got=arrived,
        )
