"""Plays the mail server that hands a shop's mail to us: message/rfc822."""

from typing import Any

from deploy.story.providers.standard_webhooks import sign
from deploy.story.providers.without_api import HOSTS, answer, receipt
from shared.errors import PayloadUnreadable

__all__ = ["HAS_SOCKET", "HOSTS", "MEDIA_TYPE", "NAME", "answer", "body", "receipt", "sign"]

NAME = "email"
MEDIA_TYPE = "message/rfc822"
HAS_SOCKET = False


def body(content: Any) -> bytes:
    """Return a mail with the line ends of the wire. Raises: PayloadUnreadable."""
    if not isinstance(content, str):
        raise PayloadUnreadable("a mail is a text")
    return content.replace("\r\n", "\n").replace("\n", "\r\n").encode()
