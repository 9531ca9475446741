"""Mails as they lie in files: one, or several in the mbox format (RFC 4155, and as programs write it)."""

import re
from datetime import datetime

from deploy.story.providers import mail_dates
from shared import instants

HEAD_MAX_BYTES = 262_144

_FIELD = re.compile(rb"\A([!-9;-~]+)[ \t]*:")
_BETWEEN = re.compile(
    rb"(?:\r?\n){2}(?=From [^\r\n]*\r?\n[!-9;-~]+:)"
    rb"|\r?\n(?=From (?:-|\S+ +(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) [^\r\n]*\d)[^\r\n]*\r?\n[!-9;-~]+:)"
)
"""A blank line may be missing where the line below it is nothing else."""
_DATE = re.compile(rb"^Date[ \t]*:((?:.*)(?:\n[ \t].*)*)", re.MULTILINE | re.IGNORECASE)
_HEAD_END = re.compile(rb"\r?\n\r?\n|\r\r")


def mails(content: bytes) -> list[bytes]:
    """Return the mails of a file, at least one."""
    if content.startswith(b"From ") and _BETWEEN.search(content):
        return _BETWEEN.split(content)
    return [content]


def date(mail: bytes) -> datetime | None:
    """Return when a mail says that it was sent; `None` when it says nothing that can be read."""
    start = mail[:HEAD_MAX_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")
    head = _HEAD_END.split(start, maxsplit=1)[0]
    if not head.startswith(b"From ") and _FIELD.match(head) is None:
        return None
    given = _DATE.search(head.replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
    time = mail_dates.read(" ".join(given[1].decode("latin-1").split())) if given else None
    return time if time is not None and instants.is_kept_by_all(time) else None
