"""Plays the shop's web chat: a single message as JSON, and what the shop's page says of a signed-in customer."""

import hashlib
import hmac
from typing import Any

import msgspec

from deploy.story.providers.standard_webhooks import sign
from deploy.story.providers.without_api import HOSTS, answer, receipt

__all__ = [
    "HAS_SOCKET",
    "HOSTS",
    "MEDIA_TYPE",
    "NAME",
    "answer",
    "body",
    "hello_signature",
    "receipt",
    "sign",
]

NAME = "chat"
MEDIA_TYPE = "application/json"
HAS_SOCKET = True


def body(content: Any) -> bytes:
    """Return one message as JSON; a text is sent as it stands."""
    return content.encode() if isinstance(content, str) else msgspec.json.encode(content)


def hello_signature(key: str, email: str) -> str:
    """Return `signature` of a hello: HMAC-SHA256 of the customer's address, in hex."""
    return hmac.digest(key.encode(), email.encode(), hashlib.sha256).hex()
