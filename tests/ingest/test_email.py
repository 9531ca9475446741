"""Mails: every normalised field, what counts as automatic, and every mail of the corpus."""

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.ingest.channels import email
from services.ingest.domain import texts
from services.ingest.domain.outcome import Quarantined, Reported, reports_of
from shared import ids
from shared.events import MessageReceived
from tests.ingest.running_ingest import GOLDEN, Sample, by_webhook, parsed, raw, wire
from tests.support.own_ids import CONVERSATION, WRITTEN

PLAIN = (
    b"From: Anna <anna@customer.example>\r\nTo: help@shop.example\r\nSubject: Hello\r\n"
    b"Message-ID: <m1@customer.example>\r\n"
)
MESSAGE_MAX_BYTES = 256 * 1024
CORPUS_MAILS_MIN = 600
LOCKER = {
    "name": "locker.png",
    "media_type": "image/png",
    "size_bytes": 8,
    "sha256": ids.body_sha256(b"\x89PNG\r\n\x1a\n"),
    "source": None,
}
"""The file of the golden mail."""
SAMPLE = Sample((GOLDEN / "reply.eml").read_bytes(), by_webhook)


def mail(*fields: bytes, text: bytes = b"Hello\r\n", base: bytes = PLAIN) -> Any:
    """The event of a mail with more header fields."""
    (event,) = parsed(
        raw("email", base + b"".join(field + b"\r\n" for field in fields) + b"\r\n" + text)
    )
    return event


def test_an_answer_has_every_field() -> None:
    """A mail becomes message.received; each field of the event is asserted."""
    body = (GOLDEN / "reply.eml").read_bytes()
    (event,) = parsed(raw("email", body))
    provider_id = "abc.123@mail.shop-customer.example"
    contact = ids.scoped_id("contact", "demo", "email/main", provider_id)
    new_part = "The locker KRA01M still will not open, dziękuję."
    head, _, below = body.replace(b"\r\n", b"\n").partition(b"\n\n")
    fields = dict(line.split(b": ", 1) for line in head.split(b"\n") if not line.startswith(b" "))
    said = b"\n".join([fields[b"Date"], fields[b"From"], fields[b"Subject"], below.strip()])
    named = f"{provider_id}/{ids.body_sha256(said)}"
    assert wire(event) == {
        "type": "message.received",
        "specversion": "1.0",
        "id": ids.contact_event_id("demo", "email", "main", named, "message.received"),
        "source": "tellonce/ingest",
        "time": "2026-11-22T09:30:00.250000Z",
        "subject": f"contact-{contact}",
        "dataschema": "urn:tellonce:event:1",
        "datacontenttype": "application/json",
        "tenant": "demo",
        "recordedtime": "2026-11-22T09:30:00.250000Z",
        "actor": "channel:email/main",
        "rawref": f"7:{ids.body_sha256(body)}",
        "data": {
            "open": {
                "contact_id": contact,
                "medium": "mail",
                "channel": "email",
                "account": "main",
                "provider_id": provider_id,
                "provider_time": None,
                "automatic": False,
                "numbered": None,
                "in_reply_to": CONVERSATION,
                "attachments": 1,
                "refers_to": None,
            },
            "personal": {
                "handles": [
                    {
                        "kind": "email",
                        "value": "anna@shop-customer.example",
                        "verified": False,
                        "proof": "delivered",
                    }
                ],
                "name": "Anna Kowalska",
                "text": f"{new_part}\n\nOn Sun, 22 Nov 2026 at 09:00, Help <help@shop.example> wrote:\n"
                "> Dear Mrs Kowalska,\n> please try again.",
                "reply_text": new_part,
                "title": "Re: Zamówienie ORD-1234",
                "references": [f"msg-{WRITTEN}@shop.example", "first@mail.shop-customer.example"],
                "quoted": None,
                "files": [LOCKER],
            },
        },
    }


# -- what leads where ---------------------------------------------------------------------------------


def test_a_mail_without_an_id_is_named_by_its_body() -> None:
    """The same bytes are the same mail, other bytes another."""
    base = b"From: anna@customer.example\r\n"
    first, again = mail(base=base), mail(base=base)
    other = mail(base=base, text=b"Hello again\r\n")
    assert first.open.provider_id == ids.body_sha256(base + b"\r\nHello\r\n")
    assert first.id == again.id != other.id


def ours(conversation: str) -> bytes:
    """Return the Message-ID of a mail of ours."""
    return b"msg-%s.%s@shop.example" % (b"m" * 32, conversation.encode() * 32)


def test_the_nearest_reference_of_ours_names_the_conversation() -> None:
    """In-Reply-To goes before References, the last of these before the first."""
    event = mail(b"References: <%s> <%s> <x@y>" % (ours("o"), ours("n")))
    assert event.open.in_reply_to == "n" * 32
    event = mail(b"In-Reply-To: <%s>" % ours("e"), b"References: <%s>" % ours("n"))
    assert event.open.in_reply_to == "e" * 32


@pytest.mark.parametrize(
    "reference",
    [
        b"<msg-a@shop.example>",
        b"<msg-.%s@shop.example>" % (b"c" * 32),
        b"<MSG-a.B@x>",
        b"msg-a.b@shop.example",
        b"<>",
    ],
)
def test_what_only_resembles_our_reference_is_none(reference: bytes) -> None:
    """A broken token joins nothing; the sender's address may."""
    assert mail(b"In-Reply-To: " + reference).open.in_reply_to is None


# -- machines -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "field",
    [
        b"Auto-Submitted: auto-replied",
        b"Auto-Submitted: auto-generated (rejected); owner-email=x",
        b"Precedence: bulk",
        b"Precedence: Auto_reply",
        b"Precedence: junk",
        b"X-Autoreply: yes",
        b"X-Autorespond: Away: hello",
        b"X-Auto-Reply: yes",
        b"X-AutoReply-From: anna@customer.example",
        b"X-Mail-Autoreply: yes",
        b"X-Autogenerated: Reply",
        b"X-FC-MachineGenerated: true",
        b"X-Precedence: auto_reply",
        b"Preference: auto_reply",
        b"Delivered-To: Autoresponder",
        b"List-Id: News <news.other.example>",
        b"Return-Path: <>\r\nX-Auto-Response-Suppress: All",
        b"Content-Type: multipart/report; report-type=delivery-status; boundary=x",
    ],
)
def test_a_machines_mail_is_automatic(field: bytes) -> None:
    """Each mark of a machine is enough."""
    assert mail(field).open.automatic is True


@pytest.mark.parametrize(
    "field",
    [
        b"Auto-Submitted: no",
        b"Precedence: normal",
        b"Delivered-To: help@shop.example",
        b"Precedence: List",
        b"Precedence: list\r\nList-Id: Help <help.lists.shop.example>",
        b"Return-Path: <anna@customer.example>",
        b"Return-Path: <>",
        b"X-Auto-Response-Suppress: All",
        b"X-A: b",
    ],
)
def test_a_persons_mail_is_not_automatic(field: bytes) -> None:
    """The same fields with a person's values say nothing."""
    assert mail(field).open.automatic is False


@pytest.mark.parametrize("sender", [b"no-reply@carrier.example", b"", b"Postmaster@mx.example"])
def test_what_nobody_wrote_and_nobody_is_told_of_is_automatic(sender: bytes) -> None:
    """A null return path and a sender who is no person; a person's mail that a server redirected has the former too."""
    fields = b"From: " + sender + b"\r\nReturn-Path: <>\r\n"
    assert mail(base=fields).open.automatic is True


@pytest.mark.parametrize(
    ("fields", "automatic"),
    [
        (b"Return-Path: <>\r\nSubject: Automatic reply: Where is my parcel?", True),
        (b"Return-Path: <>\r\nSubject: =?utf-8?q?Odpowied=C5=BA_automatyczna=3A_parcel?=", True),
        (b"Return-Path: < >\r\nSubject: Undeliverable: Where is my parcel?", True),
        (b"Return-Path: <>\r\nSubject: Re: Delivery status of my parcel", False),
        (b"Subject: Out of office furniture", False),
    ],
)
def test_a_title_says_that_a_machine_wrote_where_nobody_is_told_of_failures(
    fields: bytes, automatic: bool
) -> None:
    """Neither the title alone nor the null return path alone makes a person's mail silent."""
    base = b"From: Anna <anna@customer.example>\r\n" + fields + b"\r\n"
    assert mail(base=base).open.automatic is automatic


@pytest.mark.parametrize("sender", [b"HELP@shop.example", b"MAILER-DAEMON@mx.example"])
def test_our_own_address_and_mail_servers_are_machines(sender: bytes) -> None:
    """A mail from ourselves would answer itself for ever."""
    assert mail(base=b"From: " + sender + b"\r\n").open.automatic is True


@pytest.mark.parametrize(
    ("base", "address"),
    [
        (b"From: Shop <wordpress@shop.example>\r\nReply-To: Lena <lena@mail.example>\r\n", "lena@mail.example"),
        (b"From: help@shop.example\r\nReply-To: lena@mail.example\r\n", "lena@mail.example"),
        (b"From: Lena via Help <help@lists.shop.example>\r\nX-Original-From: Lena <lena@mail.example>\r\n",
         "lena@mail.example"),
        (b"From: a@shop.example\r\nReply-To: b@shop.example\r\n", "a@shop.example"),
        (b"From: anna@customer.example\r\nReply-To: a@customer.example\r\n", "anna@customer.example"),
            (b"From: a@mx.customer.example\r\nReply-To: b@customer.example\r\n", "a@mx.customer.example"),
            (b"From: x@notshop.example\r\nReply-To: help@shop.example\r\n", "x@notshop.example"),
            (b"From: Lena via Help <help@groups.example>\r\nX-Original-From: Lena <lena@mail.example>\r\n",
             "lena@mail.example"),
    ],
)  # fmt: skip
def test_whoever_wrote_is_the_author_and_not_our_own_program(base: bytes, address: str) -> None:
    """A form's mailer and a group address that relays are the shop's; everybody else's From counts."""
    event = mail(base=base)
    assert [each.value for each in event.personal.handles] == [address]
    assert event.open.automatic is False


def test_a_service_that_mails_for_anybody_identifies_nobody() -> None:
    """Answers go to another domain: the sender may be everybody's, and what somebody typed there proves nothing."""
    base = b"From: Forms <forms@service.example>\r\nReply-To: Lena <lena@mail.example>\r\n"
    known = mail(base=base).personal.handles
    assert [(each.value, each.proof) for each in known] == [
        ("lena@mail.example", "claimed"),
        ("forms@service.example", "claimed"),
    ]


def test_another_mail_under_a_message_id_that_was_seen_is_another() -> None:
    """Whatever way a mail came, it is the same; another date, subject or text is another mail."""
    fields = (b"Message-ID: <claim@carrier.example>", b"Date: Mon, 23 Nov 2026 08:00:00 +0100")
    first = mail(*fields).id
    assert mail(b"Received: by mx2", b"Delivered-To: claims@shop.example", *fields).id == first
    assert mail(*fields, text=b"Hello\n").id == first
    others = [
        mail(*fields, text=b"It was found.\r\n").id,
        mail(fields[0], b"Date: Mon, 30 Nov 2026 08:00:00 +0100").id,
    ]
    assert len({first, *others}) == 3


# -- what cannot be read, what is too long -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "payload.unreadable"),
        (b" \r\n", "payload.unreadable"),
        (b"{}", "payload.not_an_event"),
        (b'[{"event": "x"}]', "payload.not_an_event"),
        (b"\x00" * 100, "payload.unreadable"),
        (b"\x89PNG\r\n\x1a\n\x01\x02\x03\x04", "payload.unreadable"),
    ],
)
def test_what_is_no_mail_is_put_aside(body: bytes, code: str) -> None:
    """Nothing, what programs send each other, and a file."""
    assert email.parse(raw("email", body)) == Quarantined(code)


def test_a_head_goes_on_below_a_line_that_is_no_field() -> None:
    """What a server has broken on its way costs neither her name nor the id of her mail."""
    broken = b"Received: by mx\r\nquite Delivered-To: help@shop.example\r\n no more\r\n" + PLAIN
    (event,) = parsed(raw("email", broken + b"\r\nIt is late.\r\n"))
    assert isinstance(event, MessageReceived)
    assert event.personal is not None
    assert event.open.provider_id == "m1@customer.example"
    assert (event.personal.text, event.personal.title) == ("It is late.\r\n".strip(), "Hello")
    assert [each.value for each in event.personal.handles] == ["anna@customer.example"]
    (strange,) = parsed(raw("email", PLAIN + b"X-Check Result: good\r\n\r\nIt is late.\r\n"))
    assert strange.personal is not None
    assert strange.personal.text == "It is late."
    (begun,) = parsed(raw("email", PLAIN + b"It is late.\r\nFrom: the 22nd\r\n"))
    assert isinstance(begun, MessageReceived)
    assert begun.personal is not None
    assert (begun.personal.text or "").startswith("It is late.")


@pytest.mark.parametrize("charset", ["utf-8", "latin-1"])
def test_a_boundary_may_have_letters_of_eight_bits(charset: str) -> None:
    """It stands in the lines as it was written."""
    body = (
        'Content-Type: multipart/mixed; boundary="gr\u00fcn"\r\n\r\n--gr\u00fcn\r\n'
        "Content-Type: text/html\r\n\r\n<p>It is <b>late</b>.</p>\r\n--gr\u00fcn--\r\n"
    )
    (event,) = parsed(raw("email", PLAIN + body.encode(charset)))
    assert isinstance(event, MessageReceived)
    assert event.personal is not None
    assert event.personal.text == "It is late."


def test_a_head_may_be_written_as_it_once_was() -> None:
    """With blanks before colons, and blanks and comments around dots (RFC 5322, section 4)."""
    head = (
        "From  : Anna <anna@customer(hers) .  example>\r\nSubject  : Hello\r\nTo : help\r\n"
        "Message-ID  : <m1  @  customer(hers)  .example>\r\n"
    )
    (event,) = parsed(raw("email", f"{head}\r\nIt is late.\r\n".encode()))
    assert isinstance(event, MessageReceived)
    assert event.personal is not None
    assert event.open.provider_id == "m1@customer.example"
    assert [each.value for each in event.personal.handles] == ["anna@customer.example"]
    assert (event.personal.text, event.personal.title) == ("It is late.", "Hello")


def test_what_only_says_of_which_kind_it_is_is_a_mail() -> None:
    """Its head was lost but for that."""
    body = (
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n'
        b"<p>It is <b>late</b>.</p>\r\n--b\r\nContent-Type: image/png\r\n\r\nx\r\n--b--\r\n"
    )
    (event,) = parsed(raw("email", body))
    assert isinstance(event, MessageReceived)
    assert event.personal is not None
    assert (event.personal.text, event.open.attachments) == ("It is late.", 1)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r\r\n", "\r"])
def test_lines_end_as_programs_end_them(end: str) -> None:
    """What a text says is the same."""
    (event,) = parsed(raw("email", PLAIN + f"\r\nOne{end}{end}Two{end}".encode()))
    assert isinstance(event, MessageReceived)
    assert event.personal is not None
    assert event.personal.text == "One\n\nTwo"


@pytest.mark.parametrize(
    "body",
    [
        "no header at all\r\nnone\r\n",
        "hello",
        "X-Only: this\r\n\r\nbody",
        "[Photo] of it\n",
        "{sigh} it is late\n",
        "From: me\nSent: today\nTo: you\n\nold\n",
        "Za\u017c\u00f3\u0142\u0107\n",
    ],
)
def test_a_text_without_a_head_is_the_body_of_a_mail(body: str) -> None:
    """Somebody wrote it: whoever handed it over has lost its head. All of it is hers."""
    (event,) = parsed(raw("email", body.encode()))
    assert isinstance(event, MessageReceived)
    assert event.personal is not None
    assert (event.personal.text or "").split() == body.split()
    assert event.personal.handles == []


def test_parts_nested_beyond_all_reason_are_one_attachment() -> None:
    """However deep they go, a mail is looked into so far and no further."""
    nested = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (level, level)
        for level in range(3_000)
    )
    assert mail(base=PLAIN, text=nested).open.attachments == 0
    assert mail(base=PLAIN.strip() + b"\r\n" + nested).open.attachments == 1


def test_a_mail_of_more_parts_than_anybody_writes_is_unreadable() -> None:
    """It is quarantined, not raised."""
    body = PLAIN.strip() + b"\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"
    parts = b"--x\r\n\r\nhello\r\n" * 60_001
    assert email.parse(raw("email", body + parts)) == Quarantined("payload.unreadable")


def test_a_mail_with_a_thousand_parts_is_read_to_its_limit() -> None:
    """The first parts are text, the rest is counted."""
    parts = b"--x\r\nContent-Type: text/plain\r\n\r\nhello\r\n" * 1_000
    event = mail(b"Content-Type: multipart/mixed; boundary=x", text=parts + b"--x--\r\n")
    assert event.personal.text.count("hello") == 199
    assert event.open.attachments == 801


def test_nul_bytes_are_replaced() -> None:
    """A store that refuses NUL takes the text, the title and the name."""
    base = b"From: A\x00nna <anna@customer.example>\r\nSubject: He\x00llo\r\n"
    event = mail(base=base, text=b"a\x00b")
    assert event.personal.text == "a\ufffdb"
    assert event.personal.title == "He\ufffdllo"
    assert b"\\u0000" not in msgspec.json.encode(event)


def test_the_full_text_is_kept_up_to_the_limit_of_a_message() -> None:
    """Whatever a mail holds, its event fits the bus."""
    kept = mail(text=b"x" * 120_000)
    assert len(kept.personal.text) == 120_000
    for text in (b"x" * 190_000, b"\xe9" * 190_000, b"\x01" * 190_000, b"> q\r\n" * 38_000):
        event = mail(text=text)
        assert len(msgspec.json.encode(event.personal.text)) <= texts.TEXT_MAX_BYTES
        assert len(msgspec.json.encode(event)) < MESSAGE_MAX_BYTES


# -- the mails that others wrote --------------------------------------------------------------------------


@pytest.mark.skipif(not os.environ.get("TELLONCE_CORPUS"), reason="TELLONCE_CORPUS is not set")
def test_no_mail_of_the_corpus_raises() -> None:
    """Every real and every hostile mail becomes an event that fits the bus, or is quarantined."""
    seen = read = 0
    for path in sorted(Path(os.environ["TELLONCE_CORPUS"], "email").rglob("*")):
        if not path.is_file():
            continue
        delivery = raw("email", path.read_bytes())
        outcome = email.parse(delivery)
        events = [event for _, event in reports_of(delivery, outcome)]
        assert len(msgspec.json.encode(events[0])) < MESSAGE_MAX_BYTES, path.name
        seen += 1
        read += isinstance(outcome, Reported)
    assert seen >= CORPUS_MAILS_MIN
    assert read > seen // 2
