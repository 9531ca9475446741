"""`tellonce channels parse`: what a channel makes of payloads in files, without a stack; one JSON object a line.

Exit codes: 0 each file has its line, 1 a file cannot be read, 2 there is no such channel.
"""

import argparse
import sys
import traceback
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import msgspec

from deploy.story.providers import written
from services.ingest.channels import CHANNELS
from services.ingest.domain import outcome
from services.ingest.domain.delivery import RawDelivery
from services.ingest.domain.outcome import Ignored, Parsed, Quarantined
from shared import contact_log, errors, events
from shared.policy import Account

TENANT = "demo"
ACCOUNT = "corpus"
EXIT_UNREAD = 1
EXIT_UNKNOWN = 2
RECEIVED = datetime(2100, 1, 1, tzinfo=UTC)
"""When all files were received, so that each run says the same; it is shown nowhere."""

Word = Literal["accepted", "ignored", "quarantined"]


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """A file that came with a message."""

    name: str | None
    media_type: str
    size: int | None
    sha256: str | None


class EventLine(msgspec.Struct, frozen=True, kw_only=True):
    """One event. `handle`: the customer's; `occurred_at`: by the payload, `None` where it says no time."""

    type: str
    id: str
    provider_id: str
    handle: str | None
    occurred_at: str | None
    text: str | None
    attachments: list[Attachment]
    refers_to: str | None


class FileLine(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a file. `code`: why it, or a part of it, was not read; `reason`: the provider's word."""

    file: str
    channel: str
    outcome: Word
    events: list[EventLine]
    code: str | None
    reason: str | None


def parse(chosen: argparse.Namespace) -> int:
    """Print one line per file, in their order; with `--summary` one more for the shares."""
    if chosen.channel not in CHANNELS:
        print(
            f"no channel {chosen.channel}; there are: {', '.join(sorted(CHANNELS))}",
            file=sys.stderr,
        )
        return EXIT_UNKNOWN
    lines: list[FileLine] = []
    for name in chosen.file:
        try:
            content = Path(name).read_bytes()
        except OSError as error:
            print(f"{name}: {error.strerror}", file=sys.stderr)
            continue
        lines.append(line_of(chosen.channel, name, content))
        print(msgspec.json.encode(lines[-1]).decode())
    if chosen.summary:
        print(msgspec.json.encode(summary(chosen.channel, lines)).decode())
    return 0 if len(lines) == len(chosen.file) else EXIT_UNREAD


def summary(channel: str, lines: Sequence[FileLine]) -> dict[str, Any]:
    """Return how many files had which outcome, and the share of those read among those that are payloads at all."""
    counted = Counter(each.outcome for each in lines)
    no_payload = sum(each.code == errors.NotAnEvent.code for each in lines)
    payloads = len(lines) - no_payload
    read = counted["accepted"] + counted["ignored"]
    shares = {word: counted[word] for word in ("accepted", "ignored", "quarantined")}
    return {
        "summary": channel,
        "files": len(lines),
        **shares,
        "not_an_event": no_payload,
        "read_share": round(read / payloads, 4) if payloads else None,
    }


def line_of(channel: str, name: str, content: bytes) -> FileLine:
    """Return what a channel makes of a file's content. Nothing that it holds makes `line_of` raise."""
    found: list[EventLine] = []
    left: list[Ignored | Quarantined] = []
    reasons: list[str] = []
    if not content.strip():
        left.append(outcome.not_an_event())
    for each in written.deliveries(channel, content) if content.strip() else ():
        raw = _raw(channel, each)
        parsed, reports = read(raw)
        if not isinstance(parsed, outcome.Reported):
            left.append(parsed)
            continue
        for _, event in reports:
            if isinstance(event, events.PayloadQuarantined):
                left.append(Quarantined(event.open.code, event.open.kind))
            else:
                found.append(_event(event, each.dated))
        reasons += [why for _, event in reports if (why := getattr(event.open, "reason", None))]
    refused = next((each for each in left if isinstance(each, Quarantined)), None)
    first = refused or next(iter(left), None)
    return FileLine(
        file=name.encode(errors="surrogateescape").decode(errors="replace"),
        channel=channel,
        outcome="accepted" if found else "quarantined" if refused else "ignored",
        events=found,
        code=refused.code if refused else None,
        reason=next(iter(reasons), first.kind if first else None),
    )


def _raw(channel: str, delivery: written.Written) -> RawDelivery:
    """Return a delivery as RAW would hold it."""
    return RawDelivery(
        tenant=TENANT,
        channel=channel,
        account=ACCOUNT,
        rules=Account(queue="corpus"),
        sequence=1,
        body=delivery.body,
        headers=[("content-type", delivery.content_type)],
        path=f"/in/{TENANT}/{channel}/{ACCOUNT}",
        received=delivery.dated or RECEIVED,
    )


def read(raw: RawDelivery) -> tuple[Parsed, outcome.Reports]:
    """Return what ingest would make of it: what makes the channel's code fail is quarantined, and said aloud here."""
    try:
        parsed = CHANNELS[raw.channel].parse(raw)
        reports = outcome.reports_of(raw, parsed)
        for routing_key, event in reports:
            contact_log.check(raw.channel, routing_key, event)
    except Exception:  # noqa: BLE001  one line per file, whatever a channel does
        traceback.print_exc()
        return outcome.unreadable("failed"), []
    return parsed, reports


def _event(event: events.ContactEvent, dated: datetime | None) -> EventLine:
    opened: Any = event.open
    personal: Any = event.personal
    time = getattr(opened, "provider_time", None) or dated
    return EventLine(
        type=event.type,
        id=event.id,
        provider_id=opened.provider_id,
        handle=_handle(getattr(personal, "handles", [])),
        occurred_at=None if time is None else _instant(time),
        text=getattr(personal, "text", getattr(personal, "reaction", None)),
        attachments=[_attachment(each) for each in getattr(personal, "files", [])],
        refers_to=_refers_to(opened, personal),
    )


def _instant(time: datetime) -> str:
    """Return an instant in UTC; fractions of a second only where there are some."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _handle(known: Sequence[events.Handle]) -> str | None:
    """Return whose it is: the first handle of a person, without its channel's name."""
    first = next((each for each in known if each.kind != "reference"), None)
    if first is None:
        return None
    return first.value.partition(":")[2] if first.kind == "account" else first.value


def _attachment(file: events.AttachedFile) -> Attachment:
    return Attachment(
        name=file.name, media_type=file.media_type, size=file.size_bytes, sha256=file.sha256
    )


def _refers_to(opened: Any, personal: Any) -> str | None:
    """Return what it is about: the provider's id of a message, else ours, else the nearest mail that it answers."""
    named = getattr(opened, "refers_to", None) or getattr(opened, "message_id", None)
    references: list[str] = getattr(personal, "references", [])
    return named or next(iter(references), None)
