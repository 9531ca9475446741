"""Mail to the customer: from `message.requested` to the bytes that a mail server takes, and back to an outcome.

Sources, read 2026-11: RFC 5322 (headers, `msg-id`), RFC 3834 section 5 (`Auto-Submitted: no`: a person wrote it),
RFC 5321 section 4.2.1 (4yz: try again, 5yz: never), RFC 2045 section 6.7 (quoted-printable lines of at most 76
characters), RFC 2047 section 2 (encoded words of at most 75, their lines of at most 76).
Nothing of the event reaches a header without losing its control characters first.
"""

from __future__ import annotations

import email.policy
import re
from dataclasses import dataclass
from datetime import datetime
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime
from typing import Any

from typing_extensions import override

from shared import events, mail_address, mail_reference
from shared.mail_reference import MailReference
from shared.policy import Account

NAME = "email"
TITLE_MAX_CHARACTERS = 512
REFERENCES_MAX_CHARACTERS = 900
LINE_MAX_CHARACTERS = 76
UNFOLDED_FIELDS = frozenset({"from", "to", "message-id", "in-reply-to", "references"})
"""Each on one line of at most 998 characters (RFC 5322, section 2.1.1): folding an id or address would encode it."""
DEFAULT_TITLE = "Your request"

_MESSAGE_ID = re.compile(r"<?([!-;=?-~]+@[!-;=?-~]+)>?\Z")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class _Lines(EmailPolicy):
    """Folds as the standard library does, but for what must stay on one line, and for the title."""

    @override
    def fold_binary(self, name: str, value: Any) -> bytes:
        if name.lower() in UNFOLDED_FIELDS:
            return _UNFOLDED.fold_binary(name, value)
        if name.lower() == "subject":
            return f"{name}: {_subject(str(value))}\r\n".encode("ascii")
        return super().fold_binary(name, value)


_UNFOLDED = email.policy.SMTP.clone(max_line_length=990)
_POLICY = _Lines(linesep="\r\n", max_line_length=LINE_MAX_CHARACTERS)


def _subject(text: str) -> str:
    """Return a title in encoded words, or as it is when it needs none. `EmailPolicy` drops blanks between words."""
    if text.isascii() and len(f"Subject: {text}") <= LINE_MAX_CHARACTERS and "=?" not in text:
        return text
    field = Header(text, "utf-8", maxlinelen=LINE_MAX_CHARACTERS, header_name="Subject")
    return field.encode(linesep="\r\n")


class Unsendable(Exception):
    """The message can never leave as it is. `reason`: a stable word, without personal data."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail for one recipient. `sender` and `recipient` are envelope addresses in ASCII."""

    sender: str
    recipient: str
    content: bytes


def render(event: events.MessageRequested, account: Account | None, now: datetime) -> Mail:
    """Return the mail that an agent's message becomes.

    Raises: Unsendable with `channel_unknown`, `sender_unknown`, `erased` or `address_invalid`.
    """
    if event.open.channel != NAME:
        raise Unsendable("channel_unknown")
    if account is None or account.address is None:
        raise Unsendable("sender_unknown")
    if event.personal is None or event.conversation is None:
        raise Unsendable("erased")
    sender, recipient = _ascii_address(account.address), _ascii_address(event.personal.to)
    message = EmailMessage(policy=_POLICY)
    message["From"] = Address(addr_spec=sender)
    message["To"] = Address(addr_spec=recipient)
    message["Subject"] = _line(event.personal.title or account.title or DEFAULT_TITLE)
    message["Date"] = format_datetime(now)
    message["Message-ID"] = _own_id(event, event.conversation, sender.rpartition("@")[2])
    _thread(message, event.personal)
    message["Auto-Submitted"] = "no"
    message.set_content(event.personal.text, charset="utf-8", cte="quoted-printable")
    return Mail(sender, recipient, message.as_bytes())


def _own_id(
    event: events.MessageRequested, conversation: events.ConversationId, domain: str
) -> str:
    try:
        return mail_reference.write(MailReference(event.open.message_id, conversation), domain)
    except ValueError:
        raise Unsendable("sender_unknown") from None


def _thread(message: EmailMessage, personal: events.MessageRequestedPersonal) -> None:
    """Say what it answers, so that the customer's mail program keeps the thread together."""
    answered = _message_ids([personal.in_reply_to or ""])
    references = _newest(_message_ids([*personal.references, *answered]))
    if answered:
        message["In-Reply-To"] = answered[0]
    if references:
        message["References"] = " ".join(references)


def _message_ids(given: list[str]) -> list[str]:
    """Return the well-formed ids in angle brackets, each once, in order; others are left out."""
    found = (_MESSAGE_ID.match(each.strip()) for each in given)
    written = (f"<{match[1]}>" for match in found if match is not None)
    return list(dict.fromkeys(each for each in written if len(each) < REFERENCES_MAX_CHARACTERS))


def _newest(ids: list[str]) -> list[str]:
    """Return the last ids that fit one line, in order."""
    kept = ids
    while sum(len(each) + 1 for each in kept) > REFERENCES_MAX_CHARACTERS:
        kept = kept[1:]
    return kept


def _line(text: str) -> str:
    """Return the text as one header line: control characters become blanks."""
    return _CONTROLS.sub(" ", text).strip()[:TITLE_MAX_CHARACTERS]


def _ascii_address(address: str) -> str:
    """Return an address that every mail server takes. Raises: Unsendable."""
    written = mail_address.ascii_form(address)
    if written is None:
        raise Unsendable("address_invalid")
    return written
