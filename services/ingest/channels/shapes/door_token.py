"""A secret that stands in the address of a door, for providers that sign nothing.

It is the parameter `token`; or, where the provider takes one, the password of an address `https://any:<secret>@…`.
RAW keeps neither. A provider that calls back at an address of our choosing is given the one that it called.
"""

import base64
import binascii
import hmac
from urllib.parse import parse_qsl, quote

from services.ingest.domain import delivery
from shared import errors

PARAMETER = "token"
AUTHORIZATION = "authorization"
BASIC = "basic "
FIELDS_MAX = 200
"""More parameters than an address ever has."""


def verify(request: delivery.WebRequest, secret: str, header: str = "") -> None:
    """Check that a request has the secret. `header`: where it may stand as well. Raises: SignatureInvalid."""
    given = [
        parameters(request.url).get(PARAMETER, ""),
        _basic(request)[1],
        (request.header(header) or "") if header else "",
    ]
    fitting = [
        hmac.compare_digest(each.encode(errors="replace"), secret.encode()) for each in given
    ]
    if True not in fitting:
        raise errors.SignatureInvalid


def parameters(url: str) -> dict[str, str]:
    """Return the parameters of an address, of a repeated one the first; none when there are too many."""
    query = url.partition("?")[2]
    try:
        found = parse_qsl(query, keep_blank_values=True, max_num_fields=FIELDS_MAX)
    except ValueError:
        return {}
    return dict(reversed(found))


def called(request: delivery.WebRequest) -> str | None:
    """Return the whole address as the provider has called it, with the secret; `None` when it names no host."""
    host = request.header("host")
    if not host:
        return None
    user, password = _basic(request)
    before = f"{quote(user, safe='')}:{quote(password, safe='')}@" if password else ""
    return f"https://{before}{host}{request.url}"


def _basic(request: delivery.WebRequest) -> tuple[str, str]:
    """Return user and password of HTTP basic authentication (RFC 7617); empty where there is none."""
    written = request.header(AUTHORIZATION) or ""
    if not written.lower().startswith(BASIC):
        return "", ""
    try:
        pair = base64.b64decode(written[len(BASIC) :], validate=True).decode()
    except (binascii.Error, ValueError):
        return "", ""
    user, _, password = pair.partition(":")
    return user, password
