"""Plays a site's contact form: JSON, sent and signed by the site's server."""

from typing import Any

import msgspec

from deploy.story.providers.standard_webhooks import sign

__all__ = ["HAS_SOCKET", "MEDIA_TYPE", "NAME", "body", "sign"]

NAME = "form"
MEDIA_TYPE = "application/json"
HAS_SOCKET = False


def body(content: Any) -> bytes:
    """Return JSON; a text is sent as it stands."""
    return content.encode() if isinstance(content, str) else msgspec.json.encode(content)
