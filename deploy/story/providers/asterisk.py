"""Plays whoever reads an Asterisk exchange's manager (AMI) and hands its events over, as blocks of lines."""

from typing import Any

from deploy.story.providers.standard_webhooks import sign
from deploy.story.providers.without_api import HOSTS, answer, receipt
from shared.errors import PayloadUnreadable

__all__ = ["HAS_SOCKET", "HOSTS", "MEDIA_TYPE", "NAME", "answer", "body", "receipt", "sign"]

NAME = "asterisk"
MEDIA_TYPE = "text/plain"
HAS_SOCKET = False


def body(content: Any) -> bytes:
    """Return one event, or each of a list, as a block; a text is sent as it stands. Raises: PayloadUnreadable."""
    if isinstance(content, str):
        return content.encode()
    blocks = content if isinstance(content, list) else [content]
    if not all(isinstance(each, dict) for each in blocks):
        raise PayloadUnreadable("an event of the exchange is a map of its fields")
    return "".join(_block(each) for each in blocks).encode()


def _block(fields: dict[str, Any]) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in fields.items()) + "\r\n"
