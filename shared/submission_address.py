"""Where an account's answers leave: the address of its mail server in the policy.

Sources, read 2026-11: RFC 8314, section 3.3 (submission by TLS on port 465), RFC 6409 (submission on port 587).
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

from shared import addresses, mailbox_address

PORTS = {"smtps": 465, "smtp": 587}
"""`smtps` is encrypted from the first byte; `smtp` by STARTTLS, and not at all on the machine itself."""


@dataclass(frozen=True, slots=True)
class SubmissionAddress:
    """A mail server that takes mails from whoever logs in."""

    host: str
    port: int
    encrypted: bool

    @property
    def here(self) -> bool:
        """Whether the server runs on this machine."""
        return mailbox_address.is_here(self.host)


def parse(written: str) -> SubmissionAddress:
    """Return the address `smtps://host[:port]` or `smtp://host[:port]`. Raises: ValueError, which says why not."""
    split = urlsplit(written)
    if split.scheme not in PORTS or not split.hostname or split.path.strip("/") or split.query:
        raise ValueError("not smtps://host or smtp://host")
    if split.username is not None or split.password is not None:
        raise ValueError("the user and the password are secrets, not part of the address")
    if not addresses.is_host(split.hostname):
        raise ValueError("the host is no name of a machine")
    port = split.port or PORTS[split.scheme]
    return SubmissionAddress(split.hostname, port, encrypted=split.scheme == "smtps")


def complaint(written: str) -> str | None:
    """Return what is wrong with an address; `None` when nothing is."""
    try:
        parse(written)
    except ValueError as error:
        return str(error)
    return None
