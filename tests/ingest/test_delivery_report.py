"""What mail servers report of mails, ours and others: only what came back for good is a failure."""

import base64
from typing import Any

import pytest

from shared.events import Handle, MessageDelivered, MessageFailed, MessageRead, MessageReceived
from tests.ingest.running_ingest import parsed, raw
from tests.support.own_ids import CONVERSATION, MESSAGE, WRITTEN

OURS = f"<msg-{WRITTEN}@shop.example>"
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


def whom(event: Any) -> list[str]:
    """Return whom an event is about."""
    return [each.value for each in handles_of(event)]


def handles_of(event: Any) -> list[Handle]:
    """Return the handles of an event."""
    return list(event.personal.handles)


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
        + base64.b64encode(f"Message-ID: {OURS}\n".encode()).decode()
        + "\n",
    ),
    "an answer": report(STATUS.format(FAILED), head=f"In-Reply-To: {OURS}\n"),
    "a thread": report(STATUS.format(FAILED), head=f"References: <a@b.example> {OURS}\n"),
    "only by name": report(STATUS.format(f"X-Original-Message-ID: {OURS}\n\n{FAILED}")),
    "another case": report(STATUS.format(FAILED.replace("failed", "Failed (gave up)")), RETURNED),
    "one group": report(STATUS.format(FAILED.replace("\n\n", "\n")), RETURNED),
    "one of two": report(
        STATUS.format(FAILED.replace("failed", "relayed").replace("5.1", "2.1") + "\n" + FAILED),
        RETURNED,
    ),
    "in words": report(RETURNED).replace("It could", "lena@mial.example: 550 5.1.1\nIt could"),
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
    assert (event.conversation, event.open.message_id) == (CONVERSATION, MESSAGE)
    assert (event.open.contact_id, event.open.reason) == (f"out-{MESSAGE}", "dsn_5.1.1")
    assert (event.open.medium, event.open.automatic) == ("mail", True)


def test_two_reports_of_one_mail_are_one_fact() -> None:
    """Two servers say the same; of another mail it is another fact."""
    first, again, other = (
        only(mail).id
        for mail in (
            CAME_BACK["the whole mail"],
            CAME_BACK["its head"].replace("<b1@", "<b2@"),
            CAME_BACK["the whole mail"].replace(f"msg-{MESSAGE}.", f"msg-{'n' * 32}."),
        )
    )
    assert first == again != other


def test_a_failure_without_a_status_says_so() -> None:
    """The reason is a stable word, whatever stands there."""
    for line in ("", "Status: anna@customer.example\n"):
        mail = report(STATUS.format(FAILED.replace("Status: 5.1.1\n", line)), RETURNED)
        assert only(mail).open.reason == "dsn_failed"


def test_a_mail_of_ours_that_arrived_or_was_read_is_told_so() -> None:
    """By a server, and by the program of whoever read it."""
    arrived = only(
        report(STATUS.format(FAILED.replace("failed", "delivered").replace("5.1", "2.1")), RETURNED)
    )
    assert isinstance(arrived, MessageDelivered)
    assert (arrived.conversation, arrived.open.message_id, arrived.open.reason) == (
        CONVERSATION,
        MESSAGE,
        "dsn_2.1.1",
    )
    receipt = "Content-Type: message/disposition-notification\n\nFinal-Recipient: rfc822;lena@mail.example\n{}"
    seen = only(
        report(
            receipt.format(
                f"Original-Message-ID: {OURS}\nDisposition: manual-action/MDN-sent-manually; displayed\n"
            ),
            kind="disposition-notification",
        )
    )
    assert isinstance(seen, MessageRead)
    assert (seen.conversation, seen.open.message_id, seen.open.reason) == (
        CONVERSATION,
        MESSAGE,
        None,
    )
    assert [(each.value, each.proof) for each in handles_of(seen)] == [
        ("lena@mail.example", "claimed")
    ]
    assert arrived.id != seen.id


NOT_BACK = {
    "late": report(STATUS.format(FAILED.replace("failed", "delayed")), RETURNED),
    "not read": report(
        "Content-Type: message/disposition-notification\n\nDisposition: automatic; deleted\n"
        f"Original-Message-ID: {OURS}\n",
        kind="disposition-notification",
    ),
    "a complaint": report(
        "Content-Type: message/feedback-report\n\nFeedback-Type: abuse\n",
        RETURNED,
        kind="feedback-report",
    )
    .replace("It could not be delivered.", "This is an abuse report.")
    .replace("Undelivered", "Complaint"),
}


@pytest.mark.parametrize("mail", NOT_BACK.values(), ids=NOT_BACK)
def test_a_report_of_anything_else_is_a_machines_mail(mail: str) -> None:
    """Late, deleted or complained of is no outcome: it lies silently with what it is about."""
    event = only(mail)
    assert isinstance(event, MessageReceived)
    assert event.open.automatic
    assert event.open.in_reply_to == CONVERSATION


def test_the_report_of_another_ones_mail_fails_none_of_ours() -> None:
    """A customer's forwarded answer came back to us: our mail stands in its thread, and had arrived."""
    returned = RETURNED.replace(OURS, "<x1@mail.example>") + f"In-Reply-To: {OURS}\n"
    event = only(report(STATUS.format(FAILED), returned, head=f"References: {OURS}\n"))
    assert isinstance(event, MessageFailed)
    assert (event.open.message_id, event.conversation) == (None, None)
    assert (event.open.refers_to, event.open.provider_id) == (
        "x1@mail.example",
        "b1@mx.shop.example",
    )
    assert (event.open.reason, *whom(event)) == (
        "dsn_5.1.1",
        "lena@mial.example",
    )


def test_each_recipient_of_another_ones_mail_has_his_own_outcome() -> None:
    """One did not get it, one did; told twice it is told once."""
    second = (
        FAILED.replace("lena@mial", "ola@mail")
        .replace("failed", "relayed")
        .replace("5.1.1", "2.0.0")
    )
    mail = report(
        STATUS.format(FAILED + "\n" + second), RETURNED.replace(OURS, "<x1@mail.example>")
    )
    first, other = parsed(raw("email", mail.encode()))
    assert [type(each) for each in (first, other)] == [MessageFailed, MessageDelivered]
    assert [whom(each) for each in (first, other)] == [
        ["lena@mial.example"],
        ["ola@mail.example"],
    ]
    assert [each.id for each in parsed(raw("email", mail.encode()))] == [first.id, other.id]


# -- reports in words -------------------------------------------------------------------------------------

LENA = "lena@mial.example"
QMAIL = (
    "Hi. This is the qmail-send program at mx.example.\nI'm afraid I wasn't able to deliver your message.\n\n"
    f"<{LENA}>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n"
    "--- Below this line is a copy of the message.\n\nReceived: by x\nMessage-ID: <o1@shop.example>\nTo: x@y.example\n"
)
EXIM = (
    "A message that you sent could not be delivered to one or more of its recipients. This is a permanent error.\n\n"
    f"  {LENA}\n    Unrouteable address\n\n------ This is a copy of your message. ------\n\n"
    "Message-ID: <o1@shop.example>\n"
)
EXCHANGE = (
    f"Your message\n\n  To: {LENA}\n  Subject: x\n\ndid not reach the following recipient(s):\n\n{LENA} on Sunday\n"
    "    The recipient name is not recognized\n"
)
TECHNICAL = (
    f"An error occurred.\n\nAction: failed\nFinal-Recipient: rfc822; {LENA}\nStatus: 5.2.2\n"
)
SES = (
    '{"notificationType":"Bounce","mail":{"messageId":"0101","headers":[{"name":"Message-ID","value":"<o1@shop.example>"}]},'
    f'"bounce":{{"bouncedRecipients":[{{"emailAddress":"{LENA}","status":"5.1.1","action":"failed"}}]}}}}\n--\nfooter\n'
)


def plain(
    words: str, *, sender: str = "MAILER-DAEMON@mx.example", title: str = "x", head: str = ""
) -> str:
    """Return a mail of words alone."""
    return f"From: {sender}\nTo: help@shop.example\nSubject: {title}\nMessage-ID: <b1@mx.example>\n{head}\n{words}"


@pytest.mark.parametrize(
    ("mail", "refers_to", "reason"),
    [
        (plain(QMAIL, title="failure notice"), "o1@shop.example", "dsn_5.1.1"),
        (plain(EXIM, head=f"X-Failed-Recipients: {LENA}\n"), "o1@shop.example", "dsn_failed"),
        (
            plain(EXIM, sender="someone@mx.example", head="Return-Path: <>\n"),
            "o1@shop.example",
            "dsn_failed",
        ),
        (
            plain(EXCHANGE, sender="postmaster@mx.example", title="Undeliverable: x"),
            None,
            "dsn_failed",
        ),
        (plain(TECHNICAL), None, "dsn_5.2.2"),
        (plain(SES, sender="no-reply@sns.amazonaws.com"), "o1@shop.example", "dsn_5.1.1"),
    ],
    ids=["qmail", "exim", "null path", "exchange", "technical", "ses"],
)
def test_a_mail_that_came_back_in_words_has_failed(
    mail: str, refers_to: str | None, reason: str
) -> None:
    """Whose it was, whom it did not reach, and why."""
    event = only(mail)
    assert isinstance(event, MessageFailed)
    assert whom(event) == [LENA]
    assert (event.open.refers_to, event.open.reason, event.open.automatic) == (
        refers_to,
        reason,
        True,
    )


def test_what_arrived_is_told_in_a_notification_as_well() -> None:
    """Amazon SES by mail."""
    told = '{"notificationType":"Delivery","mail":{"messageId":"0101"},"delivery":{"recipients":["lena@mial.example"]}}'
    event = only(plain(told, sender="no-reply@sns.amazonaws.com"))
    assert isinstance(event, MessageDelivered)
    assert (event.open.refers_to, *whom(event)) == ("0101", LENA)


OLA = "ola@mail.example"
POSTFIX = (
    "I'm sorry to have to inform you that the message could not be delivered to one or more destinations.\n"
    "For further assistance, please contact <postmaster@mx.example>\n\n"
    f"<{LENA}>: host mx.mial.example said: 550 5.1.1\n    <{LENA}>... User unknown\n"
)
YAHOO = (
    f"Unable to deliver message to the following address(es).\n\n<{LENA}>:\nThis account is over quota.\n\n"
    f"<{OLA}>:\nThis account is over quota.\n\n--- Original message follows.\n\nnone\n"
)
OF_A_LIST = EXCHANGE.replace(f"To: {LENA}", "To: list@shop.example")
X400 = OF_A_LIST.replace(f"\n{LENA} on", f"\nc=PL;a= ;p=Example;o=N;dda:SMTP={LENA}; on")
OF_HTML = (
    "<p>Your message<br>&nbsp; To: list@shop.example<br>did not reach the following recipient(s):<br>"
    f"{LENA} on Sunday</p>"
)
BROKEN = f"--r\nContent-Type: text/plain\n\nA message could not be delivered to:\n{LENA}\n--r--\n"
REPORT = "Content-Type: multipart/report; report-type=delivery-status; boundary=r\n"
ADMIN = '"System Administrator" <admin@mx.example>'


@pytest.mark.parametrize(
    ("mail", "who"),
    [
        (plain(POSTFIX), [LENA]),
        (plain(YAHOO, title="Delivery failure"), [LENA, OLA]),
        (plain(f"Unknown user: {LENA}\n\nUnknown user: {OLA}\n", title="Undeliverable mail"), [LENA, OLA]),
        (plain(OF_A_LIST, sender="postmaster@mx.example"), [LENA]),
        (plain(X400, sender=ADMIN, title="Undeliverable: x"), [LENA]),
        (plain(OF_HTML, title="Undeliverable: x", head="Content-Type: text/html\n"), [LENA]),
        (plain(BROKEN, sender="gateway@mx.example", head=REPORT), [LENA]),
        (plain(f"{LENA} - no such user here.\n", sender="MDaemon@mx.example", title="User unknown!"), [LENA]),
        (plain(f"Intended recipient: {LENA}\n\nThe following mail has been returned.\n", title="Error"), [LENA]),
        (plain("There was an error delivering your mail to <postmaster@mial.example>.\n"), ["postmaster@mial.example"]),
        (plain(f"The email below could not be delivered to the following user:\n{LENA}\n", sender="admin@mx.example",
               title="Non-Delivery: x"), [LENA]),
        (plain(f"<{LENA}>:\n邮件无法发送到您指定的地址中。\n", title="x").replace("\n\n", "\nContent-Type: text/plain;"
               " charset=gb2312\n\n", 1), [LENA]),
    ],
    ids=["postfix", "yahoo", "labelled", "of a list", "x400", "html", "no status", "mdaemon", "intended", "postmaster",
         "of a mail", "chinese"],
)  # fmt: skip
def test_who_did_not_get_it_is_told_in_many_ways(mail: str, who: list[str]) -> None:
    """Each of them has failed; nobody else: not whom to ask, and not the list that it was written to."""
    charset = "gb18030" if "gb2312" in mail else "utf-8"
    found = parsed(raw("email", mail.encode(charset)))
    assert all(isinstance(event, MessageFailed) for event in found)
    assert [whom(event) for event in found] == [[each] for each in who]


@pytest.mark.parametrize(
    "sender", ["Mail System <MAILER-DAEMON@mx.example>", "Anna <anna@mial.example>"]
)
def test_a_filter_that_refuses_a_mail_says_so_by_a_disposition(sender: str) -> None:
    """A server's is a failure (RFC 5429, reject); a person who deletes a mail unread has got it."""
    words = (
        f"Content-Type: text/plain\n\nYour message to <{LENA}> was automatically rejected: full\n"
    )
    note = (
        "Content-Type: message/disposition-notification\n\n"
        f"Final-Recipient: rfc822; {LENA}\nOriginal-Message-ID: {OURS}\n"
        "Disposition: automatic-action/MDN-sent-automatically; deleted\n"
    )
    head = f"From: {sender}\nTo: help@shop.example\nSubject: Automatically rejected\nMessage-ID: <b@mx.example>\n"
    kind = "Content-Type: multipart/report; report-type=disposition-notification; boundary=b\n\n"
    event = only(f"{head}{kind}--b\n{words}\n--b\n{note}\n--b--\n")
    if sender.startswith("Anna"):
        assert isinstance(event, MessageReceived)
    else:
        assert isinstance(event, MessageFailed)
        assert event.open.message_id == MESSAGE


@pytest.mark.parametrize(
    ("status", "kind"),
    [("5.5.0", MessageFailed), ("2.1.5", MessageDelivered), ("4.4.1", MessageReceived)],
)
def test_a_status_without_an_action_tells_as_well(status: str, kind: type[Any]) -> None:
    """Some servers leave out the word for it."""
    told = FAILED.replace("Action: failed\n", "").replace("5.1.1", status)
    assert isinstance(only(report(STATUS.format(told), RETURNED)), kind)


def test_a_report_of_an_old_macintosh_is_read() -> None:
    """All its lines end in CR."""
    event = only(plain(QMAIL, title="failure notice").replace("\n", "\r"))
    assert isinstance(event, MessageFailed)
    assert (event.open.refers_to, whom(event)) == ("o1@shop.example", [LENA])


def test_a_status_may_be_encoded() -> None:
    """A gateway has encoded the group of a recipient, and said so in the group above."""
    whole, _, each = FAILED.partition("\n\n")
    group = f"{whole}\nContent-Transfer-Encoding: base64\n\n{base64.b64encode(each.encode()).decode()}\n"
    event = only(report(STATUS.format(group), RETURNED))
    assert isinstance(event, MessageFailed)
    assert (whom(event), event.open.reason) == ([LENA], "dsn_5.1.1")


def test_a_status_that_is_a_mail_of_its_own_is_a_report() -> None:
    """Without the words and the mail around it."""
    event = only(f"MIME-Version: 1.0\nContent-Type: message/delivery-status\n\n{FAILED}")
    assert isinstance(event, MessageFailed)
    assert whom(event) == [LENA]


def test_a_status_of_nobody_is_no_outcome() -> None:
    """A group that names no action and no recipient speaks of the report itself."""
    told = "Reporting-MTA: dns; mx.shop.example\n\nStatus: 5.0.0\n"
    mail = report(STATUS.format(told), RETURNED).replace("could not be delivered", "is on its way")
    assert isinstance(only(mail.replace("Undelivered", "Your mail")), MessageReceived)


def test_a_recipient_is_named_as_the_world_knows_him() -> None:
    """Not by the name of a queue that only the last server knows."""
    status = FAILED.replace(
        "rfc822; lena@mial.example", f"rfc822; lena@queue\nOriginal-Recipient: rfc822;{LENA}"
    )
    assert whom(only(report(STATUS.format(status), RETURNED))) == [LENA]


@pytest.mark.parametrize(
    "mail",
    [
        plain(EXIM, sender="Shop <info@customer.example>", title="Fwd: Undelivered mail"),
        plain("We could not deliver it, the address does not exist.\n", sender=ADMIN, title="Question"),
        plain("Your parcel could not be delivered. Write to us@carrier.example.\n", sender="no-reply@carrier.example"),
        plain("Ihr Paket wurde nicht zugestellt.\n", sender="info@carrier.example", head="Return-Path: <>\n"),
        plain(EXIM, sender="Anna <anna@customer.example>", title="Fwd: undeliverable"),
        plain(EXIM.replace("This is a permanent error.", "It will be retried."), title="Warning: message delayed"),
        plain("Away.\n", sender="anna@customer.example", head="Return-Path: <>\nAuto-Submitted: auto-replied\n"),
        plain('{"notificationType":"Complaint","mail":{}}', sender="no-reply@sns.amazonaws.com"),
        plain('{"broken', sender="no-reply@sns.amazonaws.com"),
    ],
)  # fmt: skip
def test_what_is_no_report_is_a_mail(mail: str) -> None:
    """A carrier's words, a person who passes a report on, a mail that is late, an absence."""
    assert isinstance(only(mail), MessageReceived)


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
