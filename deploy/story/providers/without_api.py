"""What the files of providers share to which agents' messages do not go by HTTP."""

from typing import Any

from deploy.story.file.model import Says
from deploy.story.providers.api import ApiAnswer, ApiRequest, Arrived
from shared.errors import PayloadUnreadable

HOSTS: tuple[str, ...] = ()


def answer(request: ApiRequest) -> ApiAnswer | None:  # noqa: ARG001  the shared shape
    """Return `None`: it has no API."""
    return None


def receipt(arrived: Arrived, says: Says) -> Any:
    """Raises: PayloadUnreadable, for it took no message."""
    raise PayloadUnreadable(
        "this provider reports nothing of messages", says=says, of=arrived.channel
    )
