"""What a channel says to a provider's HTTP API, and what it hears."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec

from shared.codec import UNREADABLE


class HttpRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request. `url`: absolute; `headers`: without those that carry its length and its host."""

    url: str
    body: bytes
    headers: Mapping[str, str] = {}
    method: str = "POST"


class HttpAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The provider's answer. `body`: at most its first 256 KiB."""

    status: int
    body: bytes = b""

    @property
    def json(self) -> dict[str, Any]:
        """The JSON object that was answered; empty when it is none."""
        try:
            found = msgspec.json.decode(self.body)
        except UNREADABLE:
            return {}
        return found if isinstance(found, dict) else {}


def json_request(
    url: str, content: object, headers: Mapping[str, str] | None = None
) -> HttpRequest:
    """Return a POST of a JSON document."""
    sent = {"content-type": "application/json", **(headers or {})}
    return HttpRequest(url=url, body=msgspec.json.encode(content), headers=sent)


def form_request(
    url: str, fields: Mapping[str, str], headers: Mapping[str, str] | None = None
) -> HttpRequest:
    """Return a POST of form fields."""
    sent = {"content-type": "application/x-www-form-urlencoded", **(headers or {})}
    return HttpRequest(url=url, body=urlencode(fields).encode(), headers=sent)
