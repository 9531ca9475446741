"""A message is sent once: a second arrival is noticed, whatever the story expected and when."""

import pytest

from deploy.story.checks import mails
from deploy.story.errors import StepFailed
from deploy.story.providers.mail_sink import Mail
from deploy.story.telling.report import MailResult, MessageOutcomes
from tests.stories.written import Ledger

ANNA, OLA = "anna@mail.example", "ola@mail.example"


def mail(message_id: str, to: str = ANNA, title: str = "Hello") -> Mail:
    return Mail((to,), title, "Dear Mrs Anna", message_id)


def code_of(arrived: list[Mail], known: MessageOutcomes) -> str | None:
    try:
        mails.check_sent_once(arrived, [], known)
    except StepFailed as failed:
        return failed.code
    return None


@pytest.mark.parametrize(
    ("arrived", "known", "code"),
    [
        ([mail("<1@x>")], MessageOutcomes(sent=1), None),
        ([mail("<1@x>"), mail("<2@x>")], MessageOutcomes(sent=1, uncertain=1), None),
        ([], MessageOutcomes(uncertain=1), None),
        ([mail("<1@x>"), mail("<1@x>")], MessageOutcomes(sent=2), "mail.repeated"),
        ([mail("<1@x>"), mail("<2@x>")], MessageOutcomes(sent=1), "mail.unaccounted"),
        ([mail("<1@x>")], MessageOutcomes(failed=1), "mail.unaccounted"),
    ],
    ids=["sent", "uncertain", "uncertain and lost", "twice", "one too many", "failed and arrived"],
)
def test_a_mail_arrives_once(arrived: list[Mail], known: MessageOutcomes, code: str | None) -> None:
    """At most once for each message, and only what LEDGER knows to have left or to be in doubt."""
    assert code_of(arrived, known) == code


def test_the_report_counts_mails_without_their_words() -> None:
    """By mail box and title, in an order that does not depend on arrival."""
    found = [mail("<2@x>", OLA), mail("<1@x>"), mail("<3@x>")]
    assert mails.arrived(found) == [
        MailResult(to=[ANNA], title="Hello", count=2),
        MailResult(to=[OLA], title="Hello", count=1),
    ]


def test_outcomes_are_counted_as_the_ledger_has_them() -> None:
    """Sent, failed and uncertain."""
    ledger = Ledger()
    for kind in ("message.sent", "message.uncertain", "message.sent", "message.failed"):
        ledger.add(kind, message_id="m1")
    assert mails.outcomes([ledger.copy]) == MessageOutcomes(sent=2, failed=1, uncertain=1)
