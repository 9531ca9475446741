"""Plays Messenger: webhooks as JSON, signed with the app's secret, and the Send API.

Sources, read 2026-11: messenger-platform/reference/send-api, webhook-events/message-deliveries and message-reads.
"""

import time
from typing import Any

from deploy.story.file.model import Says
from deploy.story.providers.api import ApiAnswer, ApiRequest, Arrived
from deploy.story.providers.graph_webhooks import HOSTS, delivery, is_message_to, refusal, sign
from shared.errors import PayloadUnreadable

__all__ = ["HAS_SOCKET", "HOSTS", "MEDIA_TYPE", "NAME", "answer", "body", "receipt", "sign"]

NAME = "messenger"
MEDIA_TYPE = "application/json"
HAS_SOCKET = False
ME = "me"


def body(content: Any) -> bytes:
    """Return a delivery as JSON; one element of `messaging` is wrapped, a text is sent as it stands."""
    return delivery(content, "page", messaging=[content])


def answer(request: ApiRequest) -> ApiAnswer | None:
    """Take a message of a page whose token is shown."""
    if not is_message_to(request, ME):
        return None
    if "authorization" not in request.headers:
        return refusal(190, "An access token is required", 401)
    said = request.content
    to, text = said.get("recipient", {}).get("id"), said.get("message", {}).get("text")
    if not to or not text:
        return refusal(100, "A recipient and a text are required")
    arrived = Arrived(NAME, to, text, f"m_{request.number}", request)
    return ApiAnswer({"recipient_id": to, "message_id": arrived.provider_id}, arrived=arrived)


def receipt(arrived: Arrived, says: Says) -> Any:
    """Return that a message has come, or that all until now was seen. Raises: PayloadUnreadable: none says `failed`."""
    now = int(time.time() * 1_000)
    reports: dict[str, Any] = {
        "delivered": {"delivery": {"mids": [arrived.provider_id], "watermark": now}},
        "read": {"read": {"watermark": now}},
    }
    if says not in reports:
        raise PayloadUnreadable("this provider says at once that it takes no message", says=says)
    people = {"sender": {"id": arrived.to}, "recipient": {"id": "0"}, "timestamp": now}
    return {**people, **reports[says]}
