"""What a mail server reports of a mail that it could not, or not yet, deliver: a `multipart/report`.

Sources: RFC 6522 (multipart/report), RFC 3464, sections 2.3.3 and 2.3.4 (Action, Status), RFC 6533 (their
internationalised forms), read 2026-11-29.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_string
from email.message import Message

KIND = "multipart/report"
STATUS_KINDS = frozenset({"message/delivery-status", "message/global-delivery-status"})
RETURNED_KINDS = frozenset(
    {"message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers"}
)
PARTS_MAX = 8
"""A report has three parts."""
GROUPS_MAX = 64
"""Recipients whose status is looked at; a mail of ours has one."""
HEADERS_MAX_CHARACTERS = 65_536

_WORD = re.compile(r"\s*([A-Za-z-]{1,32})")
_STATUS = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})(?!\S)")


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """What became of a mail.

    `failed`: somebody will never get it; `status`: why, such as `5.1.1`, where the report says so; `returned_id`: the
    raw Message-ID field of the mail itself, `None` where the report does not return the mail or its head.
    """

    failed: bool
    status: str | None
    returned_id: str | None


def read(mail: Message) -> DeliveryReport | None:
    """Return the delivery report that a mail is; `None` for any other mail. A forwarded report is none."""
    if mail.get_content_type() != KIND or not mail.is_multipart():
        return None
    parts = _parts(mail)[:PARTS_MAX]
    status = next((part for part in parts if part.get_content_type() in STATUS_KINDS), None)
    if status is None:
        return None
    failed = [group for group in _groups(status) if _action(group) == "failed"]
    statuses = (_STATUS.match(str(group.get("status", ""))) for group in failed)
    returned = next((part for part in parts if part.get_content_type() in RETURNED_KINDS), None)
    return DeliveryReport(
        failed=bool(failed),
        status=next((found[1] for found in statuses if found), None),
        returned_id=None if returned is None else _message_id(returned),
    )


def _parts(of: Message) -> list[Message]:
    payload = of.get_payload()
    return [each for each in payload if isinstance(each, Message)] if of.is_multipart() else []


def _groups(status: Message) -> Iterator[Message]:
    """Give the fields of the report as a whole and of each recipient.

    The standard parser splits the one kind into its groups; of the other it reads the first as the head of a message.
    """
    for number, group in enumerate(_parts(status)):
        if number == GROUPS_MAX:
            return
        yield group
        below = group.get_payload()
        if isinstance(below, str) and below.strip():
            blocks = re.split(r"\r?\n[ \t]*\r?\n", below[:HEADERS_MAX_CHARACTERS].strip())
            yield from (message_from_string(block) for block in blocks[:GROUPS_MAX])


def _action(group: Message) -> str | None:
    found = _WORD.match(str(group.get("action", "")))
    return found[1].lower() if found else None


def _message_id(returned: Message) -> str | None:
    """Return the raw Message-ID of a returned mail: of the mail in the part, or of the fields that are its text."""
    inside = _parts(returned)
    if inside:
        return _field(inside[0], "message-id")
    body = returned.get_payload(decode=True)
    text = body.decode("latin-1") if isinstance(body, bytes) else ""
    return _field(message_from_string(text[:HEADERS_MAX_CHARACTERS].lstrip()), "message-id")


def _field(part: Message, name: str) -> str | None:
    value = part.get(name)
    return None if value is None else str(value)
