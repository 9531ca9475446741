"""Plays Matomo's script in a page: each hit as a form, with the account's secret as the password of the address.

Source: as those of ingest's channel, read 2026-11.
"""

import base64
from collections.abc import Mapping

from deploy.story.providers.urlencoded import MEDIA_TYPE, body
from deploy.story.providers.without_api import HOSTS, answer, receipt

__all__ = ["HAS_SOCKET", "HOSTS", "MEDIA_TYPE", "NAME", "answer", "body", "receipt", "sign"]

NAME = "matomo"
HAS_SOCKET = False
USER = "tellonce"


def sign(key: str, url: str, body: bytes, given: Mapping[str, str]) -> dict[str, str]:  # noqa: ARG001  the shared shape
    """Return HTTP basic authentication with the secret."""
    return {"authorization": "Basic " + base64.b64encode(f"{USER}:{key}".encode()).decode()}
