"""Signs as the providers do.

Sources, read 2026-11: Twilio, "Validating requests"; Standard Webhooks 1.0.0; the chat's own hello.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence

_ENCODED = "whsec_"
"""A secret with this prefix is written in base64."""


def twilio_signature(token: str, url: str, fields: Sequence[tuple[str, str]]) -> str:
    """Return `X-Twilio-Signature`: HMAC-SHA1 over the address and the sorted form fields.

    A repeated key counts once per distinct value, in sorted order.
    """
    signed = url + "".join(name + value for name, value in sorted(set(fields)))
    digest = hmac.digest(token.encode(), signed.encode(), hashlib.sha1)
    return base64.b64encode(digest).decode()


def standard_webhook_signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Return `webhook-signature`: `v1,` and the HMAC-SHA256 over id, time and body."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    encoded = secret.startswith(_ENCODED)
    key = base64.b64decode(secret.removeprefix(_ENCODED)) if encoded else secret.encode()
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def chat_signature(key: str, email: str) -> str:
    """Return what a shop's page tells the chat about a signed-in customer: HMAC-SHA256 of her address, in hex."""
    return hmac.digest(key.encode(), email.encode(), hashlib.sha256).hex()
