"""What a mail address is: one definition, for whoever takes one as a customer's and for whoever writes to it.

`dot-atom@domain` (RFC 5322, section 3.4.1) with the letters of RFC 6532, within the limits of RFC 5321, section
4.5.3.1; read 2026-11. No quoted local part, no address literal, no dot at the end.
"""

import re

ADDRESS_MAX_CHARACTERS = 254
LOCAL_MAX_BYTES = 64

_ATOM = r"(?:[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]|[^\x00-\x7f\ufffd])+"
_LOCAL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*\Z")
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\Z")


def is_address(text: str) -> bool:
    """Tell whether `text` is a bare address: no name, no brackets, no blanks."""
    return _parts(text) is not None


def ascii_form(text: str) -> str | None:
    """Return an address as every mail server takes it, its domain by IDNA; `None` when there is no such form."""
    parts = _parts(text)
    if parts is None or not parts[0].isascii():
        return None
    return "@".join(parts)


def _parts(text: str) -> tuple[str, str] | None:
    """Return the local part and the domain in ASCII; `None` when `text` is no address."""
    local, at, written = text.rpartition("@")
    if not at or len(text) > ADDRESS_MAX_CHARACTERS or not text.isprintable():
        return None
    if _LOCAL.match(local) is None or len(local.encode()) > LOCAL_MAX_BYTES:
        return None
    try:
        domain = written.encode("idna").decode()
    except UnicodeError:
        return None
    if _DOMAIN.match(domain) is None or len(local) + len(domain) >= ADDRESS_MAX_CHARACTERS:
        return None
    return local, domain
