"""Where a telephone exchange is listened to: addresses of the policy, for AMI and for ARI.

Ports and paths are the usual ones, from memory, tried with a real exchange in 2026-11 (docs/adr/0049).
"""

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, urlsplit

from shared import addresses, mailbox_address

AMI_PORTS = {"tls": 5039, "tcp": 5038}
ARI_PORTS = {"https": 8089, "http": 8088}
APPLICATION = "tellonce"
_APPLICATION = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")


@dataclass(frozen=True, slots=True)
class ExchangeAddress:
    """`path`: of ARI, without a slash at its end; `application`: the one of ARI whose events are asked for."""

    host: str
    port: int
    encrypted: bool
    path: str = ""
    application: str = ""

    @property
    def base(self) -> str:
        """The base of ARI's addresses."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http{'s' if self.encrypted else ''}://{host}:{self.port}{self.path}"


def ami(written: str) -> ExchangeAddress:
    """Return the address `tls://host[:port]` or `tcp://host[:port]`. Raises: ValueError, which says why not.

    Over `tcp` a password is only proved, never sent.
    """
    split = urlsplit(written)
    if split.scheme not in AMI_PORTS or not split.hostname:
        raise ValueError("not tls://host:port or tcp://host:port")
    if split.path.strip("/") or split.query or split.fragment:
        raise ValueError("nothing stands behind the port")
    _refuse(split)
    port = split.port or AMI_PORTS[split.scheme]
    return ExchangeAddress(split.hostname, port, encrypted=split.scheme == "tls")


def ari(written: str) -> ExchangeAddress:
    """Return the address `https://host[:port][/path][?app=name]`. Raises: ValueError, which says why not.

    The path is `/ari`, the application `tellonce`, unless it says otherwise. `http` is for this machine alone: the
    password goes with every request.
    """
    split = urlsplit(written)
    if split.scheme not in ARI_PORTS or not split.hostname:
        raise ValueError("not https://host:port/ari")
    _refuse(split)
    options = dict(parse_qsl(split.query, strict_parsing=True)) if split.query else {}
    application = options.pop("app", APPLICATION)
    if options or split.fragment or not _APPLICATION.match(application):
        raise ValueError("after ? only app=name")
    encrypted = split.scheme == "https"
    if not encrypted and not mailbox_address.is_here(split.hostname):
        raise ValueError("http is for this machine alone: https")
    return ExchangeAddress(
        split.hostname,
        split.port or ARI_PORTS[split.scheme],
        encrypted,
        path=split.path.rstrip("/") or "/ari",
        application=application,
    )


def complaint(ami_written: str | None, ari_written: str | None) -> str | None:
    """Return what is wrong with an account's addresses; `None` when nothing is."""
    if ami_written is not None and ari_written is not None:
        return "ami or ari: both tell the same calls"
    try:
        if ami_written is not None:
            ami(ami_written)
        if ari_written is not None:
            ari(ari_written)
    except ValueError as error:
        return f"{'ami' if ari_written is None else 'ari'}: {error}"
    return None


def _refuse(split: SplitResult) -> None:
    if not addresses.is_host(split.hostname or ""):
        raise ValueError("the host is no name of a machine")
    if split.username is not None or split.password is not None:
        raise ValueError("the user and the password are secrets, not part of the address")
