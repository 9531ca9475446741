"""Ids that are the same however often and wherever they are computed.

An id is the lower-case base32 (RFC 4648, no padding) of the first 160 bits of a SHA-256 over its scope:
32 characters that fit a subject token.
The parts are length-prefixed, so that ("ab", "c") and ("a", "bc") never meet.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable

FORM = r"[a-z2-7]{32}"
"""What an id of ours looks like, as a pattern."""

DIGEST_BYTES = 20
"""160 bits: collisions stay improbable far beyond the events of one cell."""


def _framed(parts: tuple[str, ...]) -> bytes:
    encoded = [part.encode() for part in parts]
    return b"".join(len(part).to_bytes(4, "big") + part for part in encoded)


def _token(digest: bytes) -> str:
    return base64.b32encode(digest[:DIGEST_BYTES]).decode().lower()


def scoped_id(*scope: str) -> str:
    """Return the id of `scope`: 32 characters of `[a-z2-7]`."""
    return _token(hashlib.sha256(_framed(scope)).digest())


def contact_event_id(
    tenant: str, channel: str, account: str, provider_id: str, kind: str, k: int = 0
) -> str:
    """Return the id of the k-th contact event of a kind in a provider's delivery."""
    return scoped_id("contact", tenant, f"{channel}/{account}", provider_id, kind, str(k))


def decision_event_id(tenant: str, aggregate: str, command_id: str, k: int) -> str:
    """Return the id of the k-th event that a command writes to an aggregate."""
    return scoped_id("decision", tenant, aggregate, command_id, str(k))


def keyed_hash(key: bytes, kind: str, value: str) -> str:
    """Return the lookup token of a handle: HMAC-SHA256 under the tenant's lookup key, 32 characters.

    Without the key nobody can test whether a known phone number or address is in the ledger.
    """
    return _token(hmac.digest(key, _framed((kind, value)), hashlib.sha256))


def body_sha256(body: bytes) -> str:
    """Return the SHA-256 of a stored body as 64 hexadecimal digits."""
    return hashlib.sha256(body).hexdigest()


def pieces_sha256(pieces: Iterable[bytes]) -> str | None:
    """Return the SHA-256 of all pieces in a row, as `body_sha256`; `None` when they hold nothing."""
    digest, anything = hashlib.sha256(), False
    for piece in pieces:
        digest.update(piece)
        anything = anything or piece != b""
    return digest.hexdigest() if anything else None
