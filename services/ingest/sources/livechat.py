"""Files of LiveChat, by the address in the event.

Source: platform.text.com/docs/agent-chat-api/data-structures, "File", read 2026-11: the address must be of LiveChat's
own delivery network; that it is `cdn.livechat-files.com` is from addresses that customers of theirs published.
"""

from services.ingest.domain.fetching import Asking, FileRequest, WantedFile
from services.ingest.domain.fetching import no_contents as contents

__all__ = ["HOSTS", "NAME", "contents", "fetch"]

NAME = "livechat"
HOSTS = ("*.livechat-files.com", "*.livechatinc.com", "*.text.com")


def fetch(wanted: WantedFile) -> Asking:
    """Ask for the file alone."""
    yield FileRequest(wanted.source)
