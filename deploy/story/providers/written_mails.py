"""Mails as they lie in files: a mail, several in the mbox format (RFC 4155), or a body without its header block."""

import re
from datetime import datetime
from email.parser import BytesHeaderParser
from email.policy import compat32

from deploy.story.providers import mail_dates
from shared import instants

HEAD_OF_A_BODY = (
    b"Subject:\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: 8bit\r\n\r\n"
)
HEAD_MAX_BYTES = 262_144

_FIELD = re.compile(rb"\A([!-9;-~]+)[ \t]*:")
_FIELDS = re.compile(rb"^([!-9;-~]+)[ \t]*:", re.MULTILINE)
_BETWEEN = re.compile(rb"(?:\r?\n){2}(?=From [^\r\n]*\r?\n[!-9;-~]+:)")
_HEAD_END = re.compile(rb"\r?\n\r?\n|\r\r")
_MAILS_OWN = frozenset(
    {b"received", b"return-path", b"message-id", b"date", b"mime-version", b"delivered-to"}
)
_QUOTED_TOO = frozenset({b"from", b"to", b"subject"})
"""Fields that programs also write above the mail that they quote; with `Sent:` they do."""


def mails(content: bytes) -> list[bytes]:
    """Return the mails of a file, at least one."""
    if content.startswith(b"From ") and _BETWEEN.search(content):
        return _BETWEEN.split(content)
    return [content if _has_head(content) else HEAD_OF_A_BODY + content]


def date(mail: bytes) -> datetime | None:
    """Return when a mail says that it was sent; `None` when it says nothing that can be read."""
    head = _HEAD_END.split(mail.removeprefix(b"\xef\xbb\xbf")[:HEAD_MAX_BYTES], maxsplit=1)[0]
    given = BytesHeaderParser(policy=compat32).parsebytes(head + b"\n\n")["date"]
    time = mail_dates.read(str(given))
    return time if time is not None and instants.is_kept_by_all(time) else None


def _has_head(content: bytes) -> bool:
    """Tell whether a file begins with the header block of a mail."""
    start = content.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")
    if start.startswith(b"From "):
        return True
    head = _HEAD_END.split(start[:HEAD_MAX_BYTES], maxsplit=1)[0]
    if _FIELD.match(head) is None:
        return False
    names = {name.lower() for name in _FIELDS.findall(head)}
    return bool(names & _MAILS_OWN) or bool(names & _QUOTED_TOO and b"sent" not in names)
