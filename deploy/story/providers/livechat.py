"""Plays LiveChat: webhooks as JSON with the secret in the body, and the Agent Chat API that agents write by.

Sources, read 2026-11: platform.text.com/docs/management/webhooks; the payloads in the tests of
github.com/livechat/lc-sdk-go (webhooks/testdata).
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from deploy.story.providers.without_api import HOSTS, answer, receipt

__all__ = ["HAS_SOCKET", "HOSTS", "MEDIA_TYPE", "NAME", "answer", "body", "receipt", "sign"]

NAME = "livechat"
MEDIA_TYPE = "application/json"
HAS_SOCKET = False

WEBHOOK = {
    "webhook_id": "b8b1f2c8c0d24b0a9d57c16c2fbd7f1e",
    "secret_key": "{{signing}}",
    "organization_id": "390e44e6-f1e6-0368c-z6ddb-74g14508c2ex",
    "additional_data": {},
}
"""The members of every webhook beside its action and payload."""


def body(content: Any) -> bytes:
    """Return a webhook as JSON; a text is sent as it stands."""
    return (
        content.encode()
        if isinstance(content, str)
        else msgspec.json.encode({**WEBHOOK, **content})
    )


def sign(key: str, url: str, body: bytes, given: Mapping[str, str]) -> dict[str, str]:  # noqa: ARG001  the shared shape
    """Return no header: the secret stands in the body, see `doors.KEY_IN_BODY`."""
    return {}
