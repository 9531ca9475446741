"""Plays the program of a shop's pages: what a visitor does, with the write key in Basic authentication."""

import base64
from collections.abc import Mapping
from typing import Any

import msgspec

from deploy.story.providers.without_api import HOSTS, answer, receipt

__all__ = ["HAS_SOCKET", "HOSTS", "MEDIA_TYPE", "NAME", "answer", "body", "receipt", "sign"]

NAME = "site"
MEDIA_TYPE = "application/json"
HAS_SOCKET = False


def body(content: Any) -> bytes:
    """Return JSON; a text is sent as it stands."""
    return content.encode() if isinstance(content, str) else msgspec.json.encode(content)


def sign(key: str, url: str, body: bytes, given: Mapping[str, str]) -> dict[str, str]:  # noqa: ARG001  the shared shape
    """Return `authorization`: the key proves who sends, not what."""
    return {"authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode()}
