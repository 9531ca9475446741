"""The short-lived address of a file: whoever has it may read the file, and it says nothing of it. Pure."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime
from urllib.parse import quote

PURPOSE = b"tellonce: addresses of files"
PATH = "/files"
FALLBACK_NAME = "file"


def key_of(secret: str) -> bytes:
    """Return the key of a tenant's addresses, made of its lookup key: neither tells anything of the other."""
    return hmac.digest(secret.encode(), PURPOSE, hashlib.sha256)


def path_of(key: bytes, tenant: str, attachment_id: str, expires: datetime) -> str:
    """Return the path under which a file is served until an instant."""
    named = f"{attachment_id}.{int(expires.timestamp())}"
    return f"{PATH}/{tenant}/{named}.{_signature(key, tenant, named)}"


def attachment_in(key: bytes, tenant: str, ticket: str, now: datetime) -> str | None:
    """Return the attachment that the last part of a path names; `None` when it is forged or no longer good."""
    named, _, signature = ticket.rpartition(".")
    attachment_id, _, seconds = named.partition(".")
    if not hmac.compare_digest(signature.encode(), _signature(key, tenant, named).encode()):
        return None
    expires = datetime.fromtimestamp(int(seconds), UTC)
    return attachment_id if now < expires else None


def _signature(key: bytes, tenant: str, named: str) -> str:
    digest = hmac.digest(key, f"{tenant}/{named}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def saved_as(name: str | None) -> str:
    """Return under which name a browser saves a file: what is no name on some system is none of ours."""
    shown = "".join(
        "_" if each in '/\\"' or not each.isprintable() else each for each in name or ""
    )
    return shown.strip(" .") or FALLBACK_NAME


def disposition(name: str | None) -> str:
    """Return the header that has a browser save a file and never show it (RFC 6266, RFC 8187)."""
    return f"attachment; filename*=UTF-8''{quote(saved_as(name), safe='')}"
