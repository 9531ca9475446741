"""A mail as it is read: by the standard parser's old policy, which real mails do not break, and by our own limits.

Sources: RFC 5322, RFC 2045-2049 (MIME), read 2026-11-22.
"""

import re
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from email.policy import compat32
from typing import Any

from typing_extensions import override

from services.ingest.domain import charsets, delivery_report, html_text, mail_headers
from services.ingest.domain.delivery_report import DeliveryReport

PARTS_MAX = 200
"""Parts that are looked at; the rest counts as attachments."""

DEPTH_MAX = 20
"""Parts inside of parts that are looked at; what is deeper counts as one attachment."""

WORK_MAX = 4_000_000
"""Boundaries times lines: how often the parser may have to compare a line with a boundary, 0.3 s of it.

It asks each line about every part that it stands in. A hundred forwarded mails come to a tenth of this.
"""

PARAMETERS_MAX_CHARACTERS = 2_048
"""A field with parameters that is longer is read in a plain way, and no further than this."""

TELLING_FIELDS = frozenset(
    {"from", "sender", "to", "date", "message-id", "subject", "received", "return-path"}
)
"""A body with none of these is no mail."""


@dataclass(frozen=True, slots=True)
class Mail:
    """What the channel needs of a mail. `fields`: raw header fields in order, names in lower case.

    `text`: all of the text as plain text; `attachments`: how many parts are not text; `report`: what it reports of
    another mail, `None` for all but delivery reports.
    """

    fields: list[tuple[str, str]]
    content_type: str
    text: str
    attachments: int
    report: DeliveryReport | None = None

    def raw_field(self, name: str) -> str | None:
        """Return the first field of a name as it was written; `None` when there is none."""
        return next((value for each, value in self.fields if each == name), None)

    def field(self, name: str) -> str | None:
        """Return the first field of a name, decoded; `None` when there is none."""
        value = self.raw_field(name)
        return None if value is None else mail_headers.text(value)


@dataclass(slots=True)
class _Reading:
    """What was found so far. `parts`: how many were looked at; `named`: the texts among the attachments."""

    parts: int = 0
    attachments: int = 0
    texts: list[str] = field(default_factory=list)
    named: list[str] = field(default_factory=list)


def read(body: bytes) -> Mail | None:
    """Return the mail in `body`; `None` when it is none or is nested beyond what the parser can follow, or in time."""
    if _work(body) > WORK_MAX:
        return None
    try:
        message = message_from_bytes(body, _class=_Part, policy=compat32)
        fields = [(name.lower(), str(value)) for name, value in message.raw_items()]
        if not TELLING_FIELDS.intersection(name for name, _ in fields):
            return None
        reading = _Reading()
        _collect(message, reading, depth=0)
        report = delivery_report.read(message)
    except RecursionError:
        return None
    text = "\n".join(each.strip("\n") for each in reading.texts if each.strip())
    if not text and reading.named:
        # Some programs give the text of the mail itself a file name.
        return Mail(fields, message.get_content_type(), reading.named[0], reading.attachments - 1)
    return Mail(fields, message.get_content_type(), text, reading.attachments, report)


_BOUNDARY = re.compile(rb"boundary\*?[0-9]*\*?[ \t]*=", re.IGNORECASE)


def _work(body: bytes) -> int:
    """Return how many comparisons the parser needs at most, without parsing."""
    lines = body.count(b"\n") + body.count(b"\r") - body.count(b"\r\n")
    return lines * sum(1 for _ in _BOUNDARY.finditer(body))


class _Part(Message):
    """A part that can always be asked for its parameters, however RFC 2231 was broken in them."""

    @override
    def get_param(
        self, param: str, failobj: Any = None, header: str = "content-type", unquote: bool = True
    ) -> Any:
        written = str(self.get(header, ""))
        if len(written) > PARAMETERS_MAX_CHARACTERS:
            # The standard parser's time grows with the square of the length.
            return _plain_param(written[:PARAMETERS_MAX_CHARACTERS], param) or failobj
        try:
            return super().get_param(param, failobj, header, unquote)
        except (TypeError, ValueError):
            # Two forms of one name, or a number without end: the standard parser cannot put them in order.
            return _plain_param(written, param) or failobj

    @override
    def get_boundary(self, failobj: Any = None) -> Any:
        try:
            return super().get_boundary(failobj)
        except ValueError:
            return failobj


def _plain_param(value: str, name: str) -> str | None:
    """Return a parameter that is written in the plain form, `name=value` or `name="value"`."""
    found = re.search(
        rf';\s*{re.escape(name)}\s*=\s*(?:"([^"]*)"|([^\s;"]+))', value, re.IGNORECASE
    )
    return None if found is None else found[1] or found[2]


def _collect(part: Message, reading: _Reading, depth: int) -> None:
    """Take the texts of a part and of all inside it, in reading order."""
    reading.parts += 1
    if reading.parts > PARTS_MAX or depth > DEPTH_MAX:
        reading.attachments += 1
        return
    kind = part.get_content_type()
    if kind == "message/rfc822" or _is_file(part):
        reading.attachments += 1
        if kind in {"text/plain", "text/html"} and (named := _words(part, kind).strip()):
            reading.named.append(named)
    elif part.is_multipart():
        children = [child for child in part.get_payload() if isinstance(child, Message)]
        if kind == "multipart/alternative":
            _collect_best(children, reading, depth)
        else:
            for child in children:
                _collect(child, reading, depth + 1)
    elif kind.startswith(("text/", "multipart/")) and kind != "text/calendar":
        reading.texts.append(_words(part, kind))
    else:
        reading.attachments += 1


def _collect_best(children: list[Message], reading: _Reading, depth: int) -> None:
    """Collect the plain form of a text that comes in several forms, else the last form that has a text."""
    found: list[tuple[bool, list[str]]] = []
    for child in children:
        inner = _Reading(parts=reading.parts)
        _collect(child, inner, depth + 1)
        reading.parts = inner.parts
        reading.attachments += inner.attachments
        reading.named += inner.named
        if any(text.strip() for text in inner.texts):
            found.append((child.get_content_type() == "text/plain", inner.texts))
    plain = [texts for is_plain, texts in found if is_plain]
    for texts in plain[:1] or [texts for _, texts in found][-1:]:
        reading.texts += texts


def _words(part: Message, kind: str) -> str:
    """Return a text part as plain text."""
    found = _text(part)
    return html_text.to_text(found) if kind == "text/html" else found.replace("\r\n", "\n")


def _is_file(part: Message) -> bool:
    try:
        return part.get_content_disposition() == "attachment" or part.get_filename() is not None
    except (ValueError, LookupError, TypeError):
        return True


def _text(part: Message) -> str:
    """Return a text part as text; what its transfer encoding does not allow is read as it stands."""
    try:
        body = part.get_payload(decode=True)
    except (ValueError, LookupError, AssertionError):
        body = None
    if not isinstance(body, bytes):
        written = part.get_payload()
        body = str(written).encode("utf-8", "surrogateescape")
    return charsets.decode(body, _charset(part))


def _charset(part: Message) -> str | None:
    try:
        declared = part.get_content_charset()
    except (ValueError, LookupError, TypeError):
        return None
    return declared or None
