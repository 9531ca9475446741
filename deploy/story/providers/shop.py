"""Plays a shop's webhooks: an order as JSON, with the signature of Shopify.

Source: shopify.dev, "Deliver webhooks through HTTPS", read 2026-11.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

import msgspec

from deploy.story.providers.without_api import HOSTS, answer, receipt

__all__ = ["HAS_SOCKET", "HOSTS", "MEDIA_TYPE", "NAME", "answer", "body", "receipt", "sign"]

NAME = "shop"
MEDIA_TYPE = "application/json"
HAS_SOCKET = False


def body(content: Any) -> bytes:
    """Return JSON; a text is sent as it stands."""
    return content.encode() if isinstance(content, str) else msgspec.json.encode(content)


def sign(key: str, url: str, body: bytes, given: Mapping[str, str]) -> dict[str, str]:  # noqa: ARG001  the shared shape
    """Return `X-Shopify-Hmac-Sha256`: base64 of HMAC-SHA256 over the body."""
    digest = hmac.digest(key.encode(), body, hashlib.sha256)
    return {"x-shopify-hmac-sha256": base64.b64encode(digest).decode()}
