"""Files of the Telegram Bot API, by `file_id`.

Source: core.telegram.org/bots/api, "getFile", read 2026-11-29. An address is good for an hour at
least; files of more than 20 MB are not given.
"""

from urllib.parse import quote

from services.ingest.domain.fetching import Asking, FileRequest, Unfetchable, WantedFile
from services.ingest.domain.fetching import no_contents as contents

__all__ = ["HOSTS", "NAME", "contents", "fetch"]

NAME = "telegram"
HOSTS = ("api.telegram.org",)
API = "https://api.telegram.org"


def fetch(wanted: WantedFile) -> Asking:
    """Ask for the path of the file, which is below the bot's own address."""
    api, token = wanted.rules.api or API, quote(wanted.secret("token"), safe=":")
    answer = yield FileRequest(f"{api}/bot{token}/getFile?file_id={quote(wanted.source, safe='')}")
    found = answer.json.get("result")
    path = found.get("file_path") if isinstance(found, dict) else None
    if not isinstance(path, str):
        raise Unfetchable("unreadable_answer", passing=True)
    yield FileRequest(f"{api}/file/bot{token}/{quote(path)}")
