"""Plays Ringostat: its webhooks, with the account's secret in `Auth-Key`, and its list of calls.

The list has one call, that no webhook told of. Source: the documentation of the list, read 2026-11.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from deploy.story.providers.api import ApiAnswer, ApiRequest
from deploy.story.providers.without_api import receipt

__all__ = ["HAS_SOCKET", "HOSTS", "MEDIA_TYPE", "NAME", "answer", "body", "receipt", "sign"]

NAME = "ringostat"
MEDIA_TYPE = "application/json"
HAS_SOCKET = False
HOSTS = ("api.ringostat.net",)

UNTOLD = {
    "uniqueid": "pl5_-1795339800.99",
    "calldate": "2026-11-22T10:30:00+0100",
    "caller": "48603234567",
    "dst": "48123456789",
    "call_type": "in",
    "disposition": "NO ANSWER",
    "duration": 36,
    "billsec": 0,
    "has_recording": "0",
}
"""The call of the list."""


def body(content: Any) -> bytes:
    """Return JSON; a text is sent as it stands."""
    return content.encode() if isinstance(content, str) else msgspec.json.encode(content)


def answer(request: ApiRequest) -> ApiAnswer | None:
    """Return the list of calls to whoever shows a key."""
    if request.method != "GET" or not request.path.startswith("/calls/list?"):
        return None
    if not request.headers.get("auth-key"):
        return ApiAnswer({"error": "Auth-key"}, 401)
    return ApiAnswer([UNTOLD])


def sign(key: str, url: str, body: bytes, given: Mapping[str, str]) -> dict[str, str]:  # noqa: ARG001  the shared shape
    """Return the secret of the account."""
    return {"auth-key": key}
