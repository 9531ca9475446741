"""Plays Twilio's webhooks: a form, signed over the public address and its parameters.

Source: Twilio, "Validating requests", read 2026-11.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from shared.errors import PayloadUnreadable

MEDIA_TYPE = "application/x-www-form-urlencoded"


def body(content: Any) -> bytes:
    """Return the parameters as a form; a list repeats a parameter. Raises: PayloadUnreadable."""
    if isinstance(content, str):
        return content.encode()
    if not isinstance(content, dict):
        raise PayloadUnreadable("a Twilio webhook is a map of its parameters")
    return urlencode(content, doseq=True).encode()


def sign(key: str, url: str, body: bytes, given: Mapping[str, str]) -> dict[str, str]:  # noqa: ARG001  the shared shape
    """Return `X-Twilio-Signature`: HMAC-SHA1 over the address and the sorted parameters.

    A repeated parameter counts once per distinct value, in sorted order.
    """
    fields = set(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
    signed = url + "".join(name + value for name, value in sorted(fields))
    digest = hmac.digest(key.encode(), signed.encode(), hashlib.sha1)
    return {"x-twilio-signature": base64.b64encode(digest).decode()}
