"""Recordings of an Asterisk exchange, by their name there.

Source: docs.asterisk.org, "Recordings REST API", read 2026-11-29: `GET /recordings/stored/{recordingName}/file`, with
HTTP basic authentication. What MixMonitor writes lies in the exchange's file system, which nobody gives out.
"""

from collections.abc import Sequence
from urllib.parse import quote

from services.ingest.domain.fetching import Asking, FileRequest, Unfetchable, WantedFile, basic
from services.ingest.domain.fetching import no_contents as contents

__all__ = ["HOSTS", "NAME", "contents", "fetch"]

NAME = "asterisk"
HOSTS: Sequence[str] = ()
"""The account's own `api` alone, such as http://pbx.shop.example:8088/ari."""


def fetch(wanted: WantedFile) -> Asking:
    """Ask the exchange for the recording."""
    steps = wanted.source.split("/")
    if wanted.rules.api is None or not {"", ".", ".."}.isdisjoint(steps):
        raise Unfetchable("not_given_out")
    allowed = basic(wanted.secret("ari_user"), wanted.secret("ari_password"))
    name = quote(wanted.source, safe="/")
    yield FileRequest(f"{wanted.rules.api}/recordings/stored/{name}/file", secret=allowed)
