"""What mail servers report of mails of ours: only what came back for good is a failure, and only of ours."""

from typing import Any

import pytest

from shared.events import MessageFailed, MessageReceived
from tests.ingest.running_ingest import parsed, raw

OURS = "<msg-m1.conv9@shop.example>"
RETURNED = f"Content-Type: message/rfc822\n\nFrom: help@shop.example\nMessage-ID: {OURS}\n\nHello\n"
STATUS = "Content-Type: message/delivery-status\n\n{}"
FAILED = """\
Reporting-MTA: dns; mx.shop.example

Final-Recipient: rfc822; lena@mial.example
Action: failed
Status: 5.1.1
"""
WORDS = "Content-Type: text/plain\n\nIt could not be delivered.\n"


def report(*parts: str, head: str = "", kind: str = "delivery-status") -> str:
    """Return a mail server's report with these parts below its words."""
    return (
        "Return-Path: <>\nFrom: Mail Delivery System <MAILER-DAEMON@mx.shop.example>\n"
        "To: help@shop.example\nSubject: Undelivered\nMessage-ID: <b1@mx.shop.example>\n"
        f"{head}Content-Type: multipart/report; report-type={kind}; boundary=b\n\n"
        + "".join(f"--b\n{part}\n" for part in (WORDS, *parts))
        + "--b--\n"
    )


def only(mail: str) -> Any:
    """Return the only event of a mail."""
    (event,) = parsed(raw("email", mail.encode()))
    return event


HEAD = RETURNED.replace("message/rfc822", "text/rfc822-headers").replace("\n\nHello", "")
CAME_BACK = {
    "the whole mail": report(STATUS.format(FAILED), RETURNED),
    "its head": report(STATUS.format(FAILED), HEAD),
    "an encoded head": report(
        STATUS.format(FAILED),
        "Content-Type: text/rfc822-headers\nContent-Transfer-Encoding: base64\n\n"
        "TWVzc2FnZS1JRDogPG1zZy1tMS5jb252OUBzaG9wLmV4YW1wbGU+Cg==\n",
    ),
    "an answer": report(STATUS.format(FAILED), head=f"In-Reply-To: {OURS}\n"),
    "a thread": report(STATUS.format(FAILED), head=f"References: <a@b.example> {OURS}\n"),
    "another case": report(STATUS.format(FAILED.replace("failed", "Failed (gave up)")), RETURNED),
    "one group": report(STATUS.format(FAILED.replace("\n\n", "\n")), RETURNED),
    "one of two": report(
        STATUS.format(FAILED.replace("failed", "relayed").replace("5.1", "2.1") + "\n" + FAILED),
        RETURNED,
    ),
    "internationalised": report(
        STATUS.format(FAILED).replace("delivery-status", "global-delivery-status"),
        RETURNED.replace("message/rfc822", "message/global"),
    ),
}


@pytest.mark.parametrize("mail", CAME_BACK.values(), ids=CAME_BACK)
def test_a_mail_of_ours_that_came_back_has_failed(mail: str) -> None:
    """The report names it, and says so for good; whatever form the server gives to that."""
    event = only(mail)
    assert isinstance(event, MessageFailed)
    assert (event.conversation, event.open.message_id) == ("conv9", "m1")
    assert (event.open.contact_id, event.open.reason) == ("out-m1", "dsn_5.1.1")
    assert (event.open.medium, event.open.automatic) == ("mail", True)


def test_two_reports_of_one_mail_are_one_fact() -> None:
    """Two servers say the same; of another mail it is another fact."""
    first, again, other = (
        only(mail).id
        for mail in (
            CAME_BACK["the whole mail"],
            CAME_BACK["its head"].replace("<b1@", "<b2@"),
            CAME_BACK["the whole mail"].replace("msg-m1.", "msg-m2."),
        )
    )
    assert first == again != other


def test_a_failure_without_a_status_says_so() -> None:
    """The reason is a stable word, whatever stands there."""
    for line in ("", "Status: anna@customer.example\n"):
        mail = report(STATUS.format(FAILED.replace("Status: 5.1.1\n", line)), RETURNED)
        assert only(mail).open.reason == "dsn_failed"


NOT_BACK = {
    "late": report(STATUS.format(FAILED.replace("failed", "delayed")), RETURNED),
    "delivered": report(STATUS.format(FAILED.replace("failed", "delivered")), RETURNED),
    "read": report(
        "Content-Type: message/disposition-notification\n\nDisposition: automatic; displayed\n",
        kind="disposition-notification",
        head=f"In-Reply-To: {OURS}\n",
    ),
    "no report": report(RETURNED),
}


@pytest.mark.parametrize("mail", NOT_BACK.values(), ids=NOT_BACK)
def test_a_report_of_anything_else_is_a_machines_mail(mail: str) -> None:
    """Late, delivered or read is no failure: it lies silently with what it is about."""
    event = only(mail)
    assert isinstance(event, MessageReceived)
    assert event.open.automatic


@pytest.mark.parametrize("name", ["late", "delivered", "read"])
def test_a_report_lies_with_what_it_is_about(name: str) -> None:
    """It names our mail in itself or in its head."""
    assert only(NOT_BACK[name]).open.in_reply_to == "conv9"


def test_the_report_of_another_ones_mail_fails_none_of_ours() -> None:
    """A customer's forwarded answer came back to us: our mail stands in its thread, and had arrived."""
    returned = RETURNED.replace(OURS, "<x1@mail.example>") + f"In-Reply-To: {OURS}\n"
    event = only(report(STATUS.format(FAILED), returned, head=f"References: {OURS}\n"))
    assert isinstance(event, MessageReceived)


def test_a_report_that_a_person_sends_on_is_her_mail() -> None:
    """A colleague or the customer forwards it: she wrote, and nothing came back to us."""
    head = "From: Anna <anna@customer.example>\nMessage-ID: <f1@customer.example>\n"
    inner = CAME_BACK["the whole mail"]
    mail = (
        f"{head}Content-Type: multipart/mixed; boundary=m\n\n--m\n{WORDS}\n"
        f"--m\nContent-Type: message/rfc822\n\n{inner}\n--m--\n"
    )
    event = only(mail)
    assert isinstance(event, MessageReceived)
    assert not event.open.automatic
