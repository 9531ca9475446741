"""The contact form of a site, as JSON, urlencoded or as multipart/form-data, sent by the site's server.

The fields `name`, `email`, `phone`, `topic`, `message` have a meaning; all others are kept by name. A list is the same
field given several times, as in the other formats. What is no text of its own, an object, is kept as its JSON.
`submission_id`, made by the page, makes a form that is sent twice one form.
Signed by the Standard Webhooks scheme, read 2026-11-22.
"""

from collections.abc import Mapping, Sequence

import msgspec

from services.ingest.domain import delivery, form_body, outcome, texts, webhook_signature
from services.ingest.domain.delivery import no_answer as answer
from services.ingest.domain.delivery import no_handshake as handshake
from services.ingest.domain.form_body import Pairs, SentFile
from services.ingest.domain.outcome import Parsed, Reported
from shared import events, handles, ids

__all__ = ["KINDS", "MEDIUM", "NAME", "SECRETS", "answer", "handshake", "parse", "verify"]

NAME = "form"
MEDIUM: events.Medium = "form"
SECRETS = ("signing",)
KINDS: Mapping[str, str] = {"submission": "form.submitted"}

FIELDS_MAX = 64
FILES_MAX = 16
FIELD_NAME_MAX_BYTES = 128
FIELD_VALUE_MAX_BYTES = 4_096
FIELDS_TOTAL_MAX_BYTES = 65_536
SUBMISSION_ID_MAX_CHARACTERS = 256
NOT_FIELDS = frozenset({"message", "submission_id"})
"""What is no field of its own: the text, and the page's id."""


def verify(request: delivery.WebRequest, secrets: delivery.Secrets, public_url: str) -> None:  # noqa: ARG001  the shared shape
    """Check a request by the Standard Webhooks scheme. Raises: SignatureInvalid."""
    webhook_signature.verify(request, secrets["signing"])


def parse(raw: delivery.RawDelivery) -> Parsed:
    """Return the form that was sent; the fields in its own order."""
    pairs = form_body.pairs(raw.body, raw.header("content-type") or "")
    if not pairs or len(pairs) > form_body.FIELDS_READ_MAX:
        return outcome.unreadable()
    first = dict(reversed(pairs))
    given = first.get("submission_id", "")[:SUBMISSION_ID_MAX_CHARACTERS]
    provider_id = texts.clean(given) or raw.header("webhook-id") or raw.sha256
    topic = first.get("topic")
    files = form_body.files(raw.body, raw.header("content-type") or "")
    opened = events.FormSubmittedOpen(
        **outcome.about(raw, MEDIUM, provider_id, provider_id),
        topic=topic if topic in raw.rules.topics else None,
        attachments=len(files),
    )
    personal = _personal(pairs, first, raw.rules.region, files)
    said = ["\n".join(f"{name}={value}" for name, value in sorted(pairs)).encode()]
    said += [each.content for each in files]
    event = outcome.contact_event(raw, events.FormSubmitted, opened, personal, said)
    return Reported([(opened.contact_id, event)])


def _personal(
    pairs: Pairs, first: Mapping[str, str], region: str | None, files: Sequence[SentFile]
) -> events.FormSubmittedPersonal:
    known: list[events.Handle] = []
    address, number = handles.email(first.get("email")), handles.phone(first.get("phone"), region)
    if address is not None:
        known.append(handles.of("email", address, "claimed"))
    if number is not None:
        known.append(handles.of("phone", number, "claimed"))
    kept, left_out = _kept([pair for pair in pairs if pair[0] not in NOT_FIELDS])
    said = "\n".join(value for name, value in pairs if name == "message")
    return events.FormSubmittedPersonal(
        handles=known,
        name=texts.line(first.get("name")),
        fields=kept,
        text=texts.fit(said),
        left_out=left_out,
        files=[
            events.AttachedFile(
                name=texts.line(each.name, FIELD_VALUE_MAX_BYTES),
                media_type=texts.fit(each.media_type),
                size_bytes=len(each.content),
                sha256=ids.body_sha256(each.content),
            )
            for each in files[:FILES_MAX]
        ],
    )


def _kept(pairs: Pairs) -> tuple[list[tuple[str, str]], list[str]]:
    """Return the fields, each cut to its limit, as long as all of them fit, and the names of what is not here whole."""
    kept: list[tuple[str, str]] = []
    left_out: dict[str, None] = {}
    free_bytes = FIELDS_TOTAL_MAX_BYTES
    for name, value in pairs:
        pair = (texts.fit(name, FIELD_NAME_MAX_BYTES), texts.fit(value, FIELD_VALUE_MAX_BYTES))
        free_bytes -= len(msgspec.json.encode(pair))
        fits = free_bytes >= 0 and len(kept) < FIELDS_MAX
        if fits:
            kept.append(pair)
        if not fits or pair[1] != texts.clean(value):
            left_out[pair[0]] = None
    return kept, list(left_out)[:FIELDS_MAX]
