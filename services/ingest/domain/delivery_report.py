"""What a mail server reports of a mail: that it came back, arrived, was read, or is late.

Most say so in a `multipart/report`; older and simpler servers in words (`delivery_words`).
Sources: RFC 6522 (multipart/report), RFC 3464, sections 2.3.1 to 2.3.4 (recipients, Action, Status), RFC 6533 (their
internationalised forms), RFC 8098, sections 3.2.4 to 3.2.6 (disposition notifications), read 2026-11-29.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from email.message import Message

from services.ingest.domain import delivery_words, mail_parts
from services.ingest.domain.delivery_words import DeliveryReport, Fate, Outcome

__all__ = ["DeliveryReport", "Fate", "read"]

KIND = "multipart/report"
STATUS_KINDS = frozenset({"message/delivery-status", "message/global-delivery-status"})
READ_KINDS = frozenset(
    {"message/disposition-notification", "message/global-disposition-notification"}
)
PARTS_MAX = 8
"""A report has three parts."""
GROUPS_MAX = 128
"""Recipients whose status is looked at; a mail of ours has one."""
HEADERS_MAX_CHARACTERS = 65_536

ACTIONS: dict[str, Outcome] = {
    "failed": "failed",
    "delivered": "delivered",
    "relayed": "delivered",
    "expanded": "delivered",
    "delayed": "delayed",
}
"""Relayed: handed to a server that reports nothing; expanded: handed to the members of a list."""
BY_STATUS: dict[str, Outcome] = {"2": "delivered", "4": "delayed", "5": "failed"}
"""By the class of a status: RFC 3463, section 2."""

_WORD = re.compile(r"\s*([A-Za-z-]{1,32})")
_STATUS = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})(?!\S)")
_DELETED = re.compile(r"\s*automatic-action\b[^;]*;\s*deleted\b", re.IGNORECASE)
_DISPLAYED = re.compile(r"[^;]*;\s*displayed\b", re.IGNORECASE)


def read(mail: Message) -> DeliveryReport | None:
    """Return the delivery report that a mail is; `None` for any other mail. A forwarded report is none."""
    if mail.get_content_type() == KIND and mail.is_multipart():
        parts = mail_parts.children(mail)[:PARTS_MAX]
        fates = _fates(mail, parts)
        if fates:
            return DeliveryReport(tuple(fates), _original_id(parts) or mail_parts.returned_id(mail))
        if any(part.get_content_type() in READ_KINDS for part in parts):
            return _refused(mail, _original_id(parts))
    if mail.get_content_type() in STATUS_KINDS and (fates := _fates(mail, [mail])):
        return DeliveryReport(tuple(fates), None)
    told = delivery_words.read(mail)
    if told is None and mail.get_content_type() == KIND:
        return DeliveryReport((), mail_parts.returned_id(mail))
    return told


def _refused(mail: Message, original_id: str | None) -> DeliveryReport:
    """Return what a disposition notification reports that shows nothing: a filter refuses a mail by one (RFC 5429)."""
    groups = (group for part in mail_parts.children(mail)[:PARTS_MAX] for group in _groups(part))
    deleted = any(_DELETED.match(group.get("disposition", "")) for group in groups)
    told = delivery_words.read(mail) if deleted else None
    if told is None:
        return DeliveryReport((), original_id)
    return DeliveryReport(told.fates, original_id or told.returned_id)


def _fates(mail: Message, parts: list[Message]) -> list[Fate]:
    """Return what became of the mail for each recipient, by the machine-readable part; [] where there is none."""
    for part in parts:
        groups = list(_groups(part))
        if part.get_content_type() in STATUS_KINDS:
            told = [
                Fate(outcome, _recipient(group), _status(group))
                for group in groups
                if (outcome := _outcome(group)) is not None
            ]
            known = mail_parts.returned_recipient(mail) if len(told) == 1 else None
            return [
                each if each.recipient else Fate(each.outcome, known, each.status) for each in told
            ]
        if part.get_content_type() in READ_KINDS:
            shown = [group for group in groups if _DISPLAYED.match(group.get("disposition", ""))]
            return [Fate("read", _recipient(group), None) for group in shown[:1]]
    return []


Group = Mapping[str, str]
"""Fields of a report, by their names in lower case: of several of one name the first."""


def _groups(status: Message) -> Iterator[Group]:
    """Give the fields of the report as a whole and of each recipient.

    The standard parser splits the one kind into its groups; of the other it reads the first as the head of a message,
    and the text of a third it leaves alone.
    """
    inside = mail_parts.children(status)
    for number, group in enumerate(inside):
        if number == GROUPS_MAX:
            return
        yield _first_of_each((name.lower(), str(value)) for name, value in group.items())
        yield from _blocks(group.get_payload())
    if not inside:
        yield from _blocks(mail_parts.content(status))


def _blocks(below: object) -> Iterator[Group]:
    if isinstance(below, str) and below.strip():
        blocks = re.split(r"\r?\n[ \t]*\r?\n", below[:HEADERS_MAX_CHARACTERS].strip())
        for block in blocks[:GROUPS_MAX]:
            yield _first_of_each(mail_parts.fields(block))


def _first_of_each(fields: Iterable[tuple[str, str]]) -> Group:
    found: dict[str, str] = {}
    for name, value in fields:
        found.setdefault(name, value)
    return found


def _outcome(group: Group) -> Outcome | None:
    """Return what became of the mail for a recipient; where no action is named, its status tells."""
    found = _WORD.match(group.get("action", ""))
    if found is not None:
        return ACTIONS.get(found[1].lower())
    return BY_STATUS.get((_status(group) or "")[:1]) if _recipient(group) else None


def _status(group: Group) -> str | None:
    found = _STATUS.match(group.get("status", ""))
    return found[1] if found else None


def _recipient(group: Group) -> str | None:
    """Return the recipient whom a group is about, as the last server knew him; not by a name that only it knows."""
    fields = (group.get(name, "") for name in ("final-recipient", "original-recipient"))
    known = [found for field in fields if (found := mail_parts.address(field))]
    public = (each for each in known if "." in each.rpartition("@")[2])
    return next(public, None) or next(iter(known), None)


def _original_id(parts: list[Message]) -> str | None:
    """Return the id that a disposition notification names."""
    for part in parts:
        if part.get_content_type() in READ_KINDS:
            named = (group.get("original-message-id") for group in _groups(part))
            return next((each for each in named if each), None)
    return None
