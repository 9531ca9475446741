"""Files of Viber, by the address in the message.

Source: developers.viber.com/docs/api/rest-bot-api, "Receive message from user", not looked up anew in 2026-11: `media`
is an address that is good for an hour.
"""

from services.ingest.domain.fetching import Asking, FileRequest, WantedFile
from services.ingest.domain.fetching import no_contents as contents

__all__ = ["HOSTS", "NAME", "contents", "fetch"]

NAME = "viber"
HOSTS = ("*.viber.com", "*.viber.io")


def fetch(wanted: WantedFile) -> Asking:
    """Ask for the file alone."""
    yield FileRequest(wanted.source)
