"""Reports of undelivered mail in a server's own words: what has no machine-readable part, or has one in its text.

A mail server sent it, and it says that a mail came back. What other machines send has to show of which mail, by an id,
a status or a reply code: a carrier's mail about a parcel that could not be delivered shows none of these.
Sources, read 2026-11: bounces of some eighty servers (the public sets sisimai/set-of-emails and of flufl.bounce), RFC
3463 (status codes), Amazon SES ("notification contents").
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

from services.ingest.domain import mail_parts
from services.ingest.domain.mime_tree import Part

Outcome = Literal["failed", "delivered", "read", "delayed"]

WORDS_LOOKED_AT_CHARACTERS = 16_384
TOLD_LOOKED_AT_CHARACTERS = 4_096
LINE_MAX_CHARACTERS = 512
"""How long a line is that says that a returned mail begins."""
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


# These four are searched in small letters, which takes a quarter of the time of a search in any.
_SERVER = re.compile(
    r"(?:mailer[- ]daemon|post[_-]?master|mail-?daemon|\bmdaemon|mailsystem)\b|<>|\A\s*\Z"
    r"|mail deliver(?:y|er)? (?:sub)?system|mail administrator|smtp[ _-]?mail[ _-]?service",
)
"""Who sends what came back, by the From field."""
_MACHINE = re.compile(
    r"(?:no-?reply|do-?not-?reply|daemon|majordomo|fml|root|info|(?:sys)?admin)\b"
)
"""Who sends it as well, and much else."""
_LIKELY = re.compile(r"\s*[<\"]*system administrator\b", re.IGNORECASE)
_PASSED_ON = re.compile(r"\s*(?:re|fwd?|aw|wg|odp|pd)\s*:", re.IGNORECASE)
"""A title of a person who answers a report or passes it on."""
_NOBODY = re.compile(r"\s*<\s*>|.*mailer-daemon", re.IGNORECASE)

_CAME_BACK = re.compile(
    r"undeliver|returned mail|mail failed|failed mail|returning to sender|was aborted"
    r"|return(?:ed|ing) (?:your )?(?:mail|message)|mail has been returned|failed recipient|automatically rejected"
    r"|did not reach the following|not a valid user"
    r"|mail failure|nondeliver|non[- ]delivery|fail(?:ure|ed) (?:notice|to deliver)|delivery status notification"
    r"|(?:delivery|delivering)\s(?:\w+\s){0,3}(?:failed|failure|error|problem)"
    r"|(?:not|n't|unable to|cannot|could not|failed to) (?:be )?(?:able to )?(?:be )?(?:deliver|sent|send\b|relay)"
    r"|(?:fatal|permanent) error|delivery problems|error (?:while|delivering|occurred)|over quota|no mailbox here"
    r"|(?:user|recipient|address|mailbox|account)\s(?:\w+\s){0,3}"
    r"(?:unknown|not found|does not exist|doesn't exist|full)"
    r"|(?:unknown|no such|invalid|unrouteable) (?:user|recipient|address|mailbox|domain)|mailbox (?:is )?full"
    r"|message (?:was |has been )?(?:rejected|blocked|refused)|did not like our"
    r"|unzustellbar|nicht (?:zugestellt|übermittelt)|não (?:foi|pôde ser) entregue"
    r"|no se (?:pudo|ha podido) entregar|n['’]a (?:pas )?pu [eê]tre|non recapitabil|mancata consegna"
    r"|niet (?:worden )?bezorgd|не (?:было )?доставлен|не может быть доставлен|niedostarczon"
    r"|nie (?:mogła|została) .{0,20}dostarczon|nedoručen|nedoručiteľn|nelze doručit"
    r"|送信できません|配信できません|エラー通知|退信|无法投递|无法发送|반송",
)
_LATE = re.compile(
    r"\bwarning\b.{0,80}(?:delay|not|sent)|delayed|(?:will be|being) retried|not yet (?:been )?delivered"
    r"|still (?:trying|being)|(?:will|shall) (?:keep|continue) (?:on )?try|not need to (?:resend|re-send)"
    r"|temporary (?:problem|failure).{0,60}retr",
    re.DOTALL,
)
_STATUS_FIELD = re.compile(
    r"^[> \t]*Status:\s*([245]\.\d{1,3}\.\d{1,3})\b", re.IGNORECASE | re.MULTILINE
)
_STATUS_IN_WORDS = re.compile(r"(?<![\d.])([45]\.[0-7]\.\d{1,3})(?![\d.])")
_REPLY_CODE = re.compile(r"(?<![\d.-])5[0-5]\d[ -]")
_FINAL = re.compile(r"^[> \t]*Final-Recipient:(.*)$", re.IGNORECASE | re.MULTILINE)
_ORIGINAL = re.compile(r"^[> \t]*Original-Recipient:(.*)$", re.IGNORECASE | re.MULTILINE)
_LISTED = re.compile(
    r"^[>\s*|-]{0,8}(?:[a-z ]{0,20}(?:user|recipient|address|mailbox)(?: address)?[ \t]*[:=][ \t]*"
    r"|c=[^@\n]{0,120}?smtp=)?(?:\"[^\"\n]{1,80}\"[ \t]*)?"
    r"[<\[(\"']{0,2}([^\s<>()\[\],;:\"'=]{1,64}@[^\s<>()\[\],;:\"'=]{1,255})(?=[>\])\"':;,\s]|$)",
    re.IGNORECASE | re.MULTILINE,
)
"""A line that begins with an address, or with a word for whose it is."""
_ASKED = re.compile(r"(?:postmaster|mailer-daemon|abuse|support|helpdesk)@", re.IGNORECASE)
"""Who is named to be asked about a failure."""
_A_MAIL = re.compile(
    r"(?:e-?mail|message)\b.{0,60}(?:could|can)(?: ?not|n't) be delivered",
    re.IGNORECASE | re.DOTALL,
)
"""Says that it was a mail, and nothing else, that could not be delivered."""
_REPORT_TYPE = re.compile(
    r"\s*multipart/report\b.*\breport-type\s*=\s*\"?delivery-status", re.IGNORECASE | re.DOTALL
)
_FOR_GOOD = re.compile(r"^[> \t]*Action:\s*failed|permanent", re.IGNORECASE | re.MULTILINE)
_RETURNED_BELOW = re.compile(
    r"^[> \t]*(?:Received:|Return-Path:|Message-ID:|X-[\w-]+:"
    r"|-{2,}.{0,30}(?:copy of|original|returned|undelivered|your).{0,40}$"
    r"|.{0,60}(?:original message|headers?|message text) (?:below|follows?))",
    re.IGNORECASE | re.MULTILINE,
)


def read(mail: Part) -> DeliveryReport | None:
    """Return the report that a mail's words are; `None` for any other mail, and for one that is only late."""
    failed_field = mail.field("x-failed-recipients") or ""
    sender = _sender(mail)
    if sender is _Sender.ANYBODY and not failed_field:
        return None
    texts = mail_parts.all_texts(mail)
    words = _words(texts)
    if words.lstrip().startswith('{"'):
        return _notification(words)
    title = mail.field("subject") or ""
    told = _above_returned(words)
    titled = _CAME_BACK.search(title.lower()) is not None
    if not (failed_field or titled or _CAME_BACK.search(told.lower())) or _is_late(
        title, told, words
    ):
        return None
    status = _STATUS_FIELD.search(words) or _STATUS_IN_WORDS.search(told)
    returned_id = mail_parts.returned_id(texts)
    server = sender is _Sender.SERVER or (sender is _Sender.LIKELY and titled)
    shown = status or returned_id or _REPLY_CODE.search(told) or (titled and _A_MAIL.search(told))
    if not (failed_field or server or shown):
        return None
    recipients = _named(failed_field, words) or _recipients(mail, texts, words, told)
    if not recipients and returned_id is None:
        return None
    why = status[1] if status else None
    fates = [Fate("failed", each, why) for each in recipients[:FATES_MAX]]
    return DeliveryReport(tuple(fates or [Fate("failed", None, why)]), returned_id)


def _above_returned(words: str) -> str:
    """Return the beginning of what stands above a mail that is returned in the text."""
    below = _RETURNED_BELOW.search(words[: TOLD_LOOKED_AT_CHARACTERS + LINE_MAX_CHARACTERS])
    end = below.start() if below else 0
    return words[: min(end or TOLD_LOOKED_AT_CHARACTERS, TOLD_LOOKED_AT_CHARACTERS)]


class _Sender(Enum):
    """Who a mail is from: a mail server; what is one where the title says so too; some other program; anybody."""

    SERVER = "server"
    LIKELY = "likely"
    MACHINE = "machine"
    ANYBODY = "anybody"


def _sender(mail: Part) -> _Sender:
    said = mail.field("from")
    written = "nobody says" if said is None else said.lower()
    if _SERVER.search(written) or _REPORT_TYPE.search(mail.field("content-type") or ""):
        return _Sender.SERVER
    if _PASSED_ON.match(mail.field("subject") or ""):
        return _Sender.ANYBODY
    if _NOBODY.match(mail.field("return-path") or "") or _LIKELY.match(written):
        return _Sender.LIKELY
    return _Sender.MACHINE if _MACHINE.search(written) else _Sender.ANYBODY


def _words(texts: mail_parts.Texts) -> str:
    """Return what a report itself says, without the mail that it returns in a part."""
    said = (text for kind, text in texts if kind not in mail_parts.RETURNED_KINDS)
    return "\n".join(text[:WORDS_LOOKED_AT_CHARACTERS] for text in said)


def _is_late(title: str, told: str, words: str) -> bool:
    if _LATE.search(title.lower()):
        return True
    return _LATE.search(told.lower()) is not None and not _FOR_GOOD.search(words)


def _named(failed_field: str, words: str) -> list[str]:
    """Return who is named as one who did not get it."""
    for written in (_FINAL.findall(words), _ORIGINAL.findall(words), [failed_field]):
        named = dict.fromkeys(each for text in written for each in mail_parts.addresses(text))
        if named:
            return list(named)
    return []


def _recipients(mail: Part, texts: mail_parts.Texts, words: str, told: str) -> list[str]:
    """Return who stands at the beginning of a line, else the first other one.

    Nobody who is the server's or ours: a report also says whom to ask, and who wrote.
    """
    own = {each for name in ("to", "from") for each in mail_parts.addresses(mail.field(name) or "")}
    lines = (mail_parts.address(found[1]) for found in _LISTED.finditer(told))
    listed = dict.fromkeys(each for each in lines if each is not None and each not in own)
    if listed:
        return list(listed)
    others = [each for each in mail_parts.addresses(told) if each not in own]
    first = next((each for each in others if not _ASKED.match(each)), None)
    found = first or mail_parts.returned_recipient(texts) or next(iter(others), None)
    found = found or next((each for each in mail_parts.addresses(words) if each not in own), None)
    found = found or mail_parts.address(told)
    return [] if found is None else [found]


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
