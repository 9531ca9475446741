"""OAuth 2.0 for mailboxes: where a provider gives out access tokens, and what its answer means. Pure.

Sources, read 2026-11: Google's "OAuth 2.0 Mechanism" for IMAP (XOAUTH2); from memory: RFC 6749, sections 5.1, 5.2 and
6, and the addresses of Google's and Microsoft's token endpoints. A refresh without `scope` asks for what was granted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

import msgspec

from shared import addresses, codec, errors

PROVIDERS: Mapping[str, str] = {
    "google": "https://oauth2.googleapis.com/token",
    "microsoft": "https://login.microsoftonline.com/common/oauth2/v2.0/token",
}
"""By the name that the policy uses; another provider is named by the address itself."""

ENDED = "invalid_grant"
LASTS_SECONDS = 3_600
"""How long a token is good where nobody says so."""
LASTS_MAX_SECONDS = 86_400
WORD_MAX_CHARACTERS = 64


@dataclass(frozen=True, slots=True)
class Grant:
    """What a provider gave. `refresh_token`: the one that takes the place of ours, where it gave another."""

    access_token: str = field(repr=False)
    lasts_seconds: int
    refresh_token: str | None = field(repr=False)


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    access_token: str | None = None
    expires_in: int | None = None
    refresh_token: str | None = None
    error: str | None = None


def complaint(oauth: str) -> str | None:
    """Return what is wrong with a policy's `oauth`; `None` when nothing is."""
    if oauth in PROVIDERS:
        return None
    parts = urlsplit(oauth) if addresses.is_web_url(oauth) else None
    if parts is None or parts.username is not None:
        return f"neither {', '.join(PROVIDERS)} nor the https address of a token endpoint"
    if parts.scheme != "https" and not addresses.is_loopback(parts.hostname or ""):
        return "a token endpoint is reached by https"
    return None


def endpoint(oauth: str) -> str:
    """Return where tokens are asked for."""
    return PROVIDERS.get(oauth, oauth)


def body(client_id: str, client_secret: str | None, refresh_token: str) -> bytes:
    """Return the request; a public client has no secret."""
    fields = {
        "grant_type": "refresh_token",
        "client_id": client_id,
        "refresh_token": refresh_token,
    }
    if client_secret:
        fields["client_secret"] = client_secret
    return urlencode(fields).encode()


def read(status: int, answer: bytes) -> Grant:
    """Return what was given.

    Raises: ProviderGrantEnded when the refresh token is no longer good, ProviderRefused for what else the provider
    does not like, ProviderUnavailable for what is none of these answers.
    """
    try:
        said = msgspec.json.decode(answer, type=_Answer, strict=False)
    except (*codec.UNREADABLE, msgspec.ValidationError) as error:
        raise errors.ProviderUnavailable(cause=f"http_{status}") from error
    if status == 200 and said.access_token and said.access_token.isprintable():
        lasts = said.expires_in if said.expires_in is not None else LASTS_SECONDS
        return Grant(said.access_token, min(max(lasts, 0), LASTS_MAX_SECONDS), said.refresh_token)
    known = said.error and said.error.isidentifier() and len(said.error) <= WORD_MAX_CHARACTERS
    word = said.error if said.error and known else f"http_{status}"
    if word == ENDED:
        raise errors.ProviderGrantEnded(cause=word)
    if status in {400, 401, 403}:
        raise errors.ProviderRefused(cause=word)
    raise errors.ProviderUnavailable(cause=word)
