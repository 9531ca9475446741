"""The Standard Webhooks scheme, which verifies the mail, form and chat doors.

Source: Standard Webhooks specification 1.0.0, "Verifying webhook authenticity", read 2026-11-22
(github.com/standard-webhooks/standard-webhooks).
"""

import base64
import hashlib
import hmac

from services.ingest.domain.delivery import WebRequest
from shared.errors import SignatureInvalid

TOLERANCE_SECONDS = 300
SIGNATURES_MAX = 16
ID_MAX_CHARACTERS = 256
_ENCODED_SECRET = "whsec_"  # noqa: S105  a prefix, no secret


def sign(secret: str, webhook_id: str, timestamp: int, body: bytes) -> str:
    """Return the value of `webhook-signature`."""
    signed = hmac.new(_key(secret), f"{webhook_id}.{timestamp}.".encode(), hashlib.sha256)
    signed.update(body)
    return "v1," + base64.b64encode(signed.digest()).decode()


def verify(request: WebRequest, secret: str) -> None:
    """Check id, time and signature of a request. Raises: SignatureInvalid.

    The header may hold several signatures, separated by blanks, while a secret is being changed.
    """
    webhook_id = request.header("webhook-id") or ""
    timestamp = request.header("webhook-timestamp") or ""
    if not 0 < len(webhook_id) <= ID_MAX_CHARACTERS or not _fresh(timestamp, request):
        raise SignatureInvalid
    if not _key(secret):
        raise SignatureInvalid  # anybody can sign with nothing
    expected = sign(secret, webhook_id, int(timestamp), request.body).encode()
    given = (request.header("webhook-signature") or "").split()[:SIGNATURES_MAX]
    if not any(hmac.compare_digest(each.encode(errors="replace"), expected) for each in given):
        raise SignatureInvalid


def _fresh(timestamp: str, request: WebRequest) -> bool:
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        return False
    return abs(request.received.timestamp() - int(timestamp)) <= TOLERANCE_SECONDS


def _key(secret: str) -> bytes:
    """The secret's bytes; the specification writes random ones as `whsec_` and base64, some tools without its end."""
    if not secret.startswith(_ENCODED_SECRET):
        return secret.encode()
    encoded = secret.removeprefix(_ENCODED_SECRET)
    try:
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except ValueError:
        return secret.encode()
