"""Refusals over HTTP: the body of `application/problem+json` (RFC 9457) with our stable code."""

import msgspec

from shared.errors import TellonceError

MEDIA_TYPE = "application/problem+json"


def body(error: TellonceError, **more: object) -> bytes:
    """Return type, title, status and code of an error, and what else is to be told."""
    told = {
        "type": f"urn:tellonce:problem:{error.code}",
        "title": str(error),
        "status": error.http_status,
        "code": error.code,
    }
    return msgspec.json.encode(told | more)
