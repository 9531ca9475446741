"""Plays Telegram: updates as JSON, vouched for by the secret token of `setWebhook`, and the Bot API that bots write by.

Source: core.telegram.org/bots/api, `setWebhook`, `sendMessage`, "Making requests", read 2026-11. There are no receipts.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from deploy.story.providers.api import ApiAnswer, ApiRequest, Arrived
from deploy.story.providers.without_api import receipt

__all__ = ["HAS_SOCKET", "HOSTS", "MEDIA_TYPE", "NAME", "answer", "body", "receipt", "sign"]

NAME = "telegram"
MEDIA_TYPE = "application/json"
HAS_SOCKET = False
HOSTS = ("api.telegram.org",)

TEXT_MAX_UNITS = 4_096
_CALL = re.compile(r"/bot\d+:[\w-]+/(?P<method>\w+)\Z", re.ASCII)

_GET_FILE = re.compile(r"/bot\d+:[\w-]+/getFile\?file_id=(?P<id>\w+)\Z", re.ASCII)
_FILE = re.compile(r"/file/bot\d+:[\w-]+/photos/\w+\.jpg\Z", re.ASCII)
PICTURE = b"\xff\xd8\xff\xe0 a picture of the story"
"""What each photograph of a story holds."""


def body(content: Any) -> bytes:
    """Return an update as JSON; a text is sent as it stands."""
    return content.encode() if isinstance(content, str) else msgspec.json.encode(content)


def sign(key: str, url: str, body: bytes, given: Mapping[str, str]) -> dict[str, str]:  # noqa: ARG001  the shared shape
    """Return the secret token: it is the same for whatever is sent."""
    return {"x-telegram-bot-api-secret-token": key}


def answer(request: ApiRequest) -> ApiAnswer | None:
    """Take `sendMessage`, give files; refuse a token that is none, another method, a text that is none or too long."""
    if asked := _GET_FILE.match(request.path):
        return ApiAnswer({"ok": True, "result": {"file_path": f"photos/{asked['id']}.jpg"}})
    if _FILE.match(request.path):
        return ApiAnswer(PICTURE, media_type="application/octet-stream")
    call, told = _CALL.match(request.path), request.content
    if call is None or call["method"] != "sendMessage":
        return _refusal(404, "Not Found")
    chat, text = told.get("chat_id"), told.get("text")
    if not isinstance(chat, int):
        return _refusal(400, "Bad Request: chat not found")
    if not isinstance(text, str) or not text.strip():
        return _refusal(400, "Bad Request: message text is empty")
    if len(text.encode("utf-16-le")) // 2 > TEXT_MAX_UNITS:
        return _refusal(400, "Bad Request: message is too long")
    result = {"message_id": request.number, "chat": {"id": chat}, "text": text}
    arrived = Arrived(NAME, str(chat), text, f"{chat}/{request.number}", request)
    return ApiAnswer({"ok": True, "result": result}, arrived=arrived)


def _refusal(status: int, description: str) -> ApiAnswer:
    told = {"ok": False, "error_code": status, "description": description}
    return ApiAnswer(told, status)
