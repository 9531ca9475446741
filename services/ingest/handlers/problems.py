"""Refusals over HTTP: `application/problem+json` (RFC 9457) with our stable code."""

import msgspec
from starlette.responses import Response

from shared.errors import TellonceError

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 1


def problem(error: TellonceError) -> Response:
    """Return the answer for a refusal: type, title, status, code; a retryable one says when to come again.

    The connection is closed, for the body may not have been read whole.
    """
    body = {
        "type": f"urn:tellonce:problem:{error.code}",
        "title": str(error),
        "status": error.http_status,
        "code": error.code,
    }
    headers = {"connection": "close"}
    if error.retryable:
        headers["retry-after"] = str(RETRY_AFTER_SECONDS)
    if error.http_status == 405:
        headers["allow"] = "POST"
    return Response(
        msgspec.json.encode(body), error.http_status, headers=headers, media_type=MEDIA_TYPE
    )
