"""Plays WhatsApp: webhooks as JSON, signed with the app's secret, and the messages of the Cloud API.

Sources, read 2026-11: whatsapp/cloud-api/reference/messages, webhooks/reference/messages/status.
"""

import time
from typing import Any

from deploy.story.file.model import Says
from deploy.story.providers.api import ApiAnswer, ApiRequest, Arrived
from deploy.story.providers.graph_webhooks import HOSTS, delivery, is_message_to, refusal, sign

__all__ = ["HAS_SOCKET", "HOSTS", "MEDIA_TYPE", "NAME", "answer", "body", "receipt", "sign"]

NAME = "whatsapp"
MEDIA_TYPE = "application/json"
HAS_SOCKET = False
UNDELIVERABLE = {"code": 131026, "title": "Message undeliverable"}


def body(content: Any) -> bytes:
    """Return a delivery as JSON; the value of one change is wrapped, a text is sent as it stands."""
    change = {"field": "messages", "value": content}
    return delivery(content, "whatsapp_business_account", changes=[change])


def answer(request: ApiRequest) -> ApiAnswer | None:
    """Take a text message, or a template's, of a number whose token is shown."""
    said = request.content
    if said.get("messaging_product") != NAME or not is_message_to(request, None):
        return None
    if "authorization" not in request.headers:
        return refusal(0, "An access token is required", 401)
    to = said.get("to") or said.get("recipient")
    text = said.get("text", {}).get("body") or said.get("template", {}).get("name")
    if not to or not text:
        return refusal(131008, "A recipient and a text are required")
    arrived = Arrived(NAME, to, text, f"wamid.{request.number}", request)
    found = {"contacts": [{"input": to, "wa_id": to}], "messages": [{"id": arrived.provider_id}]}
    return ApiAnswer({"messaging_product": NAME, **found}, arrived=arrived)


def receipt(arrived: Arrived, says: Says) -> Any:
    """Return the status of a message, with what was given with it."""
    given = arrived.request.content.get("biz_opaque_callback_data")
    status: dict[str, Any] = {
        "id": arrived.provider_id,
        "status": says,
        "timestamp": str(int(time.time())),
        "recipient_id": arrived.to,
        **({"biz_opaque_callback_data": given} if given else {}),
        **({"errors": [UNDELIVERABLE]} if says == "failed" else {}),
    }
    return {"messaging_product": NAME, "statuses": [status]}
