"""Plays Ringostat: its webhooks, with the account's secret in `Auth-Key`."""

from collections.abc import Mapping
from typing import Any

import msgspec

from deploy.story.providers.without_api import HOSTS, answer, receipt

__all__ = ["HAS_SOCKET", "HOSTS", "MEDIA_TYPE", "NAME", "answer", "body", "receipt", "sign"]

NAME = "ringostat"
MEDIA_TYPE = "application/json"
HAS_SOCKET = False


def body(content: Any) -> bytes:
    """Return JSON; a text is sent as it stands."""
    return content.encode() if isinstance(content, str) else msgspec.json.encode(content)


def sign(key: str, url: str, body: bytes, given: Mapping[str, str]) -> dict[str, str]:  # noqa: ARG001  the shared shape
    """Return the secret of the account."""
    return {"auth-key": key}
