"""Ringostat's list of calls, by its API.

Sources, read 2026-11: help.ringostat.com, "Ringostat API. Export of the call log" (`/calls/list` by GET, the header
`Auth-key`, at most 6,500 calls in an answer; without `from` the last 24 hours, without `to` until now); the
documentation's example answers (`calldate`, `order`). In which zone `from` is read no page says. So it is never made
from our clock: it is the moment of a call that the list itself has told, and as that, by the provider's clock.
"""

from datetime import datetime, timedelta
from urllib.parse import urlencode

import msgspec

from services.ingest.domain import list_marks, loose
from services.ingest.domain.delivery import Secrets
from services.ingest.domain.fetching import FileRequest
from services.ingest.domain.list_marks import ListMark
from services.ingest.lists import Entry, Page
from shared import codec, ids
from shared.policy import Account

NAME = "ringostat"
HOSTS = ("api.ringostat.net",)
SECRETS = ("api_key",)
API = "https://api.ringostat.net"

OVERLAP = timedelta(hours=6)
"""An entry stands under the moment at which its call began, and changes until long after: a call ends, a recording
comes. An hour of it is the clock's, which twice a year goes another way."""
CALLS_MAX = 6_500
FIELDS = (
    *("uniqueid", "calldate", "caller", "dst", "call_type", "disposition", "duration", "billsec"),
    *("waittime", "connected_with", "employee_fio", "recording", "recording_wav", "has_recording"),
    *("utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term", "landing"),
)


def ask(rules: Account, secrets: Secrets, since: datetime | None) -> FileRequest:
    """Ask for the calls from a moment on, the oldest first."""
    asked = {"export_type": "json", "order": "calldate asc", "fields": ",".join(FIELDS)}
    if since is not None:
        asked["from"] = since.strftime("%Y-%m-%d %H:%M:%S")
    secret = {"auth-key": secrets["api_key"]}
    return FileRequest(f"{rules.api or API}/calls/list?{urlencode(asked)}", secret)


def read(body: bytes) -> Page | None:
    """Return the calls of an answer; a full one has a rest, from its last call on."""
    try:
        found = loose.read(body)
    except codec.UNREADABLE:
        return None
    if not isinstance(found, list):
        return None
    entries = [_entry(each) for each in found]
    last = entries[-1].mark.moment if len(entries) >= CALLS_MAX else ""
    return Page(entries, list_marks.by_its_clock(last))


def _entry(call: object) -> Entry:
    body = msgspec.json.encode(call)
    said = loose.table(call)
    key = loose.identity(said.get("uniqueid")) or ids.body_sha256(body)
    return Entry(ListMark(key, loose.text(said.get("calldate"))[: loose.ID_MAX_CHARACTERS]), body)
