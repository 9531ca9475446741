"""Plays Smartsupp: webhooks as JSON, signed over their bytes under the app's secret.

Source: docs.smartsupp.com/rest-api/webhooks, read 2026-11.
"""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

import msgspec

from deploy.story.providers.without_api import HOSTS, answer, receipt

__all__ = ["HAS_SOCKET", "HOSTS", "MEDIA_TYPE", "NAME", "answer", "body", "receipt", "sign"]

NAME = "smartsupp"
MEDIA_TYPE = "application/json"
HAS_SOCKET = False

CALLBACK = {"type": "event_callback", "account_id": "881987", "app_id": "ap40qUkYi"}
"""The members of every webhook beside its event, time and data."""


def body(content: Any) -> bytes:
    """Return a webhook as JSON; a text is sent as it stands."""
    return (
        content.encode()
        if isinstance(content, str)
        else msgspec.json.encode({**CALLBACK, **content})
    )


def sign(key: str, url: str, body: bytes, given: Mapping[str, str]) -> dict[str, str]:  # noqa: ARG001  the shared shape
    """Return `X-Smartsupp-Hmac`: HMAC-SHA256 over the body, in hexadecimal."""
    return {"x-smartsupp-hmac": hmac.digest(key.encode(), body, hashlib.sha256).hex()}
