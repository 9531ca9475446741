"""What reaches a provider's HTTP API when agents write, and what the provider answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import msgspec

FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One request. `path`: with its query; `headers`: by lower-case name; `number`: 1 for the first of a story."""

    host: str
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    number: int

    @property
    def content(self) -> dict[str, Any]:
        """The form's fields or the JSON object that was sent; empty when it is neither."""
        if self.headers.get("content-type", "").startswith(FORM):
            return dict(parse_qsl(self.body.decode(errors="replace"), keep_blank_values=True))
        try:
            found = msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return {}
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message that the provider took. `to`: the customer as the provider names her; `provider_id`: the message."""

    channel: str
    to: str
    text: str
    provider_id: str
    request: ApiRequest


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """What the provider answers. `content`: bytes as they stand, anything else as JSON; `arrived`: what it took."""

    content: Any
    status: int = 200
    arrived: Arrived | None = None
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        return (
            self.content if isinstance(self.content, bytes) else msgspec.json.encode(self.content)
        )
