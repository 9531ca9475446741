"""Mails, handed over as message/rfc822 by whoever fetched or received them.

Sources, read 2026-11-22: RFC 5322 (fields, Message-ID, References), RFC 2045-2047 (MIME),
RFC 3834 (Auto-Submitted), RFC 2919 (List-Id), RFC 6522 (multipart/report).
The hand-over is signed by the Standard Webhooks scheme.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime

from services.ingest.domain import (
    delivery,
    mail_authentication,
    mail_headers,
    mime,
    outcome,
    reply_text,
    texts,
    webhook_signature,
)
from services.ingest.domain.delivery import no_answer as answer
from services.ingest.domain.delivery import no_handshake as handshake
from services.ingest.domain.delivery_words import Fate
from services.ingest.domain.mime import Mail
from services.ingest.domain.outcome import Parsed, Reported
from shared import events, handles, mail_reference, mailbox_address
from shared.message_reference import MessageReference
from shared.own_domains import is_own
from shared.policy import Account

__all__ = ["KINDS", "MEDIUM", "NAME", "SECRETS", "answer", "handshake", "parse", "verify"]

NAME = "email"
MEDIUM: events.Medium = "mail"
SECRETS = ("signing",)
KINDS: Mapping[str, str] = {
    "message/rfc822": "message.received",
    "message/delivery-status": "message.failed",
    "message/delivery-status; delivered": "message.delivered",
    "message/disposition-notification": "message.read",
}

OUTCOMES: Mapping[str, tuple[type[events.OutcomeEvent], str]] = {
    "failed": (events.MessageFailed, "bounce"),
    "delivered": (events.MessageDelivered, "delivered"),
    "read": (events.MessageRead, "read"),
}
"""What a report says -> the event, and its name in the id of a fact about a mail of ours. Late is no outcome."""

REPLY_TEXT_MAX_BYTES = 32_768
FATES_MAX = 16
"""Recipients of one mail whose fate is told; a mail of ours has one."""

FILE_NAME_MAX_BYTES = 512
MEDIA_TYPE_MAX_BYTES = 128
REFERENCES_MAX = 20
REFERENCE_MAX_CHARACTERS = 250

AUTOMATIC_WORDS = frozenset({"bulk", "junk", "auto_reply"})
"""Values of Precedence that tell a machine's mail; `list` says only how it travelled."""

AUTOMATIC_FIELDS = (
    *("x-autoreply", "x-auto-reply", "x-autorespond", "x-auto-respond", "x-autoresponder"),
)
"""Fields that older programs mark their automatic answers with."""

RELAYED_FIELDS = ("x-original-from", "x-original-sender")
"""Who wrote, where a list has put its own address into From because of DMARC."""

AUTHOR_FIELDS = ("reply-to", *RELAYED_FIELDS)
"""Who wrote, where From is one of our own addresses: a form's mailer, or a group address that relays."""

AUTOMATIC_SENDERS = frozenset({"mailer-daemon", "postmaster"})
"""Local parts of addresses that no person writes from."""

NOBODYS_SENDERS = frozenset({"", "no-reply", "noreply", "do-not-reply", "donotreply"})
"""Local parts of senders, none included, whose mail is a machine's where it also has a null return path."""

_AUTOMATIC_TITLE = re.compile(
    r"\s*(auto(matic)?[ -]?(reply|response|answer)|out of (the )?office|undeliver(ed|able)|failure notice"
    r"|(mail )?delivery (failure|status notification)|mail delivery failed|returned mail"
    r"|abwesen|automatische antwort|nieobecn|(odpowiedź|réponse|respuesta|risposta) automa)",
    re.IGNORECASE,
)
"""Titles of automatic answers and reports, which say so where the mail also has a null return path."""


def verify(request: delivery.WebRequest, secrets: delivery.Secrets, public_url: str) -> None:  # noqa: ARG001  the shared shape
    """Check a request by the Standard Webhooks scheme. Raises: SignatureInvalid."""
    webhook_signature.verify(request, secrets["signing"])


def parse(raw: delivery.RawDelivery) -> Parsed:
    """Return the mail as a message. Message-ID and contents name it; without the former the hash of its body does."""
    mail = mime.read(raw.body)
    if mail is None:
        return outcome.unreadable()
    if (reported := _reported(raw, mail)) is not None:
        return reported
    own_ids = mail_headers.message_ids(mail.raw_field("message-id"))
    provider_id = texts.clean(own_ids[0]) if own_ids else raw.sha256
    name, known = _author(mail, raw.rules)
    address = known[0].value if known else None
    references = _references(mail)
    opened = events.MessageReceivedOpen(
        **outcome.about(raw, MEDIUM, provider_id, provider_id),
        provider_time=_arrived(raw),
        automatic=_automatic(mail, address, raw.rules),
        in_reply_to=_in_reply_to(references),
        attachments=mail.attachments,
    )
    personal = _personal(mail, name, known, references)
    event = outcome.contact_event(
        raw, events.MessageReceived, opened, personal, _said(mail, raw.body)
    )
    return Reported([(address or opened.contact_id, event)])


def _arrived(raw: delivery.RawDelivery) -> datetime | None:
    """Return when a mail came into the mailbox it was read from; what its own Date says anybody can write."""
    if mailbox_address.mark(raw.path) is None:
        return None
    try:
        arrived = datetime.fromisoformat(raw.header("imap-internaldate") or "")
    except ValueError:
        return None
    return arrived if arrived.tzinfo is not None else None


def _reported(raw: delivery.RawDelivery, mail: Mail) -> Reported | None:
    """Return what a report says of a mail, one event per recipient; `None` for any other mail, or one only late.

    Nobody but its receivers knows the id of a mail of ours. It comes back once, however many servers say so.
    """
    fates = [each for each in mail.report.fates if each.outcome in OUTCOMES] if mail.report else []
    if mail.report is None or not fates:
        return None
    returned = mail_headers.message_ids(mail.report.returned_id) or _references(mail)
    ours = _ours(returned)
    if ours is not None:
        failed = [each for each in fates if each.outcome == "failed"]
        return Reported([_of_ours(raw, ours, (failed or fates)[0])])
    own_ids = mail_headers.message_ids(mail.raw_field("message-id"))
    provider_id = texts.clean(own_ids[0]) if own_ids else raw.sha256
    refers_to = next((each for each in returned if len(each) <= REFERENCE_MAX_CHARACTERS), None)
    reports = [_of_another(raw, provider_id, refers_to, each) for each in fates[:FATES_MAX]]
    if len(fates) > FATES_MAX:
        reports += outcome.reports_of(raw, outcome.partly_read("recipients"))
    return Reported(reports)


def _of_ours(
    raw: delivery.RawDelivery, ours: MessageReference, fate: Fate
) -> tuple[str, events.ContactEvent]:
    kind, name = OUTCOMES[fate.outcome]
    about = outcome.about(raw, MEDIUM, ours.message, f"{ours.message}/{name}")
    opened = events.MessageOutcomeOpen(
        **{**about, "contact_id": events.ContactId(f"out-{ours.message}")},
        automatic=True,
        message_id=ours.message,
        reason=_reason(fate),
    )
    event = outcome.contact_event(
        raw, kind, opened, _recipient(fate), conversation=ours.conversation
    )
    return ours.conversation, event


def _of_another(
    raw: delivery.RawDelivery, provider_id: str, refers_to: str | None, fate: Fate
) -> tuple[str, events.ContactEvent]:
    """Return what is reported of a mail that somebody sent otherwise; its recipient makes it one of several."""
    kind, _ = OUTCOMES[fate.outcome]
    opened = events.MessageOutcomeOpen(
        **outcome.about(raw, MEDIUM, provider_id, provider_id),
        automatic=True,
        refers_to=None if refers_to is None else texts.clean(refers_to),
        reason=_reason(fate),
    )
    said = [(fate.recipient or "").encode()]
    event = outcome.contact_event(raw, kind, opened, _recipient(fate), said)
    return fate.recipient or opened.contact_id, event


def _reason(fate: Fate) -> str | None:
    return None if fate.outcome == "read" else f"dsn_{fate.status or fate.outcome}"


def _recipient(fate: Fate) -> events.ContactPersonal:
    return events.ContactPersonal(handles=_handles("claimed", fate.recipient))


def _personal(
    mail: Mail, name: str | None, known: list[events.Handle], references: list[str]
) -> events.MessageReceivedPersonal:
    new_part = reply_text.new_part(mail.text)
    return events.MessageReceivedPersonal(
        handles=known,
        name=texts.line(name),
        text=texts.fit(mail.text),
        reply_text=None if new_part is None else texts.fit(new_part, REPLY_TEXT_MAX_BYTES),
        title=texts.line(mail.field("subject")),
        references=references,
        files=[_file(each) for each in mail.files],
    )


def _file(found: mime.File) -> events.AttachedFile:
    return events.AttachedFile(
        name=texts.line(found.name, FILE_NAME_MAX_BYTES),
        media_type=texts.fit(found.kind, MEDIA_TYPE_MAX_BYTES),
        size_bytes=found.size_bytes,
        sha256=found.sha256,
    )


def _said(mail: Mail, body: bytes) -> Iterator[bytes]:
    """Give what of a mail is the same by whatever way it came: its author's fields, and all below its head."""
    fields = "\n".join(mail.raw_field(name) or "" for name in ("date", "from", "subject"))
    yield fields.encode("utf-8", "surrogateescape") + b"\n"
    yield from mime.below_head(body)


def _references(mail: Mail) -> list[str]:
    """Return the ids of the mails that a mail answers or reports on, the nearest first, without duplicates."""
    returned = mail_headers.message_ids(mail.report.returned_id if mail.report else None)
    thread = mail_headers.message_ids(mail.raw_field("references"))
    answered = mail_headers.message_ids(mail.raw_field("in-reply-to"))
    nearest_first = dict.fromkeys([*returned, *answered, *reversed(thread)])
    kept = [each for each in nearest_first if len(each) <= REFERENCE_MAX_CHARACTERS]
    return [texts.clean(each) for each in kept[:REFERENCES_MAX]]


def _in_reply_to(references: list[str]) -> events.ConversationId | None:
    """Return the conversation that the nearest reference of ours names; `None` when there is none."""
    ours = _ours(references)
    return None if ours is None else ours.conversation


def _ours(references: list[str]) -> MessageReference | None:
    """Return the first reference of ours; `None` when there is none."""
    return next((ours for each in references if (ours := mail_reference.read(each))), None)


def _author(mail: Mail, rules: Account) -> tuple[str | None, list[events.Handle]]:
    """Return the name and the handles of whoever wrote: not of the program or the list that passed it on.

    What such a program passed on somebody had typed; what failed the receiving server's check is claimed as well. Where
    answers go to another domain than the sender's, a service may have sent it for anybody: both are claimed, and the
    one that is to be answered comes first.
    """
    name, address = mail_headers.sender(mail.raw_field("from"))
    for field in AUTHOR_FIELDS if _is_own(address, rules) else RELAYED_FIELDS:
        author = mail_headers.sender(mail.raw_field(field))
        if author[1] is not None and author[1] != address and not _is_own(author[1], rules):
            return author[0], _handles("claimed", author[1])
    _, answered = mail_headers.sender(mail.raw_field("reply-to"))
    if _elsewhere(address, answered) and not _is_own(answered, rules):
        return name, _handles("claimed", answered, address)
    refuted = mail_authentication.failed(mail_authentication.own_results(mail.fields), address)
    return name, _handles("claimed" if refuted else "delivered", address)


def _handles(proof: events.Proof, *addresses: str | None) -> list[events.Handle]:
    return [handles.of("email", each, proof) for each in addresses if each is not None]


def _elsewhere(sender: str | None, answered: str | None) -> bool:
    """Tell whether answers go to an address whose domain is neither the sender's nor above it."""
    if sender is None or answered is None:
        return False
    own, other = sender.rpartition("@")[2], answered.rpartition("@")[2]
    return own != other and not own.endswith(f".{other}")


def _is_own(address: str | None, rules: Account) -> bool:
    """Tell whether an address, or the name of a list, is the shop's own."""
    return address is not None and is_own(address, [rules.address or ""])


def _automatic(mail: Mail, address: str | None, rules: Account) -> bool:
    """Tell whether a machine sent it: an automatic answer, a bounce, somebody's list, or ourselves."""
    if mail.content_type == "multipart/report":
        return True
    if any(_word(mail, name) not in {"", "no"} for name in ("auto-submitted", *AUTOMATIC_FIELDS)):
        return True
    if _word(mail, "precedence") in AUTOMATIC_WORDS:
        return True
    if _goes_back_to_nobody(mail, address):
        return True
    list_name = mail.field("list-id")
    relayed = _is_own((list_name or "").strip().rstrip(">"), rules) and not _is_own(address, rules)
    if list_name is not None and not relayed:
        return True
    if address is None:
        return False
    return address == rules.address or address.partition("@")[0] in AUTOMATIC_SENDERS


def _goes_back_to_nobody(mail: Mail, address: str | None) -> bool:
    """Tell whether a mail with a null return path is a machine's, by one more sign of it.

    The path alone says only that nobody is to be told when it cannot be delivered (RFC 5321, section 4.5.5): servers
    that redirect a person's mail write it too.
    """
    if (mail.field("return-path") or "").replace(" ", "") != "<>":
        return False
    sender = (address or "").partition("@")[0]
    if sender in NOBODYS_SENDERS or mail.field("x-auto-response-suppress") is not None:
        return True
    return _AUTOMATIC_TITLE.match(mail.field("subject") or "") is not None


def _word(mail: Mail, name: str) -> str:
    """Return a field's first word in lower case, without parameters and comments; empty when it is missing."""
    value = (mail.field(name) or "").partition(";")[0].partition("(")[0].partition(",")[0]
    return value.strip().lower()
