"""Signs by the Standard Webhooks scheme, which several providers share.

Source: Standard Webhooks specification 1.0.0, read 2026-11.
"""

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping

_ENCODED = "whsec_"
"""A secret with this prefix is written in base64."""


def sign(key: str, url: str, body: bytes, given: Mapping[str, str]) -> dict[str, str]:  # noqa: ARG001  the shared shape
    """Return id, time and signature; the id is the given one, else the body's own: the same bytes, the same id."""
    message_id = given.get("webhook-id") or f"msg_{hashlib.sha256(body).hexdigest()[:24]}"
    now = int(time.time())
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(now),
        "webhook-signature": signature(key, message_id, now, body),
    }


def signature(key: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Return `v1,` and the HMAC-SHA256 over id, time and body."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    encoded = key.startswith(_ENCODED)
    secret = base64.b64decode(key.removeprefix(_ENCODED)) if encoded else key.encode()
    return "v1," + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()
