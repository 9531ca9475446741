"""What a mail server reports of a mail: that it came back, arrived, was read, or is late.

Most say so in a `multipart/report`; older and simpler servers in words (`delivery_words`).
Sources: RFC 6522 (multipart/report), RFC 3464, sections 2.3.1 to 2.3.4 (recipients, Action, Status), RFC 6533 (their
internationalised forms), RFC 8098, sections 3.2.4 to 3.2.6 (disposition notifications), read 2026-11-29.
"""

import base64
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from services.ingest.domain import delivery_words, mail_parts
from services.ingest.domain.delivery_words import DeliveryReport, Fate, Outcome
from services.ingest.domain.mime_tree import Part

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


def read(mail: Part) -> DeliveryReport | None:
    """Return the delivery report that a mail is; `None` for any other mail. A forwarded report is none."""
    if mail.kind == KIND and mail.inside:
        parts = mail.inside[:PARTS_MAX]
        heads = mail_parts.returned_heads(mail)
        fates = _fates(parts, heads)
        if fates:
            named = _original_id(parts) or mail_parts.id_in(heads) or _returned_id(mail)
            return DeliveryReport(tuple(fates), named)
        if any(part.kind in READ_KINDS for part in parts):
            return _refused(mail, _original_id(parts))
    if mail.kind in STATUS_KINDS and (fates := _fates([mail], ())):
        return DeliveryReport(tuple(fates), None)
    told = delivery_words.read(mail)
    if told is None and mail.kind == KIND:
        return DeliveryReport((), _returned_id(mail))
    return told


def _returned_id(mail: Part) -> str | None:
    return mail_parts.returned_id(mail_parts.all_texts(mail))


def _refused(mail: Part, original_id: str | None) -> DeliveryReport:
    """Return what a disposition notification reports that shows nothing: a filter refuses a mail by one (RFC 5429)."""
    groups = (group for part in mail.inside[:PARTS_MAX] for group in _groups(part))
    deleted = any(_DELETED.match(group.get("disposition", "")) for group in groups)
    told = delivery_words.read(mail) if deleted else None
    if told is None:
        return DeliveryReport((), original_id)
    return DeliveryReport(told.fates, original_id or told.returned_id)


def _fates(parts: Sequence[Part], heads: mail_parts.Texts) -> list[Fate]:
    """Return what became of the mail for each recipient, by the machine-readable part; [] where there is none."""
    part = next((each for each in parts if each.kind in STATUS_KINDS | READ_KINDS), None)
    if part is None:
        return []
    if part.kind in READ_KINDS:
        shown = (each for each in _groups(part) if _DISPLAYED.match(each.get("disposition", "")))
        return [Fate("read", _recipient(group), None) for group in islice(shown, 1)]
    told = [
        Fate(outcome, _recipient(group), _status(group))
        for group in _groups(part)
        if (outcome := _outcome(group)) is not None
    ]
    if len(told) == 1 and not told[0].recipient:
        return [replace(told[0], recipient=mail_parts.returned_recipient(heads))]
    return told


Group = Mapping[str, str]
"""Fields of a report, by their names in lower case: of several of one name the first."""


def _groups(status: Part) -> Iterator[Group]:
    """Give the fields of the report as a whole and of each recipient.

    The one kind is divided into its groups; of the other the first is the head of a message, and a third is a text.
    """
    encoded = False
    for group in status.inside[:GROUPS_MAX]:
        yield group.by_name()
        if not group.inside:
            said = mail_parts.content(group)
            yield from _blocks(_plain(said) if encoded and not group.fields else said)
        encoded = (group.field("content-transfer-encoding") or "").strip().lower() == "base64"
    if not status.inside:
        yield from _blocks(mail_parts.content(status))


def _plain(said: str) -> str:
    """Return a group that a gateway has encoded, which it says in the group above."""
    try:
        return base64.b64decode(said).decode("utf-8", "replace")
    except ValueError:
        return said


def _blocks(below: str) -> Iterator[Group]:
    if below.strip():
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


def _original_id(parts: Sequence[Part]) -> str | None:
    """Return the id that a disposition notification names."""
    for part in parts:
        if part.kind in READ_KINDS:
            named = (group.get("original-message-id") for group in _groups(part))
            return next((each for each in named if each), None)
    return None
