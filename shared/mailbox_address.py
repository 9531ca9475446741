"""Where a mailbox is read, and how far: an address of the policy, and the mark that each delivery of it carries in RAW.

Sources, read 2026-11-29: RFC 9051, section 2.3.1.1 (UID and UIDVALIDITY), RFC 5092 (imap URLs).
"""

import ipaddress
import re
from dataclasses import dataclass
from datetime import date
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from shared import addresses

PORTS = {"imaps": 993, "imap": 143}
"""`imaps` is encrypted from the first byte; `imap` by STARTTLS, and not at all on the machine itself."""

_MARK = re.compile(
    r"imap:/(?P<folder>[^;]*);UIDVALIDITY=(?P<validity>\d{1,10})/;UID=(?P<uid>\d{1,10})\Z"
)


@dataclass(frozen=True, slots=True)
class MailboxAddress:
    """A folder of a mailbox. `since`: older mails are left alone where nothing was read yet."""

    host: str
    port: int
    encrypted: bool
    folder: str = "INBOX"
    since: date | None = None

    @property
    def here(self) -> bool:
        """Whether the server runs on this machine."""
        return is_here(self.host)


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a folder was read: the last mail's UID, and the validity under which it means something."""

    folder: str
    validity: int
    uid: int

    @property
    def url(self) -> str:
        """The mark as RAW keeps it, in the place of a request's path."""
        return f"imap:/{quote(self.folder, safe='')};UIDVALIDITY={self.validity}/;UID={self.uid}"


def is_here(host: str) -> bool:
    """Tell whether a host is this machine by its very name."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def mark(url: str) -> Mark | None:
    """Return the mark of a delivery; `None` for one that came through the door."""
    found = _MARK.match(url)
    if found is None:
        return None
    return Mark(unquote(found["folder"]), int(found["validity"]), int(found["uid"]))


def parse(written: str) -> MailboxAddress:
    """Return the address `imaps://host[:port][/folder][?since=YYYY-MM-DD]`. Raises: ValueError, which says why not."""
    split = urlsplit(written)
    if split.scheme not in PORTS or not split.hostname:
        raise ValueError("not imaps://host/folder")
    if split.username is not None or split.password is not None:
        raise ValueError("the user and the password are secrets, not part of the address")
    if not addresses.is_host(split.hostname):
        raise ValueError("the host is no name of a machine")
    options = dict(parse_qsl(split.query, strict_parsing=True)) if split.query else {}
    if options.keys() - {"since"}:
        raise ValueError("after ? only since=YYYY-MM-DD")
    return MailboxAddress(
        host=split.hostname,
        port=split.port or PORTS[split.scheme],
        encrypted=split.scheme == "imaps",
        folder=unquote(split.path.strip("/")) or "INBOX",
        since=date.fromisoformat(options["since"]) if "since" in options else None,
    )


def complaint(written: str) -> str | None:
    """Return what is wrong with an address; `None` when nothing is."""
    try:
        parse(written)
    except ValueError as error:
        return str(error)
    return None
