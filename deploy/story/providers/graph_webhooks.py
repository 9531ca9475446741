"""The Graph API, which Messenger, Instagram and WhatsApp share: signed webhooks, and messages that are sent.

Source: Graph API, "Webhooks: validating payloads" and "Handling errors", read 2026-11.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from deploy.story.providers.api import ApiAnswer, ApiRequest

HOSTS = ("graph.facebook.com",)
_MESSAGES = re.compile(r"/v\d+\.\d+/([^/?]+)/messages(?:\?|\Z)")


def sign(key: str, url: str, body: bytes, given: Mapping[str, str]) -> dict[str, str]:  # noqa: ARG001  the shared shape
    """Return `X-Hub-Signature-256`: HMAC-SHA256 over the body under the app's secret, in hex."""
    return {
        "x-hub-signature-256": f"sha256={hmac.digest(key.encode(), body, hashlib.sha256).hex()}"
    }


def delivery(content: Any, kind: str, **wrapped: Any) -> bytes:
    """Return a delivery as JSON, its `entry` made of `wrapped` where it has none; a text is sent as it stands."""
    if isinstance(content, str):
        return content.encode()
    if isinstance(content, dict) and "entry" not in content:
        content = {"object": kind, "entry": [{"id": "0", "time": 0, **wrapped}]}
    return msgspec.json.encode(content)


def is_message_to(request: ApiRequest, sender: str | None) -> bool:
    """Tell whether a request is a message that `sender` writes; `None`: whoever it is."""
    found = _MESSAGES.match(request.path)
    return request.method == "POST" and found is not None and sender in {None, found[1]}


def refusal(code: int, message: str, status: int = 400) -> ApiAnswer:
    """Return an error as the Graph API answers it."""
    return ApiAnswer(
        {"error": {"code": code, "type": "OAuthException", "message": message}}, status
    )
