"""What providers share whose webhooks are forms."""

from typing import Any
from urllib.parse import urlencode

from shared.errors import PayloadUnreadable

MEDIA_TYPE = "application/x-www-form-urlencoded"


def body(content: Any) -> bytes:
    """Return the parameters as a form; a list repeats a parameter. Raises: PayloadUnreadable."""
    if isinstance(content, str):
        return content.encode()
    if not isinstance(content, dict):
        raise PayloadUnreadable("such a webhook is a map of its parameters")
    return urlencode(content, doseq=True).encode()
