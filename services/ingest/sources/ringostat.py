"""Recordings of Ringostat's calls, by the address in the report: its parameter `token` is what opens it.

Source: addresses in published receivers of its webhooks and in the documentation of its list of calls, read 2026-11.
"""

from services.ingest.domain.fetching import Asking, FileRequest, WantedFile
from services.ingest.domain.fetching import no_contents as contents

__all__ = ["HOSTS", "NAME", "contents", "fetch"]

NAME = "ringostat"
HOSTS = ("app.ringostat.com", "*.ringostat.net")


def fetch(wanted: WantedFile) -> Asking:
    """Ask for the recording alone."""
    yield FileRequest(wanted.source)
