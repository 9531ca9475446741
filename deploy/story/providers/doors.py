"""Deliveries at ingest's doors, in the providers' own formats."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import httpx
import msgspec

from deploy.story.errors import StepFailed, StoryInvalid
from deploy.story.file.model import DoorStep
from deploy.story.providers import signing
from deploy.story.stack import Stack

DELIVERY_SECONDS = 30.0
REQUEST_SECONDS = 10.0
PAUSE_SECONDS = 0.1
TRY_AGAIN = frozenset({502, 503, 504})
"""What a provider answers by delivering once more."""
WRONG_KEY = "not-the-key"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back from a door or a command. `status`: HTTP's, or 200 and 400 for a command or a chat frame."""

    status: int
    text: str
    code: str | None
    content: dict[str, Any]

    @property
    def refused(self) -> bool:
        return self.code is not None or not 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request, made once and sent as often as needed, byte for byte."""

    url: str
    headers: dict[str, str]
    body: bytes


def secret_of(stack: Stack, accounts: dict[str, dict[str, Any]], door: str) -> str:
    """Return the key with which the provider of an account signs; empty for an account that has none."""
    name = accounts.get(door, {}).get("secrets", {}).get("signing")
    return stack.secrets.get(name or "", "")


def make_delivery(step: DoorStep, stack: Stack, tenant: str, secret: str, folder: Path) -> Delivery:
    """Return the request of a step whose references are filled in. Raises: StoryInvalid."""
    channel = step.door.partition("/")[0]
    path = f"/in/{step.tenant or tenant}/{step.door}"
    key = WRONG_KEY if step.sign == "wrong" else secret
    fields = _fields(step.body) if channel == "twilio_voice" else []
    body, media_type = _body(step, channel, fields, folder)
    headers = {"content-type": media_type}
    if step.sign and channel == "twilio_voice":
        url = stack.public_url + path
        headers["x-twilio-signature"] = signing.twilio_signature(key, url, fields)
    elif channel != "twilio_voice":
        headers |= _standard_webhook(step, key, body)
    return Delivery(stack.addresses["ingest"] + path, {**headers, **step.headers}, body)


async def deliver(delivery: Delivery) -> Answer:
    """Send a delivery until the door answers with something else than "later", as providers do.

    Raises: StepFailed (`step.door_unreachable`).
    """
    deadline = time.monotonic() + DELIVERY_SECONDS
    async with httpx.AsyncClient(timeout=REQUEST_SECONDS, trust_env=False) as client:
        while True:
            try:
                response = await client.post(
                    delivery.url, headers=delivery.headers, content=delivery.body
                )
                if response.status_code not in TRY_AGAIN:
                    return _answer(response)
                last = f"status {response.status_code}"
            except httpx.TransportError as error:
                last = type(error).__name__
            if time.monotonic() > deadline:
                raise StepFailed("step.door_unreachable", "the door does not answer", got=last)
            await asyncio.sleep(PAUSE_SECONDS)


def _answer(response: httpx.Response) -> Answer:
    try:
        content = msgspec.json.decode(response.content) if response.content else {}
    except msgspec.DecodeError:
        content = {}
    content = content if isinstance(content, dict) else {}
    refused = response.status_code >= 400
    code = str(content.get("code", "door.refused")) if refused else None
    return Answer(response.status_code, response.text, code, content)


def _fields(body: Any) -> list[tuple[str, str]]:
    if isinstance(body, str):
        return parse_qsl(body, keep_blank_values=True)
    if not isinstance(body, dict):
        raise StoryInvalid("a Twilio webhook is a map of its parameters")
    return [
        (name, str(each))
        for name, value in body.items()
        for each in (value if isinstance(value, list) else [value])
    ]


def _body(
    step: DoorStep, channel: str, fields: Sequence[tuple[str, str]], folder: Path
) -> tuple[bytes, str]:
    """Return the bytes of a delivery and their media type. A text is sent as it stands."""
    if isinstance(step.body, dict) and fields:
        return urlencode(fields).encode(), "application/x-www-form-urlencoded"
    content = step.body
    if step.file is not None:
        try:
            content = (folder / step.file).read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            raise StoryInvalid(f"the file {step.file} cannot be read") from None
    if channel == "email" and not isinstance(content, bytes):
        text = str(content or "").replace("\r\n", "\n").replace("\n", "\r\n")
        return text.encode(), "message/rfc822"
    if isinstance(content, str | bytes):
        form = channel == "twilio_voice"
        media = "application/x-www-form-urlencoded" if form else "application/json"
        return content if isinstance(content, bytes) else content.encode(), media
    return msgspec.json.encode(content), "application/json"


def _standard_webhook(step: DoorStep, key: str, body: bytes) -> dict[str, str]:
    message_id = step.headers.get("webhook-id") or f"msg_{hashlib.sha256(body).hexdigest()[:24]}"
    now = int(time.time())
    headers = {"webhook-id": message_id, "webhook-timestamp": str(now)}
    if step.sign:
        headers["webhook-signature"] = signing.standard_webhook_signature(
            key, message_id, now, body
        )
    return headers
