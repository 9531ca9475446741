"""Recordings of an Asterisk exchange: ARI's by their name there, MixMonitor's by their path in its file system.

Source: docs.asterisk.org, "Recordings REST API", read 2026-11-29: `GET /recordings/stored/{recordingName}/file`, with
HTTP basic authentication. What MixMonitor writes nobody gives out unless a web server does: the account's `recordings`.
"""

from collections.abc import Sequence
from urllib.parse import quote

from services.ingest.domain.fetching import Asking, FileRequest, Unfetchable, WantedFile, basic
from services.ingest.domain.fetching import no_contents as contents
from shared import exchange_address

__all__ = ["HOSTS", "NAME", "contents", "fetch"]

NAME = "asterisk"
HOSTS: Sequence[str] = ()
"""The account's own `api`, `ari` and `recordings` alone, such as http://pbx.shop.example:8088/ari."""
MONITORED = "/var/spool/asterisk/monitor/"
"""Where MixMonitor writes, unless it was given a path: `recordings` gives out what lies below it (from memory)."""


def fetch(wanted: WantedFile) -> Asking:
    """Ask the exchange for the recording, or the web server beside it."""
    if wanted.source.startswith("/") or (wanted.rules.recordings is not None and not _ari(wanted)):
        yield FileRequest(_beside(wanted), secret=_allowed(wanted, "recordings"))
        return
    base = _ari(wanted)
    if base is None:
        raise Unfetchable("not_given_out")
    yield FileRequest(
        f"{base}/recordings/stored/{_path(wanted.source)}/file", secret=_allowed(wanted, "ari")
    )


def _ari(wanted: WantedFile) -> str | None:
    rules = wanted.rules
    return rules.api or (exchange_address.ari(rules.ari).base if rules.ari else None)


def _beside(wanted: WantedFile) -> str:
    """Return where a file is given out. Raises: Unfetchable where none is."""
    base, name = wanted.rules.recordings, wanted.source.removeprefix(MONITORED)
    if base is None:
        raise Unfetchable("not_given_out")
    return f"{base.rstrip('/')}/{_path(name.lstrip('/'))}"


def _path(name: str) -> str:
    """Return a name as a part of an address. Raises: Unfetchable for one that leads elsewhere."""
    if not {"", ".", ".."}.isdisjoint(name.split("/")):
        raise Unfetchable("not_given_out")
    return quote(name, safe="/")


def _allowed(wanted: WantedFile, kind: str) -> dict[str, str]:
    """Return the authentication that an address wants; a web server beside the exchange may want none."""
    user, password = f"{kind}_user", f"{kind}_password"
    if kind == "recordings" and user not in wanted.secrets:
        return {}
    return basic(wanted.secret(user), wanted.secret(password))
