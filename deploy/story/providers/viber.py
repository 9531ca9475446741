"""Plays Viber: callbacks as JSON, signed over its bytes under the bot's token, and the API that bots write by.

Source: developers.viber.com/docs/api/rest-bot-api, "Callbacks", "Send Message", "Error Codes", read 2026-11.
"""

import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from deploy.story.file.model import Says
from deploy.story.providers.api import ApiAnswer, ApiRequest, Arrived

NAME = "viber"
MEDIA_TYPE = "application/json"
HAS_SOCKET = False
HOSTS = ("chatapi.viber.com",)

FIRST_TOKEN = 4_912_661_846_655_238_144
"""Tokens are numbers of 64 bits; the last digits of these are lost in a float."""
EVENTS: Mapping[Says, str] = {"delivered": "delivered", "read": "seen", "failed": "failed"}
BAD_TOKEN, MISSING = 2, 4
"""Viber's numbers of errors, which it answers with a status of 200."""


def body(content: Any) -> bytes:
    """Return a callback as JSON; a text is sent as it stands."""
    return content.encode() if isinstance(content, str) else msgspec.json.encode(content)


def sign(key: str, url: str, body: bytes, given: Mapping[str, str]) -> dict[str, str]:  # noqa: ARG001  the shared shape
    """Return `X-Viber-Content-Signature`: HMAC-SHA256 over the body, in hexadecimal."""
    return {"x-viber-content-signature": hmac.digest(key.encode(), body, hashlib.sha256).hex()}


def answer(request: ApiRequest) -> ApiAnswer | None:
    """Take `send_message`; refuse a request without a token, a receiver, a sender's name or a text."""
    if request.path != "/pa/send_message":
        return None
    if not request.headers.get("x-viber-auth-token"):
        return ApiAnswer({"status": BAD_TOKEN, "status_message": "missing_auth_token"})
    match request.content:
        case {"receiver": str(to), "type": "text", "text": str(text), "sender": {"name": str()}}:
            token = FIRST_TOKEN + request.number
            arrived = Arrived(NAME, to, text, str(token), request)
            told = {"status": 0, "status_message": "ok", "message_token": token}
            return ApiAnswer(told, arrived=arrived)
    return ApiAnswer({"status": MISSING, "status_message": "missingData"})


def receipt(arrived: Arrived, says: Says) -> Any:
    """Return the callback about a message that it took."""
    return {
        "event": EVENTS[says],
        "timestamp": int(time.time() * 1_000),
        "message_token": int(arrived.provider_id),
        "user_id": arrived.to,
    }
