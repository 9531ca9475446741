"""Access tokens of one mailbox: asked for with its refresh token, and used until shortly before they end.

Ingest reads the mailbox with them, notify sends from it.
"""

import asyncio
import ssl
import time
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import httpcore

from shared import addresses, errors, oauth

EARLY_SECONDS = 120.0
"""So long before its end a token is not used any more: the login that it is for takes time. Of one that lasts for less
than the double of it, the first half is used."""
REFUSED_SECONDS = 900.0
"""A provider that refused is not asked again before: whoever has to do something about it is a person."""
TIMEOUT_SECONDS = 15.0
ANSWER_MAX_BYTES = 65_536


class AccessTokens:
    """The tokens of a mailbox, whose secrets are given by `client_id`, `client_secret` and `refresh_token`.

    `provider`: as the policy's `oauth` says; `gateway`: see `addresses.through`.
    """

    def __init__(
        self,
        provider: str,
        secrets: Mapping[str, str],
        gateway: str = "",
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = addresses.through(gateway, oauth.endpoint(provider))
        self._client_id = secrets["client_id"]
        self._client_secret = secrets.get("client_secret")
        self._refresh_token = secrets["refresh_token"]
        self._now = now
        self._token, self._good_until = "", 0.0
        self._refusal: errors.TellonceError | None = None
        self._refused_until = 0.0
        self._turn = asyncio.Lock()

    async def token(self) -> str:
        """Return a token that is good for a while. Raises: ProviderGrantEnded, ProviderRefused, ProviderUnavailable."""
        async with self._turn:
            if self._now() < self._good_until:
                return self._token
            if self._refusal is not None and self._now() < self._refused_until:
                raise self._refusal
            try:
                given = await self._asked()
            except (errors.ProviderGrantEnded, errors.ProviderRefused) as refusal:
                self._refusal, self._refused_until = refusal, self._now() + REFUSED_SECONDS
                raise
            self._refresh_token = given.refresh_token or self._refresh_token
            self._token = given.access_token
            early = min(EARLY_SECONDS, given.lasts_seconds / 2)
            self._good_until = self._now() + given.lasts_seconds - early
            return self._token

    def forget(self) -> None:
        """The mailbox did not take the token: the next one is asked for."""
        self._good_until = 0.0

    async def _asked(self) -> oauth.Grant:
        request = oauth.body(self._client_id, self._client_secret, self._refresh_token)
        headers = {
            "host": urlsplit(self._url).netloc,
            "content-type": "application/x-www-form-urlencoded",
            "accept": "application/json",
        }
        try:
            async with (
                asyncio.timeout(TIMEOUT_SECONDS),
                httpcore.AsyncConnectionPool(ssl_context=ssl.create_default_context()) as pool,
                pool.stream(
                    "POST", self._url, headers=[*headers.items()], content=request
                ) as response,
            ):
                answer = bytearray()
                async for piece in response.aiter_stream():
                    answer += piece
                    if len(answer) > ANSWER_MAX_BYTES:
                        break
                return oauth.read(response.status, bytes(answer))
        except (
            httpcore.NetworkError,
            httpcore.TimeoutException,
            httpcore.ProtocolError,
            OSError,  # TimeoutError is one
        ) as error:
            raise errors.ProviderUnavailable(cause=type(error).__name__) from error
