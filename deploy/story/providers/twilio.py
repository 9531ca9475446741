"""Plays Twilio's webhooks: a form, signed over the public address and its parameters.

Source: Twilio, "Validating requests", read 2026-11.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import parse_qsl

from deploy.story.providers.urlencoded import MEDIA_TYPE, body

__all__ = ["MEDIA_TYPE", "body", "sign"]


def sign(key: str, url: str, body: bytes, given: Mapping[str, str]) -> dict[str, str]:  # noqa: ARG001  the shared shape
    """Return `X-Twilio-Signature`: HMAC-SHA1 over the address and the sorted parameters.

    A repeated parameter counts once per distinct value, in sorted order.
    """
    fields = set(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
    signed = url + "".join(name + value for name, value in sorted(fields))
    digest = hmac.digest(key.encode(), signed.encode(), hashlib.sha1)
    return {"x-twilio-signature": base64.b64encode(digest).decode()}
