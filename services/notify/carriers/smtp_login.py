"""What is said to an account's mail server that is opened by access tokens.

Sources, read 2026-11: Google's "XOAUTH2 protocol"; from memory: RFC 7628 (OAUTHBEARER), RFC 4954 (AUTH). What is wrong
with a token the server says in a challenge, which is answered before it refuses.
"""

import base64
from collections.abc import Mapping, Sequence

from services.notify.carriers import NotTaken
from services.notify.channels.email import OwnServer
from services.notify.domain.messages import Unsendable
from shared import errors
from shared.access_tokens import AccessTokens

TRIES = 2
"""A token that a server does not take may have been revoked: the next one is asked for anew."""
TAKEN, CHALLENGE = 235, 334
HEARD: Mapping[bytes, bytes] = {b"XOAUTH2": b"", b"OAUTHBEARER": b"AQ=="}
"""The answer to a challenge, encoded."""
REASONS: Mapping[type[errors.TellonceError], str] = {
    errors.ProviderGrantEnded: "grant_ended",
    errors.ProviderRefused: "token_refused",
}
"""What ends a message: a person has to do something about it first."""


class TokenLogin:
    """One account's login at its server."""

    def __init__(self, by: OwnServer, tokens: AccessTokens) -> None:
        self._by = by
        self._tokens = tokens

    async def words(self, offered: Sequence[str]) -> tuple[bytes, bytes]:
        """Return a mechanism and its first response. `offered`: what the server takes, in small letters.

        Raises: NotTaken while no token can be had, Unsendable with `grant_ended` or `token_refused`.
        """
        try:
            token = await self._tokens.token()
        except errors.ProviderUnavailable as error:
            raise NotTaken() from error
        except (errors.ProviderGrantEnded, errors.ProviderRefused) as error:
            raise Unsendable(REASONS[type(error)]) from error
        if "oauthbearer" in offered and "xoauth2" not in offered:
            name = self._by.user.replace("=", "=3D").replace(",", "=2C")
            return b"OAUTHBEARER", _encoded(f"n,a={name},\x01auth=Bearer {token}\x01\x01")
        return b"XOAUTH2", _encoded(f"user={self._by.user}\x01auth=Bearer {token}\x01\x01")

    def forget(self) -> None:
        """The server has not taken the token."""
        self._tokens.forget()


class TokenLogins:
    """The logins of all accounts: each keeps its token from mail to mail."""

    def __init__(self, gateway: str) -> None:
        self._gateway = gateway
        self._tokens: dict[tuple[str, str, str], AccessTokens] = {}

    def of(self, by: OwnServer) -> TokenLogin | None:
        """Return how a server is opened; `None`: by its password."""
        if by.oauth is None:
            return None
        known = (by.oauth, by.secrets["client_id"], by.secrets["refresh_token"])
        if known not in self._tokens:
            self._tokens[known] = AccessTokens(by.oauth, by.secrets, self._gateway)
        return TokenLogin(by, self._tokens[known])


def _encoded(said: str) -> bytes:
    return base64.b64encode(said.encode())
