"""Plays Placetel's notify API: forms, signed as a whole."""

import hashlib
import hmac
from collections.abc import Mapping

from deploy.story.providers.urlencoded import MEDIA_TYPE, body
from deploy.story.providers.without_api import HOSTS, answer, receipt

__all__ = ["HAS_SOCKET", "HOSTS", "MEDIA_TYPE", "NAME", "answer", "body", "receipt", "sign"]

NAME = "placetel"
HAS_SOCKET = False


def sign(key: str, url: str, body: bytes, given: Mapping[str, str]) -> dict[str, str]:  # noqa: ARG001  the shared shape
    """Return `X-PLACETEL-SIGNATURE`: the hexadecimal HMAC-SHA256 over the body."""
    return {"x-placetel-signature": hmac.new(key.encode(), body, hashlib.sha256).hexdigest()}
