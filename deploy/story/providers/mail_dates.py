"""When a mail says that it was sent, as programs write it (RFC 5322, section 3.3, and what strays from it).

A zone's name or an offset with a colon is read as what it says: the standard reader takes the time for UTC's then.
Of kinds in mikel/mail#1078, nodemailer/mailparser#304 and stalwartlabs/mail-parser#89, read 2026-11.
"""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

HOURS = {
    "WET": 0,
    "WEST": 1,
    "BST": 1,
    "CET": 1,
    "MET": 1,
    "MEZ": 1,
    "CEST": 2,
    "CEDT": 2,
    "MEST": 2,
    "MESZ": 2,
    "EET": 2,
    "EEST": 3,
    "MSK": 3,
    "JST": 9,
    "KST": 9,
    "AEST": 10,
    "AEDT": 11,
}
"""Names that mean one zone only -> its hours before UTC; the standard reader knows those of RFC 822."""

_ASIDE = re.compile(r"\([^()]*\)|[\"']")
_DAY = re.compile(r"(\d{1,2})-([A-Za-z]{3})-(\d{4})")
_OFFSET = re.compile(r"(:\d\d)\s*(?:GMT|UTC?)?\s*([+-])(\d{1,2})(?::?(\d\d))?\Z", re.IGNORECASE)
_COLON = re.compile(r"(?<=\d)\s{0,9}:\s{0,9}(?=\d)")
_NAME = re.compile(r"(:\d\d)\s*([A-Za-z]{3,4})\Z")


def read(field: str) -> datetime | None:
    """Return the instant that a Date field names, in UTC; `None` for what is none. Without a zone it is UTC's."""
    plain = _COLON.sub(":", _DAY.sub(r"\1 \2 \3", _ASIDE.sub("", field))).strip()
    plain = _OFFSET.sub(lambda each: f"{each[1]} {each[2]}{each[3]:0>2}{each[4] or '00'}", plain)
    plain = _NAME.sub(lambda each: f"{each[1]} {_offset(each[2])}", plain)
    for reader in (parsedate_to_datetime, _iso):
        try:
            time = reader(plain)
            return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
        except (ValueError, OverflowError, TypeError, LookupError):
            continue
    return None


def _offset(name: str) -> str:
    hours = HOURS.get(name.upper())
    return name if hours is None else f"+{hours:02}00"


def _iso(text: str) -> datetime:
    return datetime.fromisoformat(text.replace(" +", "+").replace(" -", "-"))
