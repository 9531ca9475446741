"""Ids that are the same however often and wherever they are computed.

An id is the lower-case base32 (RFC 4648, no padding) of the first 160 bits of a SHA-256 over its scope:
32 characters that fit a subject token.
The parts are length-prefixed, so that ("ab", "c") and ("a", "bc") never meet.
"""

import hashlib
import hmac
import struct
from collections.abc import Iterable

FORM = r"[a-z2-7]{32}"
"""What an id of ours looks like, as a pattern."""

DIGEST_BYTES = 20
"""160 bits: collisions stay improbable far beyond the events of one cell."""


def _framed(parts: tuple[str, ...]) -> bytes:
    framed: list[bytes] = []
    for part in parts:
        encoded = part.encode()
        framed += (_length(len(encoded)), encoded)
    return b"".join(framed)


_length = struct.Struct(">I").pack
_alphabet = bytes(b"abcdefghijklmnopqrstuvwxyz234567"[byte % 32] for byte in range(256))


def _halving(bits: int) -> tuple[int, int, int]:
    """Return masks of the upper and the lower halves of groups of `bits`, and how far the halves part."""
    half, slot = bits // 2, bits // 5 * 8
    lower = sum(((1 << half) - 1) << at for at in range(0, 256, slot))
    return lower << half, lower, slot // 2 - half


_HALVINGS = [_halving(bits) for bits in (160, 80, 40, 20, 10)]


def _token(digest: bytes) -> str:
    """Return the id of a digest: its groups of bits part until five are left of each, in a byte of their own.

    A third of what `base64.b32encode` takes, which goes through them in Python one by one.
    """
    bits = int.from_bytes(digest[:DIGEST_BYTES], "big")
    for upper, lower, apart in _HALVINGS:
        bits = (bits & upper) << apart | bits & lower
    return bits.to_bytes(32, "big").translate(_alphabet).decode()


def scoped_id(*scope: str) -> str:
    """Return the id of `scope`: 32 characters of `[a-z2-7]`."""
    return _token(hashlib.sha256(_framed(scope)).digest())


def share(*scope: str) -> float:
    """Return a number from 0 to below 1 for `scope`, as if drawn by lot, and the same whenever it is asked for."""
    drawn = hashlib.sha256(_framed(scope)).digest()[:8]
    return (int.from_bytes(drawn, "big") >> 11) / 2**53


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
