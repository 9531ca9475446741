"""Reports of undelivered mail in a server's own words: what has no machine-readable part, or has one in its text.

A mail server sent it, and it says that a mail came back. What other machines send has to show of which mail, by an id,
a status or a reply code: a carrier's mail about a parcel that could not be delivered shows none of these.
Sources, read 2026-11-29: bounces of some sixty servers (the public set sisimai/set-of-emails), RFC 3463 (status codes),
Amazon SES ("notification contents").
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from typing import Any, Literal

from services.ingest.domain import mail_parts

Outcome = Literal["failed", "delivered", "read", "delayed"]

WORDS_LOOKED_AT_CHARACTERS = 16_384
TOLD_LOOKED_AT_CHARACTERS = 4_096
FATES_MAX = 64
"""Recipients of a notification that are looked at."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a mail for one recipient. `status`: why, such as `5.1.1`, where the report says so."""

    outcome: Outcome
    recipient: str | None
    status: str | None


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """What became of a mail.

    `fates`: one per recipient, none where it reports something else; `returned_id`: the raw Message-ID field of the
    mail itself, `None` where the report does not return the mail or its head.
    """

    fates: tuple[Fate, ...]
    returned_id: str | None


_SERVER = re.compile(
    r"(?:mailer[- ]daemon|post[_-]?master|mail-?daemon|mailsystem)\b|<>|mail deliver(?:y|er)? (?:sub)?system|\A\s*\Z"
    r"|mail administrator|mail delivery system",
    re.IGNORECASE,
)
"""Who sends what came back, by the From field."""
_MACHINE = re.compile(
    r"(?:no-?reply|do-?not-?reply|daemon|majordomo|fml|root|info|sysadmin)\b", re.IGNORECASE
)
"""Who sends it as well, and much else."""
_NOBODY = re.compile(r"\s*<\s*>|.*mailer-daemon", re.IGNORECASE)

_CAME_BACK = re.compile(
    r"undeliver|returned mail|mail failed|returning to sender|was aborted|return(?:ed|ing) (?:your )?(?:mail|message)"
    r"|mail failure|nondeliver|non[- ]delivery|fail(?:ure|ed) (?:notice|to deliver)|delivery status notification"
    r"|(?:delivery|delivering)\s(?:\w+\s){0,3}(?:failed|failure|error|problem)"
    r"|(?:not|n't|unable to|cannot|could not|failed to) (?:be )?(?:able to )?(?:be )?(?:deliver|sent|send\b|relay)"
    r"|(?:fatal|permanent) error|delivery problems|error (?:while|delivering|occurred)|over quota|no mailbox here"
    r"|(?:user|recipient|address|mailbox|account)\s(?:\w+\s){0,3}"
    r"(?:unknown|not found|does not exist|doesn't exist|full)"
    r"|(?:unknown|no such|invalid|unrouteable) (?:user|recipient|address|mailbox|domain)|mailbox (?:is )?full"
    r"|message (?:was |has been )?(?:rejected|blocked|refused)|did not like our"
    r"|unzustellbar|nicht (?:zugestellt|übermittelt)|não (?:foi|pôde ser) entregue"
    r"|no se (?:pudo|ha podido) entregar|n['’]a (?:pas )?pu être|non recapitabil|mancata consegna"
    r"|niet (?:worden )?bezorgd|не (?:было )?доставлен|не может быть доставлен|niedostarczon"
    r"|nie (?:mogła|została) .{0,20}dostarczon|nedoručen|nedoručiteľn|nelze doručit"
    r"|送信できません|配信できません|エラー通知|退信|无法投递|반송",
    re.IGNORECASE,
)
_LATE = re.compile(
    r"\bwarning\b.{0,80}(?:delay|not|sent)|delayed|(?:will be|being) retried|not yet (?:been )?delivered"
    r"|still (?:trying|being)|(?:will|shall) (?:keep|continue) (?:on )?try|not need to (?:resend|re-send)"
    r"|temporary (?:problem|failure).{0,60}retr",
    re.IGNORECASE | re.DOTALL,
)
_STATUS_FIELD = re.compile(
    r"^[> \t]*Status:\s*([245]\.\d{1,3}\.\d{1,3})\b", re.IGNORECASE | re.MULTILINE
)
_STATUS_IN_WORDS = re.compile(r"(?<![\d.])([45]\.[0-7]\.\d{1,3})(?![\d.])")
_REPLY_CODE = re.compile(r"(?<![\d.-])5[0-5]\d[ -]")
_RECIPIENT = re.compile(r"^[> \t]*(?:Final|Original)-Recipient:(.*)$", re.IGNORECASE | re.MULTILINE)
_FOR_GOOD = re.compile(r"^[> \t]*Action:\s*failed|permanent", re.IGNORECASE | re.MULTILINE)
_RETURNED_BELOW = re.compile(
    r"^[> \t]*(?:Received:|Return-Path:|Message-ID:|X-[\w-]+:"
    r"|-{2,}.{0,30}(?:copy of|original|returned|undelivered|your).{0,40}$"
    r"|.{0,60}(?:original message|headers?|message text) (?:below|follows?))",
    re.IGNORECASE | re.MULTILINE,
)


def read(mail: Message) -> DeliveryReport | None:
    """Return the report that a mail's words are; `None` for any other mail, and for one that is only late."""
    failed_field, sender = (
        str(mail.get("x-failed-recipients", "")),
        str(mail.get("from", "nobody says")),
    )
    nobody = _NOBODY.match(str(mail.get("return-path", ""))) is not None
    server = bool(failed_field) or _SERVER.search(sender) is not None
    if not (server or nobody or _MACHINE.search(sender)):
        return None
    words = _words(mail)
    if words.lstrip().startswith('{"'):
        return _notification(words)
    title = str(mail.get("subject", ""))
    told = (_RETURNED_BELOW.split(words, maxsplit=1)[0] or words)[:TOLD_LOOKED_AT_CHARACTERS]
    titled = _CAME_BACK.search(title) is not None
    if not (failed_field or titled or _CAME_BACK.search(told)) or _is_late(title, told, words):
        return None
    status = _STATUS_FIELD.search(words) or _STATUS_IN_WORDS.search(told)
    returned_id = mail_parts.returned_id(mail)
    if not (server or (nobody and titled) or status or returned_id or _REPLY_CODE.search(told)):
        return None
    recipient = _recipient(mail, failed_field, words, told)
    if recipient is None and returned_id is None:
        return None
    return DeliveryReport((Fate("failed", recipient, status[1] if status else None),), returned_id)


def _words(mail: Message) -> str:
    """Return what a report itself says, without the mail that it returns in a part."""
    parts = mail_parts.walked(mail)
    said = (text for kind, text in parts if kind not in mail_parts.RETURNED_KINDS)
    return "\n".join(text[:WORDS_LOOKED_AT_CHARACTERS] for text in said)


def _is_late(title: str, told: str, words: str) -> bool:
    if _LATE.search(title):
        return True
    return _LATE.search(told) is not None and not _FOR_GOOD.search(words)


def _recipient(mail: Message, failed_field: str, words: str, told: str) -> str | None:
    """Return who did not get it: named as such, else the first address that is neither the server's nor ours."""
    named = [*(found[1] for found in _RECIPIENT.finditer(words)), failed_field]
    for written in named:
        if (found := mail_parts.address(written)) is not None:
            return found
    own = {
        each for name in ("to", "from") for each in mail_parts.addresses(str(mail.get(name, "")))
    }
    others = (
        each for text in (told, words) for each in mail_parts.addresses(text) if each not in own
    )
    return next(others, None) or mail_parts.returned_recipient(mail) or mail_parts.address(told)


def _notification(words: str) -> DeliveryReport | None:
    """Return what Amazon SES reports in JSON by mail."""
    try:
        told, _ = json.JSONDecoder().raw_decode(words.lstrip())
    except (ValueError, RecursionError):
        return None
    kind = _text(told, "notificationType") or _text(told, "eventType")
    if kind == "Bounce":
        listed, outcome = _under(told, "bounce", "bouncedRecipients"), "failed"
    elif kind == "Delivery":
        listed, outcome = _under(told, "delivery", "recipients"), "delivered"
    else:
        return None
    fates = tuple(
        _fate(each, "failed" if outcome == "failed" else "delivered") for each in listed[:FATES_MAX]
    )
    return DeliveryReport(fates, _sent_id(told)) if fates else None


def _fate(each: Any, outcome: Outcome) -> Fate:
    if isinstance(each, str):
        return Fate(outcome, mail_parts.address(each), None)
    return Fate(
        outcome, mail_parts.address(_text(each, "emailAddress") or ""), _text(each, "status")
    )


def _sent_id(told: Any) -> str | None:
    mail = told.get("mail")
    headers = _under(told, "mail", "headers")
    named = [
        _text(each, "value")
        for each in headers
        if (_text(each, "name") or "").lower() == "message-id"
    ]
    known = next((each for each in named if each), None) or _text(
        _under(mail, "commonHeaders"), "messageId"
    )
    own = _text(mail, "messageId")
    return known or (None if own is None else f"<{own}>")


def _under(value: Any, *names: str) -> Any:
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return [] if value is None else value


def _text(value: Any, name: str) -> str | None:
    found = value.get(name) if isinstance(value, Mapping) else None
    return found if isinstance(found, str) else None
