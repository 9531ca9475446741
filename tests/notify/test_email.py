"""The mail that an agent's message becomes, read back as the customer's mail program reads it."""

import email
import email.policy
import re
from datetime import datetime
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.channels import email as channel
from services.notify.channels.email import Mail
from services.notify.domain.messages import SendingSettings, Unsendable, customer_message
from shared import mail_reference
from shared.events import ConversationId, Data, MessageId, MessageRequested
from shared.message_reference import MessageReference
from shared.policy import Account
from tests.notify.samples import NOW, message

SHOP = Account(queue="hotline", address="help@shop.example", title="Your request")


def render(event: MessageRequested, account: Account | None, now: datetime) -> Mail:
    return channel.render(customer_message(event, account, channel.address, SendingSettings()), now)


def read(content: bytes) -> EmailMessage:
    parsed = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def test_no_machine_answers_what_no_person_wrote() -> None:
    """RFC 3834, section 5: two that answer each other would never end."""
    seen = read(render(message("e1", agent=None), SHOP, NOW).content)
    assert seen["Auto-Submitted"] == "auto-replied"


def test_every_part_of_the_message_arrives() -> None:
    """Sender, recipient, title, text and reference stand where mail programs look for them."""
    event = message("e1", text="Zażółć gęślą jaźń\n.\n-- \nMarek\n")
    mail = render(event, SHOP, NOW)
    seen = read(mail.content)
    assert (mail.sender, mail.recipient) == ("help@shop.example", "anna@customer.example")
    assert (seen["From"], seen["To"]) == ("help@shop.example", "anna@customer.example")
    assert seen["Subject"] == "Your parcel"
    assert seen["Auto-Submitted"] == "no"
    assert seen["Date"].datetime == NOW
    assert seen.get_content().splitlines() == ["Zażółć gęślą jaźń", ".", "-- ", "Marek"]
    assert seen["Message-ID"] == "<msg-m1.c1@shop.example>"


def test_a_mail_is_marked_by_the_newest_key() -> None:
    """Whoever answers shows by it to have a mail of ours; on other channels the provider's signature does."""
    ours = MessageReference(MessageId("m1"), ConversationId("c1"))
    keys = mail_reference.ReplyKeys((b"today", b"yesterday"))
    around = SendingSettings(
        reply_keys={"demo": keys, "another": mail_reference.ReplyKeys((b"x",))}
    )
    sent = channel.render(customer_message(message("e1"), SHOP, channel.address, around), NOW)
    mark = mail_reference.ReplyKeys((b"today",)).mark(ours)
    assert read(sent.content)["Message-ID"] == f"<msg-m1.c1.{mark}@shop.example>"


def test_an_answer_names_what_it_answers() -> None:
    """In-Reply-To and References hold the ids given, each once, in angle brackets, unfolded."""
    event = message("e1", in_reply_to="<b@x.example>", references=["a@x.example", "<b@x.example>"])
    content = render(event, SHOP, NOW).content
    assert read(content)["In-Reply-To"] == "<b@x.example>"
    assert b"References: <a@x.example> <b@x.example>\r\n" in content


def test_a_long_thread_keeps_its_newest_references_unencoded() -> None:
    """However many and long the ids are, the line stays within 998 characters and no id is encoded."""
    ids = [f"<{'x' * 90}{n}@long.example>" for n in range(40)]
    content = render(message("e1", references=ids), SHOP, NOW).content
    (line,) = [each for each in content.split(b"\r\n") if each.startswith(b"References:")]
    assert len(line) <= 998
    assert line.endswith(ids[-1].encode())
    assert b"=?" not in line


@pytest.mark.parametrize(
    "text",
    [
        "ż" * 3_000,
        "x" * 3_000,
        "= " * 1_000,
        "\n".join(["Zażółć gęślą jaźń. " * n for n in range(40)]),
    ],
)
def test_no_line_is_longer_than_mime_allows(text: str) -> None:
    """Quoted-printable lines hold 76 characters at most, encoded words 75; what is read is what was written."""
    content = render(message("e1", title=text[:400].strip(), text=text), SHOP, NOW).content
    assert max(map(len, content.split(b"\r\n"))) <= 76
    assert max(map(len, re.findall(rb"=\?\S+\?=", content)), default=0) <= 75
    seen = read(content)
    assert seen.get_content().splitlines() == text.splitlines()
    assert seen["Subject"] == text[:400].strip().replace("\n", " ")


@pytest.mark.parametrize(
    "title", ["Hello\r\nBcc: thief@evil.example", "Hello\nX: 1", "a\x00b", "a\u2028b", "x" * 2_000]
)
def test_a_title_cannot_add_a_header(title: str) -> None:
    """Line breaks and other controls in a title become blanks."""
    seen = read(render(message("e1", title=title), SHOP, NOW).content)
    assert seen["Bcc"] is None
    assert seen["X"] is None
    assert seen["To"] == "anna@customer.example"
    assert "\n" not in seen["Subject"]


@pytest.mark.parametrize(
    "reference",
    ["<a@b>\r\nBcc: thief@evil.example", "no at sign", "<a@b> <c@d>", "", "<é@x.example>"],
)
def test_a_reference_that_is_no_message_id_is_left_out(reference: str) -> None:
    """What a stranger's mail called its Message-ID is believed only in the form of one."""
    event = message("e1", in_reply_to=reference, references=[reference])
    seen = read(render(event, SHOP, NOW).content)
    assert seen["In-Reply-To"] is None
    assert seen["References"] is None
    assert seen["Bcc"] is None


@pytest.mark.parametrize(
    "address",
    ["", "anna", "anna@", "@x.example", "a b@x.example", "a@x.example\r\nRCPT TO:<b@y.example>",
     "anna@x.example,b@y.example", "<anna@x.example>", "zażółć@x.example", ".a@x.example", "a@" + "x" * 300,
     "anna@customer.example.", "a@b\x01c.pl", "a@b\\c.pl", "a@b＠c.pl"],
)  # fmt: skip
def test_an_address_that_servers_do_not_take_is_refused(address: str) -> None:
    """It is refused before any dialogue, with a stable reason and without the address."""
    with pytest.raises(Unsendable) as refused:
        render(message("e1", to=address), SHOP, NOW)
    assert refused.value.reason == "address_invalid"


ATOM = st.text("abzAZ09!#$%&'*+/=?^_`{|}~-", min_size=1, max_size=20)


@given(
    local=st.lists(ATOM, min_size=1, max_size=3).map(".".join),
    domain=st.lists(
        st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True), min_size=1, max_size=5
    ),
)
def test_every_address_that_we_know_as_one_can_be_written_to(local: str, domain: list[str]) -> None:
    """No address stops the mail of all the others; sender and recipient arrive in their normal form and unfolded."""
    address = f"{local}@{'.'.join(domain)}".lower()
    shop = Account(queue="hotline", address=address if len(address) <= 200 else SHOP.address)
    try:
        mail = render(message("e1", to=address), shop, NOW)
    except Unsendable as refused:
        assert refused.reason == "address_invalid"  # noqa: PT017  a longer one than servers take
        assert len(address) > 254
        return
    assert mail.recipient == address
    assert f"\r\nTo: {address}\r\n".encode() in mail.content
    assert f"From: {shop.address}\r\n".encode() in mail.content


def test_a_domain_in_any_alphabet_is_written_in_ascii() -> None:
    """`poczta.żółw.example` goes out in its IDNA form."""
    mail = render(message("e1", to="anna@żółw.example"), SHOP, NOW)
    assert mail.recipient == "anna@xn--w-uga1v8h.example"


def test_without_a_title_the_account_gives_one() -> None:
    """The account's default subject, else the house's."""
    assert read(render(message("e1", title=None), SHOP, NOW).content)["Subject"] == "Your request"


def test_what_cannot_be_sent_says_why() -> None:
    """No account, no sender's address, an erased text."""
    plain = message("e1")
    erased = MessageRequested(
        **{field: getattr(plain, field) for field in plain.__struct_fields__ if field != "data"},
        data=Data(open=plain.open, personal=None),
    )
    wanted = [
        (plain, None, "sender_unknown"),
        (plain, Account(queue="hotline"), "sender_unknown"),
        (erased, SHOP, "erased"),
    ]
    for event, account, reason in wanted:
        with pytest.raises(Unsendable) as refused:
            render(event, account, NOW)
        assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("code", "kind", "reason", "temporary"),
    [
        (250, "sent", None, False),
        (251, "sent", None, False),
        (421, "failed", "smtp_421", True),
        (552, "failed", "smtp_552", False),
        (354, "uncertain", "smtp_354", False),
        (-1, "uncertain", "smtp_-1", False),
        (777, "uncertain", "smtp_777", False),
    ],
)
def test_the_first_digit_of_a_reply_is_the_outcome(
    code: int, kind: str, reason: str | None, temporary: bool
) -> None:
    """RFC 5321: 2 is taken, 4 may be tried again, 5 never; any other leaves a doubt and is no error."""
    found = channel.outcome(code)
    assert (found.kind, found.reason, found.temporary) == (kind, reason, temporary)
