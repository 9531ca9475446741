"""Refusals over HTTP: `application/problem+json` (RFC 9457) with our stable code."""

import asyncio
from http import HTTPStatus

from starlette.responses import Response

from shared import problems
from shared.errors import TellonceError

RETRY_AFTER_SECONDS = 1
LINGER_SECONDS = 1.0
"""How long what a refused sender still sends is thrown away: closed on at once, it would not read our answer."""


def problem(error: TellonceError) -> Response:
    """Return the answer for a refusal: type, title, status, code; a retryable one says when to come again.

    The connection is closed, for the body may not have been read whole.
    """
    headers = {"connection": "close"}
    if error.retryable:
        headers["retry-after"] = str(RETRY_AFTER_SECONDS)
    if error.http_status == 405:
        headers["allow"] = "POST"
    body, status = problems.body(error), error.http_status
    return Response(body, status, headers=headers, media_type=problems.MEDIA_TYPE)


def refuse(transport: asyncio.Transport, error: TellonceError) -> None:
    """Answer a request that reaches no route, byte for byte, and end its connection."""
    answer = problem(error)
    status = HTTPStatus(answer.status_code)
    lines = [b"HTTP/1.1 %d %s" % (status, status.phrase.encode())]
    lines += [b"%s: %s" % field for field in answer.raw_headers]
    transport.write(b"\r\n".join([*lines, b"", bytes(answer.body)]))
    transport.write_eof()
    asyncio.get_running_loop().call_later(LINGER_SECONDS, transport.close)
