"""WhatsApp Business: an agent's answer by the Cloud API, and what its answers mean.

Sources, read 2026-11 (developers.facebook.com/documentation/business-messaging/whatsapp): reference/messages (texts of
4,096 characters, `context`, `biz_opaque_callback_data` that comes back with each status), support/error-codes,
business-scoped-user-ids (`to` takes a number, `recipient` an id with the business), templates/components. What is sent
for the parts of a template, as resellers of this API document it (wa.expert, docs.chatsyncs.com,
developers.pingtochat.com): places by their number, not by a name.
131056 is of one customer: one message in six seconds, and 45 at once, to be tried again after 4^n s (as
dualhook.com/docs/capacity-quality-limits has it of this API).
A number writes freely to whoever wrote to it within 24 hours (WINDOW), and after them by a template only; what the
provider itself refuses for this comes most often as a status.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from services.notify.channels import graph_api as graph
from services.notify.channels.graph_api import DOUBT, LATER, REFUSED, SECRETS
from services.notify.domain.asking import no_finding as found
from services.notify.domain.asking import no_question as ask
from services.notify.domain.messages import CustomerMessage, Unsendable
from services.notify.domain.messages import uncounted as parts
from services.notify.domain.outcomes import Outcome
from services.notify.domain.web import HttpAnswer, HttpRequest
from shared import events

__all__ = [
    "CARRIER",
    "KINDS",
    "MEDIUM",
    "NAME",
    "SECRETS",
    "TEMPLATES",
    "address",
    "ask",
    "found",
    "outcome",
    "parts",
    "render",
]

NAME = "whatsapp"
MEDIUM: events.Medium = "message"
CARRIER = "http"
TEMPLATES = True

KINDS: Mapping[int, graph.Meaning] = {
    0: REFUSED,
    1: DOUBT,
    2: LATER,
    3: REFUSED,
    4: LATER,
    10: REFUSED,
    33: REFUSED,
    100: REFUSED,
    190: REFUSED,
    200: REFUSED,
    368: REFUSED,
    80007: LATER,
    130403: REFUSED,
    130429: LATER,
    130472: REFUSED,
    130497: REFUSED,
    131000: DOUBT,
    131005: REFUSED,
    131008: REFUSED,
    131009: REFUSED,
    131016: LATER,
    131021: REFUSED,
    131026: REFUSED,
    131030: REFUSED,
    131031: REFUSED,
    131037: REFUSED,
    131042: REFUSED,
    131045: REFUSED,
    131047: REFUSED,
    131048: LATER,
    131049: REFUSED,
    131050: REFUSED,
    131051: REFUSED,
    131052: REFUSED,
    131053: REFUSED,
    131056: LATER,
    131057: LATER,
    131062: REFUSED,
    132000: REFUSED,  # this and the next: of templates
    132001: REFUSED,
    132005: REFUSED,
    132007: REFUSED,
    132012: REFUSED,
    132015: REFUSED,
    132016: REFUSED,
    132068: REFUSED,
    132069: REFUSED,
    133004: LATER,
    133010: REFUSED,
    134011: REFUSED,
    135000: DOUBT,
}
"""By `code`; what is not here is a doubt, which the message's statuses resolve."""
REASONS: Mapping[int, str] = {131047: "window_closed"}
"""Where we have a word for it. The window: 24 hours since she last wrote."""

BUTTON_URL = ("text", "text")
BUTTONS: Mapping[str, tuple[str, str]] = {
    "url": BUTTON_URL,
    "quick_reply": ("payload", "payload"),
    "copy_code": ("coupon_code", "coupon_code"),
}
"""By the kind of a button: the type of what it needs, and under which name it stands there."""

WINDOW = timedelta(hours=24)
TEXT_MAX_CHARACTERS = 4_096

_NUMBER = re.compile(r"\+?([0-9]{1,20})\Z")
_USER_ID = re.compile(r"[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}\Z")
_MESSAGE_ID = re.compile(r"wamid\.[!-~]{1,256}\Z")


def address(to: str) -> str | None:
    """Return a WhatsApp id, an id with the business, or the id of a number of ours; `None` for what is none."""
    found = to.removeprefix(f"{NAME}:").strip()
    number = _NUMBER.match(found)
    if number is not None:
        return number[1]
    return found if _USER_ID.match(found) else None


def render(message: CustomerMessage, now: datetime) -> HttpRequest:
    """Return a text message, or one by a template.

    Raises: Unsendable with `text_too_long`, `secret_missing`, or `window_closed`: only a template reaches her now.
    """
    content: dict[str, Any] = {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to" if message.to.isdigit() else "recipient": message.to,
        "biz_opaque_callback_data": message.own_reference,
        **(_text(message, now) if message.template is None else _template(message.template)),
    }
    if message.in_reply_to is not None and _MESSAGE_ID.match(message.in_reply_to):
        content["context"] = {"message_id": message.in_reply_to}
    return graph.request(message, message.sender, content)


def _text(message: CustomerMessage, now: datetime) -> dict[str, Any]:
    graph.check_length(len(message.text), TEXT_MAX_CHARACTERS)
    if not message.is_within(WINDOW, now):
        raise Unsendable("window_closed")
    return {"type": "text", "text": {"body": message.text}}


def _template(template: events.MessageTemplate) -> dict[str, Any]:
    told: dict[str, Any] = {"name": template.name, "language": {"code": template.language}}
    components = list(_components(template))
    if components:
        told["components"] = components
    return {"type": "template", "template": told}


def _components(template: events.MessageTemplate) -> Iterator[dict[str, Any]]:
    """Yield what each part of a template needs: the line or the file above it, its places, its buttons."""
    if template.header_file is not None:
        yield {"type": "header", "parameters": [_media(template.header_file)]}
    elif template.header is not None:
        yield {"type": "header", "parameters": [{"type": "text", "text": template.header}]}
    if template.parameters:
        places = [{"type": "text", "text": each} for each in template.parameters]
        yield {"type": "body", "parameters": places}
    for each in template.buttons:
        name, field = BUTTONS.get(each.kind, BUTTON_URL)
        value = {"type": name, field: each.value}
        about = {"type": "button", "sub_type": each.kind, "index": str(each.position)}
        yield {**about, "parameters": [value]}


def _media(file: events.TemplateFile) -> dict[str, Any]:
    named = {"filename": file.name} if file.name is not None and file.kind == "document" else {}
    return {"type": file.kind, file.kind: {"link": file.address, **named}}


def outcome(answer: HttpAnswer) -> Outcome:
    """Return what an answer means; the reason is a word of REASONS, else `whatsapp_<code>`."""
    if answer.status == 200:
        listed = answer.json.get("messages")
        first = listed[0] if isinstance(listed, list) and listed else None
        return graph.sent(first.get("id") if isinstance(first, dict) else None)
    return graph.error(answer, NAME, KINDS, REASONS)
