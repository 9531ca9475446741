"""A text message, whoever carried it: what was said, whether she may still be written to, and what became of ours.

The words that end and begin a consent are those that carriers act on themselves (CTIA, "Messaging Principles and Best
Practices", section 5.1.3), and the same in Polish, Slovak and Czech. Read 2026-11.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from services.ingest.domain import outcome, texts
from services.ingest.domain.delivery import RawDelivery
from services.ingest.domain.outcome import Reports
from shared import events, handles
from shared.message_reference import MessageReference

MEDIUM: events.Medium = "message"
ID_MAX_BYTES = 256
ADDRESS_MAX_BYTES = 256
FILES_MAX = 16
WORD_MAX_CHARACTERS = 24
PADDING = "\x00"
"""What some gateways leave between and behind the letters."""
AROUND_WORD = " \t\r\n.!\"'„”“"

CONSENT_WORDS: Mapping[str, type[events.ConsentGiven] | type[events.ConsentWithdrawn]] = {
    "STOP": events.ConsentWithdrawn,
    "STOPALL": events.ConsentWithdrawn,
    "UNSUBSCRIBE": events.ConsentWithdrawn,
    "CANCEL": events.ConsentWithdrawn,
    "END": events.ConsentWithdrawn,
    "QUIT": events.ConsentWithdrawn,
    "OPTOUT": events.ConsentWithdrawn,
    "REVOKE": events.ConsentWithdrawn,
    "WYPISZ": events.ConsentWithdrawn,
    "REZYGNUJE": events.ConsentWithdrawn,
    "ODHLASIT": events.ConsentWithdrawn,
    "START": events.ConsentGiven,
    "UNSTOP": events.ConsentGiven,
}
"""A message of such a word alone, in any case and without its accents: nobody says more by it."""

OUTCOMES: Mapping[str, type[events.OutcomeEvent]] = {
    "message.sent": events.MessageSent,
    "message.delivered": events.MessageDelivered,
    "message.read": events.MessageRead,
    "message.failed": events.MessageFailed,
}


@dataclass(frozen=True, slots=True)
class Party:
    """Whoever is on the other end. `key`: her address in one form, `None` where it is not told."""

    key: str | None
    handles: tuple[events.Handle, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TextMessage:
    """What a customer sent. `provider_id`: the provider's; `said`: the provider's word on her consent, or `None`;
    `quoted`: what it answers."""

    provider_id: str
    sender: Party
    text: str
    name: str | None = None
    files: Sequence[events.AttachedFile] = ()
    refers_to: str | None = None
    at: datetime | None = None
    said: str | None = None
    quoted: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What became of a message of ours. `kind`: a key of OUTCOMES; `reference`: ours, if the provider gave it back."""

    kind: str
    provider_id: str
    to: Party
    reference: MessageReference | None = None
    reason: str | None = None
    at: datetime | None = None


def party(raw: RawDelivery, written: str | None, region: str | None = None) -> Party:
    """Return whose an address is: a number, or, behind the name of its network and a colon, an address there.

    A sender that nobody can dial (a short code, a name) is known as the provider calls it.
    """
    address = texts.line(written, ADDRESS_MAX_BYTES)
    if address is None:
        return Party(None)
    network, _, rest = address.rpartition(":")
    number = handles.phone(rest, region or raw.rules.region)
    if number is None:
        known = handles.of("account", f"{raw.channel}:{address}", "delivered")
        return Party(address, (known,))
    key = f"{network.lower()}:{number}" if network else number
    return Party(key, (handles.of("phone", number, "delivered"),))


def also(known: Party, other: Party) -> Party:
    """Return a party with what else it is known by."""
    return replace(known, handles=tuple(dict.fromkeys((*known.handles, *other.handles))))


def received(raw: RawDelivery, message: TextMessage) -> Reports:
    """Return the message, and behind it what it says of her consent."""
    provider_id = texts.line(message.provider_id, ID_MAX_BYTES) or raw.sha256
    key = message.sender.key or provider_id
    about = {
        **outcome.about(raw, MEDIUM, key, provider_id),
        "provider_time": message.at,
    }
    personal = events.MessageReceivedPersonal(
        handles=list(message.sender.handles),
        name=texts.line(message.name),
        text=texts.fit(message.text.replace(PADDING, "")),
        files=list(message.files[:FILES_MAX]),
        quoted=message.quoted,
    )
    opened = events.MessageReceivedOpen(
        **about,
        attachments=len(message.files),
        refers_to=texts.line(message.refers_to, ID_MAX_BYTES),
    )
    words = [
        texts.fit(message.text).encode(),
        *((each.source or "").encode() for each in message.files),
    ]
    told = outcome.contact_event(raw, events.MessageReceived, opened, personal, words)
    return [(key, told), *((key, each) for each in _consent(raw, message, about))]


def _consent(
    raw: RawDelivery, message: TextMessage, about: Mapping[str, Any]
) -> Sequence[events.ContactEvent]:
    word = consent_word(message.said or message.text)
    kind = CONSENT_WORDS.get(word)
    if kind is None:
        return []
    opened = events.ConsentOpen(**about, said=word)
    personal = events.ContactPersonal(handles=list(message.sender.handles))
    return [outcome.contact_event(raw, kind, opened, personal)]


def instant(text: str) -> datetime | None:
    """Return a time of RFC 3339 in UTC; `None` for what is none."""
    try:
        time = datetime.fromisoformat(text)
        return None if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def consent_word(text: str) -> str:
    """Return what may be a word of CONSENT_WORDS: upper case, no accents, nothing around it."""
    stripped = text.strip(AROUND_WORD)
    if len(stripped) > 4 * WORD_MAX_CHARACTERS:
        return ""
    bare = unicodedata.normalize("NFKD", stripped)
    letters = "".join(each for each in bare if not unicodedata.combining(each))
    return letters.strip(AROUND_WORD).upper()


def reported(raw: RawDelivery, report: Report) -> Reports:
    """Return what became of a message: named by our own reference, and by the provider's id of it."""
    provider_id = texts.line(report.provider_id, ID_MAX_BYTES) or raw.sha256
    key, reference = report.to.key or provider_id, report.reference
    opened = events.MessageOutcomeOpen(
        **outcome.about(raw, MEDIUM, key, provider_id),
        provider_time=report.at,
        message_id=reference.message if reference else None,
        refers_to=provider_id,
        reason=report.reason,
    )
    event = outcome.contact_event(
        raw,
        OUTCOMES[report.kind],
        opened,
        events.ContactPersonal(handles=list(report.to.handles)),
        conversation=reference.conversation if reference else None,
    )
    return [(key, event)]
