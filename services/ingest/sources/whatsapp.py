"""Media of the WhatsApp Cloud API, by media id.

Source: developers.facebook.com/docs/whatsapp/cloud-api/reference/media, read 2026-11-29: the address is good for five
minutes and wants the same token; an id is good for 30 days.
"""

from urllib.parse import quote

from services.ingest.domain.fetching import Asking, FileRequest, Unfetchable, WantedFile
from services.ingest.domain.fetching import no_contents as contents

__all__ = ["HOSTS", "NAME", "contents", "fetch"]

NAME = "whatsapp"
HOSTS = ("graph.facebook.com", "lookaside.fbsbx.com", "*.whatsapp.net", "*.fbcdn.net")
API = "https://graph.facebook.com/v21.0"


def fetch(wanted: WantedFile) -> Asking:
    """Ask for the address of the media; both want the token."""
    allowed = {"authorization": f"Bearer {wanted.secret('token')}"}
    if wanted.source.startswith("https://"):
        yield FileRequest(wanted.source, secret=allowed)
        return
    answer = yield FileRequest(
        f"{wanted.rules.api or API}/{quote(wanted.source, safe='')}", secret=allowed
    )
    url = answer.json.get("url")
    if not isinstance(url, str):
        raise Unfetchable("unreadable_answer", passing=True)
    yield FileRequest(url, secret=allowed)
