"""What a channel says to a provider's HTTP API, and what it hears."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec

from shared import addresses
from shared.codec import UNREADABLE

_FIELD_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_FIELD_VALUE = re.compile(r"(?:[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?)?\Z")
_URL = re.compile(r"[\x21-\x7e]+\Z")
"""What a field of a header and an address may be written in (RFC 9110, sections 5.1 and 5.5; RFC 3986, section 2)."""


class HttpRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request. `url`: absolute; `headers`: without those that carry its length and its host."""

    url: str
    body: bytes
    headers: Mapping[str, str] = {}
    method: str = "POST"


def unwritable(request: HttpRequest) -> str | None:
    """Return why a request cannot be written down: `url_invalid`, `header_invalid`; `None` for one that can.

    A token that was copied with a blank, a dash or a quotation mark too many is found here, before anything is said.
    """
    if _URL.match(request.url) is None or not addresses.is_web_url(request.url):
        return "url_invalid"
    fields = request.headers.items()
    written = all(_FIELD_NAME.match(name) and _FIELD_VALUE.match(value) for name, value in fields)
    return None if written else "header_invalid"


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
