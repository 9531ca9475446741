"""Recordings of Zadarma's calls, by the id in the notification: its API gives an address for some minutes.

Sources, read 2026-11: zadarma.com/en/support/api, "Authorization", "/v1/pbx/record/request/". That the signature is
base64 of hexadecimal text, and on which host the recording lies: programs that others have published.
"""

import base64
import hashlib
import hmac
from urllib.parse import urlencode

from services.ingest.domain.fetching import Asking, FileRequest, Unfetchable, WantedFile
from services.ingest.domain.fetching import no_contents as contents

__all__ = ["HOSTS", "NAME", "contents", "fetch"]

NAME = "zadarma"
HOSTS = ("api.zadarma.com", "*.zadarma.com")
API = "https://api.zadarma.com"
METHOD = "/v1/pbx/record/request/"


def fetch(wanted: WantedFile) -> Asking:
    """Ask for the address of the recording, with the key that signs notifications, then for the recording."""
    query = urlencode(sorted({"call_id": wanted.source, "format": "json"}.items()))
    signature = _signature(wanted.secret("signing"), query)
    secret = {"authorization": f"{wanted.secret('user_key')}:{signature}"}
    answer = yield FileRequest(f"{wanted.rules.api or API}{METHOD}?{query}", secret)
    link = answer.json.get("link")
    if not isinstance(link, str):
        raise Unfetchable("unreadable_answer", passing=True)
    yield FileRequest(link)


def _signature(secret: str, query: str) -> str:
    """Return base64 of the hexadecimal HMAC-SHA1 over method, parameters, and their MD5, as the provider has it."""
    signed = METHOD + query + hashlib.md5(query.encode(), usedforsecurity=False).hexdigest()
    digest = hmac.new(secret.encode(), signed.encode(), hashlib.sha1).hexdigest()
    return base64.b64encode(digest.encode()).decode()
