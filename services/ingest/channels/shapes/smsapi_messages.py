"""Text messages over SMSAPI, by its two callbacks.

Source, read 2026-11: www.smsapi.pl/docs, "Raporty Callback" (by GET, up to five reports side by side, separated by
commas), "Odbiory Wiadomości" (by POST) and "Lista statusów doręczenia"; an answer other than `OK` is asked for again.
The provider signs nothing: the secret stands in the address that it was given.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import zip_longest

from services.ingest.domain import numbers, outcome, text_message
from services.ingest.domain.delivery import RawDelivery
from services.ingest.domain.outcome import Ignored, Parsed, Reported
from shared import message_reference

IGNORED = "ignored"
KINDS: Mapping[str, str] = {
    "401": IGNORED,
    "402": "message.failed",
    "403": "message.sent",
    "404": "message.delivered",
    "405": "message.failed",
    "406": "message.failed",
    "407": "message.failed",
    "408": IGNORED,
    "409": IGNORED,
    "410": IGNORED,
    "411": IGNORED,
    "412": "message.failed",
}
"""`status` of a report. Ignored are not found, unknown, queued, accepted by the operator, and tried again."""

SEPARATOR = "__"
"""What stands in `idx` for the point of our reference: the provider takes letters, digits, `-` and `_`."""

Fields = Mapping[str, str]


def is_message(fields: Fields) -> bool:
    return "sms_from" in fields


def is_report(fields: Fields) -> bool:
    return "MsgId" in fields and "status" in fields


def received(raw: RawDelivery, fields: Fields) -> Parsed:
    """Return a customer's message. `MsgId` is that of ours which it answers, so sender and second name the message."""
    written, at = fields["sms_from"], fields.get("sms_date", "")
    sender = _party(raw, written)
    message = text_message.TextMessage(
        provider_id=f"{sender.key}/{at}" if sender.key and at else raw.sha256,
        sender=sender,
        text=fields.get("sms_text", ""),
        refers_to=fields.get("MsgId"),
        at=_time(at),
    )
    return Reported(text_message.received(raw, message))


def reported(raw: RawDelivery, fields: Fields) -> Parsed:
    """Return what became of the messages of one callback. Each field lists the same messages in the same order."""
    names = ("MsgId", "status", "idx", "donedate", "to")
    columns = [fields.get(name, "").split(",") for name in names]
    rows = [row for row in zip_longest(*columns, fillvalue="") if row[0].strip()]
    return outcome.together(raw, (_one(raw, dict(zip(names, row, strict=True))) for row in rows))


def _one(raw: RawDelivery, row: Fields) -> Parsed:
    status = row["status"].strip()
    kind = KINDS.get(status)
    if kind is None:
        return outcome.unknown(status)
    if kind == IGNORED:
        return Ignored(status)
    report = text_message.Report(
        kind=kind,
        provider_id=row["MsgId"].strip(),
        to=_party(raw, row["to"]),
        reference=message_reference.read(row["idx"].strip().replace(SEPARATOR, ".", 1)),
        reason=f"smsapi_{status}" if kind == "message.failed" else None,
        at=_time(row["donedate"]),
    )
    return Reported(text_message.reported(raw, report))


def _party(raw: RawDelivery, written: str) -> text_message.Party:
    """The provider writes a number with its country's code and no plus before it."""
    return text_message.party(raw, numbers.international(written, raw.rules.region) or written)


def _time(seconds: str) -> datetime | None:
    """Return a time of Unix; `None` for what is none, as for a message that is not delivered yet."""
    text = seconds.strip()
    if not (text.isascii() and text.isdigit() and 0 < len(text) <= 11):
        return None
    return datetime.fromtimestamp(int(text), UTC) if int(text) else None
