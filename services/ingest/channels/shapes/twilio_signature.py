"""The signature of Twilio's webhooks, for calls and for messages.

Source, read 2026-11: www.twilio.com/docs/usage/webhooks/webhooks-security.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterator, Sequence
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from services.ingest.domain import delivery
from shared import errors

FIELDS_MAX = 200
"""More parameters than the provider ever sends."""
HEADER = "x-twilio-signature"

_DEFAULT_PORTS = {"https": 443, "http": 80}

Pairs = Sequence[tuple[str, str]]
"""Parameters in order, as (name, value)."""


def verify(request: delivery.WebRequest, secret: str, public_url: str) -> None:
    """Check X-Twilio-Signature over the public address as called and the body's parameters.

    The provider signs with the port or without it, whatever stands in the address, so both are tried.
    Raises: SignatureInvalid.
    """
    given = (request.header(HEADER) or "").encode(errors="replace")
    parameters = _signed_parameters(request)
    urls = [each + request.url for each in with_ports(public_url.rstrip("/"))]
    expected = [signature(secret, each, parameters).encode() for each in urls]
    if not any(hmac.compare_digest(given, each) for each in expected):
        raise errors.SignatureInvalid


def signature(secret: str, url: str, parameters: Pairs) -> str:
    """Return base64 of HMAC-SHA1 over the address and the sorted parameters, each name before its value.

    Of a repeated parameter each different value counts once, in order.
    """
    signed = url + "".join(name + value for name, value in sorted(set(parameters)))
    digest = hmac.digest(secret.encode(), signed.encode(errors="replace"), hashlib.sha1)
    return base64.b64encode(digest).decode()


def _signed_parameters(request: delivery.WebRequest) -> Pairs:
    """The body's parameters; none when the address carries `bodySHA256` and the body has this hash."""
    query = pairs(request.url.partition("?")[2].encode())
    claimed = next((value for name, value in query if name == "bodySHA256"), None)
    if claimed is None:
        return pairs(request.body)
    actual = hashlib.sha256(request.body).hexdigest()
    if not hmac.compare_digest(claimed.lower().encode(errors="replace"), actual.encode()):
        raise errors.SignatureInvalid
    return []


def pairs(encoded: bytes) -> Pairs:
    """Return urlencoded parameters. Raises: SignatureInvalid when there are more than FIELDS_MAX."""
    try:
        return parse_qsl(
            encoded.decode("latin-1"), keep_blank_values=True, max_num_fields=FIELDS_MAX
        )
    except ValueError:
        raise errors.SignatureInvalid from None


def with_ports(url: str) -> Iterator[str]:
    """Give an address of ours as it stands, then with its port left out or put in."""
    yield url
    parts = urlsplit(url)
    host = parts.netloc.rpartition(":")[0] if parts.port else parts.netloc
    port = "" if parts.port else f":{_DEFAULT_PORTS.get(parts.scheme, 443)}"
    yield urlunsplit(parts._replace(netloc=host + port))
