"""How a file that a provider keeps is asked for, and what is refused before anybody asks. Pure.

A source's address comes from outside: nobody may have us call inside our own network (OWASP, "Server Side Request
Forgery Prevention", read 2026-11). So a host has to stand in the source's table, and its name has to resolve to
addresses of the public internet.
"""

import base64
import fnmatch
import re
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any
from urllib.parse import urlsplit

import msgspec

from services.ingest.domain import file_address
from services.ingest.domain.delivery import RawDelivery, Secrets
from shared import codec, events
from shared.policy import Account

Networks = Sequence[IPv4Network | IPv6Network]

UNKNOWN_TYPE = "application/octet-stream"
MARKUP_TYPE = "text/html"
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}\Z")
ALLOCATED = IPv6Network("2000::/3")
"""All of IPv6 that is given to anybody on the public net (RFC 3513, section 4)."""
TRANSLATED = (IPv6Network("2002::/16"), IPv6Network("3fff::/20"))
"""What is in it and leads elsewhere: to an address of IPv4 (RFC 3056), or nowhere (RFC 9637)."""


class Unfetchable(Exception):
    """A file cannot be had. `reason`: a stable word; `passing`: it may be had later; `status`: HTTP's, if any."""

    def __init__(self, reason: str, *, passing: bool = False, status: int | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.passing = passing


@dataclass(frozen=True, slots=True)
class FileRequest:
    """A request. `secret`: header fields that are sent to the host of `url` alone, not to where it leads."""

    url: str
    secret: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class FileAnswer:
    """The answer to a request. `media_type`: as the server says, without parameters; empty when it does not."""

    body: bytes
    media_type: str = ""

    @property
    def json(self) -> dict[str, Any]:
        """The JSON object that was answered; empty when it is none."""
        try:
            found = msgspec.json.decode(self.body)
        except codec.UNREADABLE:
            return {}
        return found if isinstance(found, dict) else {}


Asking = Generator[FileRequest, FileAnswer, None]
"""What is asked one after another, each request with the answer to the one before; the last answer is the file."""


@dataclass(frozen=True, slots=True)
class WantedFile:
    """A file that its provider keeps. `source`: its id there or its address; `rules`, `secrets`: of the account."""

    source: str
    rules: Account
    secrets: Secrets

    def secret(self, name: str) -> str:
        """Return a secret of the account. Raises: Unfetchable."""
        if name not in self.secrets:
            raise Unfetchable("no_secret", passing=True)
        return self.secrets[name]


def basic(user: str, password: str) -> dict[str, str]:
    """Return the header field of HTTP basic authentication (RFC 7617)."""
    pair = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"authorization": f"Basic {pair}"}


def no_fetch(wanted: WantedFile) -> Asking:  # noqa: ARG001  the shape all sources share
    """Ask nobody: the provider keeps no files, it sends their bytes."""
    yield from ()
    raise Unfetchable("not_told")


def no_contents(raw: RawDelivery) -> Iterable[bytes]:  # noqa: ARG001  the shape all sources share
    """Return nothing: a delivery names files and holds none."""
    return ()


def is_named(host: str, patterns: Sequence[str]) -> bool:
    """Tell whether a host stands in a table of names such as `api.shop.example` and `*.shop.example`."""
    return any(fnmatch.fnmatchcase(host.lower().rstrip("."), pattern) for pattern in patterns)


def own_hosts(rules: Account) -> list[str]:
    """Return the hosts of the account's own addresses, which its operator has named."""
    named = (urlsplit(each or "").hostname for each in (rules.api, rules.ari, rules.recordings))
    return [host for host in named if host]


def may_be_called(
    address: IPv4Address | IPv6Address, trusted: Networks, *, encrypted: bool
) -> bool:
    """Tell whether a request may go to an address: a public one, by TLS, or one of an operator's own networks."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if any(address in network for network in trusted):
        return True
    hidden = isinstance(address, IPv6Address) and (
        address not in ALLOCATED or any(address in each for each in TRANSLATED)
    )
    return encrypted and address.is_global and not address.is_multicast and not hidden


def media_type_of(declared: str, answered: str) -> str:
    """Return under which type a file is kept: the declared one, unless it says nothing; checked by nobody.

    Raises: Unfetchable for a page where a file was announced: it is the provider's way to say something else.
    """
    declared, answered = declared.strip().lower(), answered.strip().lower()
    if answered == MARKUP_TYPE and declared != MARKUP_TYPE:
        raise Unfetchable("not_the_file", passing=True)
    for each in (declared, answered):
        if each != UNKNOWN_TYPE and _MEDIA_TYPE.match(each):
            return each
    return UNKNOWN_TYPE


def check_kind(file: events.AttachedFile, media_type: str, refused: Sequence[str]) -> None:
    """Check a file against patterns of types and of names, the one it is saved under. Raises: Unfetchable."""
    given = (file.name or "").strip().rstrip(".").lower()
    saved, kind = file_address.saved_as(given), media_type.partition(";")[0].strip()
    for pattern in refused:
        meant = [kind] if "/" in pattern else [given, saved]
        if any(fnmatch.fnmatchcase(each, pattern.lower()) for each in meant):
            raise Unfetchable("kind_refused")
