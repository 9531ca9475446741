"""Files of Smartsupp, by the address in the message.

No document says where they are kept: fetched is what lies with Smartsupp itself, by names from memory.
"""

from services.ingest.domain.fetching import Asking, FileRequest, WantedFile
from services.ingest.domain.fetching import no_contents as contents

__all__ = ["HOSTS", "NAME", "contents", "fetch"]

NAME = "smartsupp"
HOSTS = ("*.smartsupp.com", "*.smartsuppcdn.com", "*.smartsuppchat.com")


def fetch(wanted: WantedFile) -> Asking:
    """Ask for the file alone."""
    yield FileRequest(wanted.source)
