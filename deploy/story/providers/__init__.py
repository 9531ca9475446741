"""Playing the providers: one file each, all of one shape; `doors` delivers for them, `api_server` answers for them."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from deploy.story.file.model import Says
from deploy.story.providers.api import ApiAnswer, ApiRequest, Arrived
from shared import errors, modules


class Provider(Protocol):
    """What every provider's file offers."""

    @property
    def NAME(self) -> str:  # noqa: N802  a constant of the module
        """The channel as it stands in addresses and accounts."""
        ...

    @property
    def MEDIA_TYPE(self) -> str:  # noqa: N802  likewise
        """The content type of its deliveries."""
        ...

    @property
    def HAS_SOCKET(self) -> bool:  # noqa: N802  likewise
        """Whether maps and lists go over a kept-open socket, see `chat_socket`."""
        ...

    @property
    def HOSTS(self) -> Sequence[str]:  # noqa: N802  likewise
        """The hosts of its HTTP API, which several providers may share; none where agents cannot write by it."""
        ...

    def body(self, content: Any) -> bytes:
        """Return the body of a delivery; a text is sent as it stands. Raises: PayloadUnreadable."""
        ...

    def sign(self, key: str, url: str, body: bytes, given: Mapping[str, str]) -> dict[str, str]:
        """Return the headers that sign a delivery. `url`: the public address; `given`: its other headers."""
        ...

    def answer(self, request: ApiRequest) -> ApiAnswer | None:
        """Return what its API answers, and the message that it took; `None` when the request is not for it."""
        ...

    def receipt(self, arrived: Arrived, says: Says) -> Any:
        """Return the content of the delivery that reports on a message it took. Raises: PayloadUnreadable."""
        ...


PROVIDERS: Mapping[str, Provider] = modules.by_name(__name__, __path__)
"""Every provider's file here, by name; nobody plays a channel without one."""


def provider_of(account: str) -> Provider:
    """Return who delivers to an account, `<channel>/<name>`. Raises: AccountUnknown."""
    provider = PROVIDERS.get(account.partition("/")[0])
    if provider is None:
        raise errors.AccountUnknown("nobody plays this channel", account=account)
    return provider
