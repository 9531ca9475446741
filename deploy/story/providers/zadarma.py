"""Plays Zadarma's notifications: forms, of which each kind signs other fields.

Sources: as those of ingest's channel, read 2026-11.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import parse_qs

from deploy.story.providers.urlencoded import MEDIA_TYPE, body
from deploy.story.providers.without_api import HOSTS, answer, receipt

__all__ = ["HAS_SOCKET", "HOSTS", "MEDIA_TYPE", "NAME", "answer", "body", "receipt", "sign"]

NAME = "zadarma"
HAS_SOCKET = False
OTHERWISE_SIGNED = {
    "NOTIFY_ANSWER": ("caller_id", "destination", "call_start"),
    "NOTIFY_OUT_START": ("internal", "destination", "call_start"),
    "NOTIFY_OUT_END": ("internal", "destination", "call_start"),
    "NOTIFY_RECORD": ("pbx_call_id", "call_id_with_rec"),
}


def sign(key: str, url: str, body: bytes, given: Mapping[str, str]) -> dict[str, str]:  # noqa: ARG001  the shared shape
    """Return `Signature`: base64 of the hexadecimal HMAC-SHA1 over the fields that the kind signs."""
    fields = parse_qs(body.decode(errors="replace"))
    kind = fields.get("event", [""])[0]
    names = OTHERWISE_SIGNED.get(kind, ("caller_id", "called_did", "call_start"))
    signed = "".join(fields.get(name, [""])[0] for name in names)
    digest = hmac.new(key.encode(), signed.encode(), hashlib.sha1).hexdigest()
    return {"signature": base64.b64encode(digest.encode()).decode()}
