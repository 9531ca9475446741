"""Files of Messenger and Instagram, by the address in the message.

Source: developers.facebook.com/docs/messenger-platform/reference/webhook-events/messages, not looked up anew in
2026-11: the address is signed, needs no token and runs out.
"""

from services.ingest.domain.fetching import Asking, FileRequest, WantedFile
from services.ingest.domain.fetching import no_contents as contents

__all__ = ["HOSTS", "NAME", "contents", "fetch"]

NAME = "messenger"
HOSTS = ("*.fbcdn.net", "*.fbsbx.com", "*.cdninstagram.com", "*.facebook.com")


def fetch(wanted: WantedFile) -> Asking:
    """Ask for the file alone."""
    yield FileRequest(wanted.source)
