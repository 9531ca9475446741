"""Mail to the customer: renders an agent's message as bytes for a mail server, and interprets the server's reply.

Sources, read 2026-11: RFC 5322 (headers, `msg-id`), RFC 3834 section 5 (`Auto-Submitted: no`: a person wrote it;
`auto-replied`: nobody did, and no machine answers it),
RFC 5321 section 4.2.1 (4yz: try again, 5yz: never), RFC 2045 section 6.7 (quoted-printable lines of at most 76
characters), RFC 2047 section 2 (encoded words of at most 75, their lines of at most 76).
Nothing of the event reaches a header without losing its control characters first.
"""

import email.policy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime
from typing import Any

from typing_extensions import override

from services.notify.domain import messages, outcomes
from services.notify.domain.asking import no_finding as found
from services.notify.domain.asking import no_question as ask
from services.notify.domain.messages import uncounted as parts
from shared import events, handles, mail_reference, submission_address
from shared.message_reference import MessageReference
from shared.submission_address import SubmissionAddress

__all__ = [
    "CARRIER",
    "KINDS",
    "MEDIUM",
    "NAME",
    "SECRETS",
    "TEMPLATES",
    "address",
    "ask",
    "found",
    "outcome",
    "parts",
    "render",
]

NAME = "email"
MEDIUM: events.Medium = "mail"
CARRIER = "smtp"
TEMPLATES = False
SECRETS: Sequence[str] = ()
KINDS: Mapping[int, outcomes.Kind] = {2: "sent", 4: "failed", 5: "failed"}
"""What the first digit of a reply says of the mail; TRY_AGAIN may be taken later."""
TRY_AGAIN = 4

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


@dataclass(frozen=True, slots=True)
class OwnServer:
    """A server that an account's mails leave by. `oauth`: who gives out its access tokens, `None` for a password."""

    address: SubmissionAddress
    user: str
    oauth: str | None
    secrets: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail for one recipient. `sender` and `recipient` are envelope addresses in ASCII.

    `own_server`: the account's own server; `None` for the house's.
    """

    sender: str
    recipient: str
    content: bytes
    own_server: OwnServer | None = None


def address(to: str) -> str | None:
    """Return an address as every mail server takes it, in ASCII; `None` for any other."""
    normal = handles.email(to)
    return normal if normal is not None and normal.isascii() else None


def render(message: messages.CustomerMessage, now: datetime) -> Mail:
    """Return the mail that an agent's message becomes. Raises: Unsendable with `sender_unknown` or `secret_missing`."""
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = Address(addr_spec=message.sender)
    mail["To"] = Address(addr_spec=message.to)
    mail["Subject"] = _line(message.title or DEFAULT_TITLE)
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = _own_id(message)
    _thread(mail, message)
    mail["Auto-Submitted"] = "auto-replied" if message.automatic else "no"
    mail.set_content(message.text, charset="utf-8", cte="quoted-printable")
    return Mail(message.sender, message.to, mail.as_bytes(), _own_server(message))


def _own_server(message: messages.CustomerMessage) -> OwnServer | None:
    """Return the account's own server, with what opens it. Raises: Unsendable with `secret_missing`."""
    if message.smtp is None:
        return None
    needed = ("password",) if message.oauth is None else ("client_id", "refresh_token")
    secrets = {**message.secrets, **{name: message.secret(name) for name in needed}}
    address = submission_address.parse(message.smtp)
    return OwnServer(address, message.secret("user"), message.oauth, secrets)


def outcome(code: int) -> outcomes.Outcome:
    """Return what a mail server's reply means; the reason is `smtp_<code>`."""
    digit = code // 100
    kind = KINDS.get(digit, "uncertain")
    reason = None if kind == "sent" else f"smtp_{code}"
    return outcomes.Outcome(kind=kind, reason=reason, temporary=digit == TRY_AGAIN)


def _own_id(message: messages.CustomerMessage) -> str:
    domain = message.sender.rpartition("@")[2]
    try:
        reference = MessageReference(message.id, message.conversation)
        return mail_reference.write(reference, domain, message.reply_mark)
    except ValueError:
        raise messages.Unsendable("sender_unknown") from None


def _thread(mail: EmailMessage, message: messages.CustomerMessage) -> None:
    """Set the headers that name the answered mails, so that the customer's mail program keeps the thread together."""
    answered = _message_ids([message.in_reply_to or ""])
    references = _newest(_message_ids([*message.references, *answered]))
    if answered:
        mail["In-Reply-To"] = answered[0]
    if references:
        mail["References"] = " ".join(references)


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
