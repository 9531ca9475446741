"""Plays LiveChat: webhooks as JSON with the secret in the body, and the Agent Chat API that agents write by.

Sources, read 2026-11: platform.text.com/docs/management/webhooks; the payloads in the tests of
github.com/livechat/lc-sdk-go (webhooks/testdata). Its answers: see services/notify/channels/livechat.py.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from deploy.story.file.model import Says
from deploy.story.providers.api import ApiAnswer, ApiRequest, Arrived
from shared.errors import PayloadUnreadable

NAME = "livechat"
MEDIA_TYPE = "application/json"
HAS_SOCKET = False
HOSTS = ("api.livechatinc.com",)

WEBHOOK = {
    "webhook_id": "b8b1f2c8c0d24b0a9d57c16c2fbd7f1e",
    "secret_key": "{{signing}}",
    "organization_id": "390e44e6-f1e6-0368-c6dd-74e14508c2e1",
    "additional_data": {},
}
"""The members of every webhook beside its action and payload; for the secret see `doors.KEY_IN_BODY`."""
CUSTOMER = "6f1d4b0a-5a0e-4d53-8a5c-3f2f1f0b9a11"
"""Who has seen what was written."""


def body(content: Any) -> bytes:
    """Return a webhook as JSON; a text is sent as it stands."""
    return (
        content.encode()
        if isinstance(content, str)
        else msgspec.json.encode({**WEBHOOK, **content})
    )


def sign(key: str, url: str, body: bytes, given: Mapping[str, str]) -> dict[str, str]:  # noqa: ARG001  the shared shape
    """Return no header: the secret stands in the body."""
    return {}


def answer(request: ApiRequest) -> ApiAnswer | None:
    """Take `send_event`; refuse a request without a token, without a chat or without a message for everybody."""
    if not request.path.endswith("/agent/action/send_event"):
        return None
    if not request.headers.get("authorization"):
        return _refusal(401, "authentication")
    match request.content:
        case {"chat_id": str(chat), "event": {"type": "message", "text": str(text)}} if text:
            named = f"{chat}_{request.number}"
            arrived = Arrived(NAME, chat, text, named, request)
            return ApiAnswer({"event_id": named}, arrived=arrived)
    return _refusal(422, "validation")


def _refusal(status: int, kind: str) -> ApiAnswer:
    return ApiAnswer({"error": {"type": kind, "message": kind}}, status)


def receipt(arrived: Arrived, says: Says) -> Any:
    """Return the webhook that she has seen it, or by which what was sent comes back. Raises: PayloadUnreadable."""
    now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    if says == "read":
        seen = {"user_id": CUSTOMER, "chat_id": arrived.to, "seen_up_to": now}
        return {"action": "events_marked_as_seen", "payload": seen}
    raise PayloadUnreadable("it reports nothing of the kind", says=says)
