"""What the webhooks of the Graph API have in common: handshake, signature, and how their JSON is looked at.

Sources, read 2026-11 (developers.facebook.com/docs):
- graph-api/webhooks/getting-started: `hub.mode`, `hub.verify_token`, `hub.challenge`, X-Hub-Signature-256, batches of
  up to 1,000 updates in `entry`
- messenger-platform/webhooks: `messaging` and `standby`; whatsapp/cloud-api/webhooks: `changes` of `field` and `value`
Times are Unix seconds or milliseconds, as numbers or texts; ids are texts or numbers of up to 64 bits.
"""

import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from services.ingest.domain import outcome, texts
from services.ingest.domain.delivery import Answer, Secrets, WebRequest
from services.ingest.domain.outcome import Quarantined
from shared import codec, events, ids, instants, strict
from shared.errors import SignatureInvalid

SECRETS = ("signing", "verify")
"""`signing`: the app's secret; `verify`: the token that was typed in beside the address of the door."""
CHALLENGE_MAX_CHARACTERS = 256
ID_MAX_CHARACTERS = 256
FACT_MAX_BYTES = 1_024
FILE_NAME_MAX_BYTES = 512
SOURCE_MAX_BYTES = 4_096
MILLISECONDS_FROM = 100_000_000_000
"""A time at or above it is in milliseconds: as seconds it would lie in the year 5138."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Node = Mapping[str, Any]
"""A JSON object of a delivery, of which nothing is certain."""
NOTHING: Node = {}

_DIGITS = re.compile(r"\d{1,14}\Z", re.ASCII)
MEDIA_TYPES: Mapping[str, str] = {
    "aac": "audio/aac",
    "gif": "image/gif",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "m4a": "audio/mp4",
    "mov": "video/quicktime",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "ogg": "audio/ogg",
    "pdf": "application/pdf",
    "png": "image/png",
    "txt": "text/plain",
    "webp": "image/webp",
}
"""By the end of a name. The library's own table differs from version to version, and so would our events."""


def handshake(request: WebRequest, secrets: Secrets) -> Answer | None:
    """Return the challenge of a subscription. Raises: SignatureInvalid for another token, or for what is none."""
    asked = dict(parse_qsl(request.url.partition("?")[2], keep_blank_values=True))
    token, challenge = asked.get("hub.verify_token", ""), asked.get("hub.challenge", "")
    ours = hmac.compare_digest(token.encode(errors="replace"), secrets["verify"].encode())
    if not ours or asked.get("hub.mode") != "subscribe" or not secrets["verify"]:
        raise SignatureInvalid
    if not challenge.isprintable() or len(challenge) > CHALLENGE_MAX_CHARACTERS:
        raise SignatureInvalid
    return Answer(challenge.encode(errors="replace"), "text/plain")


def verify(request: WebRequest, secrets: Secrets, public_url: str) -> None:  # noqa: ARG001  the shared shape
    """Check X-Hub-Signature-256, the HMAC-SHA256 of the body under the app's secret. Raises: SignatureInvalid."""
    given = request.header("x-hub-signature-256") or ""
    if not secrets["signing"]:
        raise SignatureInvalid  # anybody can sign with nothing
    digest = hmac.new(secrets["signing"].encode(), request.body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(given.encode(errors="replace"), f"sha256={digest}".encode()):
        raise SignatureInvalid


# -- looking at what came ---------------------------------------------------------------------------


def read(body: bytes) -> Any:
    """Return the JSON of a body; `None` when it is none. Half a character in a text costs nothing else."""
    try:
        return _shallow(body)
    except codec.UNREADABLE:
        pass
    try:
        return _shallow(texts.whole_json(body.decode(errors="replace")))
    except codec.UNREADABLE:
        return None


def _shallow(body: bytes) -> Any:
    found = msgspec.json.decode(body)
    strict.check_depth(body)
    return found


def node(found: Any, *path: str) -> Node:
    """Return the object at a path of names; an empty one where there is none."""
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else NOTHING


def nodes(found: Any, *path: str) -> Sequence[Node]:
    """Return the objects of the list at a path, or the one object there; what is none is left out."""
    *before, last = path
    listed = node(found, *before).get(last)
    if isinstance(listed, dict):
        return [listed]
    return [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []


def word(found: Any, *path: str) -> str:
    """Return the text or number at a path as a text; empty where there is none."""
    *before, last = path
    value = node(found, *before).get(last)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return texts.clean(str(value))


def identity(found: Any, *path: str) -> str:
    """Return the id at a path, as a text; empty where there is none that an id could be."""
    value = word(found, *path).strip()
    return value if value.isprintable() and len(value) <= ID_MAX_CHARACTERS else ""


def fact(found: Node, *names: str) -> str:
    """Return what names a fact: the ids, joined, or the fact's own content where the provider gives it none."""
    named = "/".join(names)
    return named if all(names) else ids.body_sha256(msgspec.json.encode(found, order="sorted"))


def time(found: Any, *path: str) -> datetime | None:
    """Return the time at a path; `None` where there is none that every store keeps."""
    written = word(found, *path)
    if not _DIGITS.match(written):
        return _calendar(written)
    count = int(written)
    unit = 1 if count >= MILLISECONDS_FROM else 1_000
    told = EPOCH + timedelta(milliseconds=count * unit)
    return told if instants.is_kept_by_all(told) else None


def _calendar(written: str) -> datetime | None:
    """Return a time in ISO 8601 with its zone, as the test button of the provider's console sends it."""
    try:
        told = datetime.fromisoformat(written)
        told = told if told.tzinfo is None else told.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return told if instants.is_kept_by_all(told) else None


def entries(document: Any) -> Iterator[tuple[str, Node]]:
    """Yield what stands under `entry`, as (name of its list, element): every list, in the order it stands.

    An element that is no object is given as an empty one. Instagram's documents show a list around a delivery, and a
    change that stands in its entry without a list.
    """
    for each in nodes({"deliveries": document}, "deliveries"):
        for entry in nodes(each, "entry"):
            yield from _listed(entry)


def _listed(entry: Node) -> Iterator[tuple[str, Node]]:
    if "field" in entry:
        yield "changes", entry
    for name, listed in entry.items():
        if isinstance(listed, list):
            for each in listed:
                yield name, each if isinstance(each, dict) else NOTHING


def no_delivery(document: Any) -> Quarantined | None:
    """Return the outcome of a body that is no delivery of the Graph API; `None` for one that is."""
    if document is None:
        return outcome.unreadable()
    return None if any(True for _ in entries(document)) else outcome.not_an_event()


def media_type(address: str, otherwise: str) -> str:
    """Return the media type that the name in an address says, else the other one."""
    return MEDIA_TYPES.get(file_name(address).rpartition(".")[2].lower(), otherwise)


def file_name(address: str) -> str:
    """Return the last name in the path of an address; empty where there is none."""
    try:
        return urlsplit(address).path.rpartition("/")[2]
    except ValueError:
        return ""


# -- what somebody said ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Words:
    """What somebody said. `attachments`: how many there are; `files`: the first of them, with where they lie;
    `quoted`: what it answers.
    """

    text: str
    attachments: int = 0
    files: tuple[events.AttachedFile, ...] = ()
    quoted: str | None = None


def text(lines: list[str]) -> str:
    """Return lines as one text, without empty ones."""
    return texts.fit("\n".join(line for line in lines if line))
