"""Plays a site's contact form: JSON, sent and signed by the site's server."""

from typing import Any

import msgspec

from deploy.story.providers.standard_webhooks import sign
from deploy.story.providers.without_api import HOSTS, answer, receipt

__all__ = ["HAS_SOCKET", "HOSTS", "MEDIA_TYPE", "NAME", "answer", "body", "receipt", "sign"]

NAME = "form"
MEDIA_TYPE = "application/json"
HAS_SOCKET = False


def body(content: Any) -> bytes:
    """Return JSON; a text is sent as it stands."""
    return content.encode() if isinstance(content, str) else msgspec.json.encode(content)
