"""Handles in their one normal form, for every way in (docs/adr/0023).

A phone number is E.164, its extension as RFC 3966 writes it: `+48221234567;ext=12`.
An e-mail address is `dot-atom@domain` (RFC 5322, section 3.4.1) with the letters of RFC 6532, within the limits of
RFC 5321, section 4.5.3.1: its local part in lower case and NFC, its domain in A-labels (IDNA 2008, mapped by UTS #46).
No quoted local part, no address literal, no dot at the end. All read 2026-11.
"""

import re
import unicodedata

import idna
import phonenumbers

from shared import errors, events, ids

PHONE_MAX_CHARACTERS = 64
EMAIL_MAX_CHARACTERS = 254
LOCAL_MAX_BYTES = 64
EXTENSION_MAX_DIGITS = 6
"""What is longer is another number."""

RENUMBERED = (
    (52, re.compile(r"1([2-9]\d{9})\Z"), r"\1"),
    (55, re.compile(r"(\d\d)([6-9]\d{7})\Z"), r"\g<1>9\2"),
)
"""Country, how its mobile numbers were written (a 1 before them in Mexico, no 9 in Brazil), and how they are now.

Ids that a network made of them, and numbers that were saved long ago, are still written so (chatwoot/chatwoot#14048
and #5840, read 2026-11). A number that is valid as it stands, as an old mobile number never is, stays.
"""

_AROUND_NUMBER = re.compile(
    r"\Atel:|;phone-context=[+\w.-]*|;ext=\d+|(?:e?xtn?|extensi[oó]n|доб|anexo|int|x)[.:]?\s*\d+#?\Z",
    re.IGNORECASE,
)
"""The words that stand with a number (RFC 3966; extensions as `phonenumbers` reads them)."""
_MAILTO = re.compile(r"\Amailto:", re.IGNORECASE)
_ATOM = r"(?:[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]|[^\x00-\x7f\ufffd])+"
_LOCAL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*\Z")
_LABEL = re.compile(r"(?!xn--)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\Z")
"""A label that stays as it is: IDNA 2008 takes no underscore, mail servers do."""


def normal(kind: events.HandleKind, text: str, region: str | None = None) -> str:
    """Return the value of a handle that somebody wrote; `region` as for `phone`. Raises: HandleInvalid."""
    value: str | None = text.strip()
    if kind in {"phone", "email"}:
        value = phone(text, region) if kind == "phone" else email(text)
    if not value:
        raise errors.HandleInvalid(kind=kind)
    return value


def phone(text: str | None, region: str | None = None) -> str | None:
    """Return a phone number in its normal form; `None` when it is none that can be dialled from everywhere.

    `region`: ISO 3166 code that a national number is read in; without it only international ones are taken.
    """
    written = (text or "").strip()
    if len(written) > PHONE_MAX_CHARACTERS or _has_letters(written):
        return None
    found = _dialled(written, region)
    if found is None and written.startswith("00"):
        found = _dialled(f"+{written[2:]}", region)
    return found


def _has_letters(written: str) -> bool:
    """A note, a name, or a word to dial: `phonenumbers` would read its letters as the digits on their keys."""
    return any(map(str.isalpha, _AROUND_NUMBER.sub("", written)))


def _dialled(written: str, region: str | None) -> str | None:
    """Return a number in its normal form; `None` when that form could not be read as the same number."""
    try:
        number = phonenumbers.parse(written, region)
        extension = phonenumbers.normalize_digits_only(number.extension or "")
        number.extension = None
        _as_dialled_today(number)
        e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        lasting = phonenumbers.parse(e164) == number
    except phonenumbers.NumberParseException:
        return None
    possible = phonenumbers.is_possible_number_with_reason(number)
    if not lasting or possible != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    if len(extension) > EXTENSION_MAX_DIGITS:
        return None
    return f"{e164};ext={extension}" if extension else str(e164)


def _as_dialled_today(number: phonenumbers.PhoneNumber) -> None:
    """Give a number that is still written as before its country changed its plan the digits that are dialled now."""
    for country, before, now in RENUMBERED:
        national = str(number.national_number)
        renewed = before.sub(now, national) if number.country_code == country else national
        if renewed != national and not phonenumbers.is_valid_number(number):
            number.national_number = int(renewed)


def is_region(code: str) -> bool:
    """Tell whether a code is a country whose numbering plan is known."""
    return code in phonenumbers.SUPPORTED_REGIONS


def email(text: str | None) -> str | None:
    """Return a bare e-mail address in its normal form; `None` when it is none. `mailto:` may stand before it."""
    written, _, host = _MAILTO.sub("", (text or "").strip()).rpartition("@")
    local, domain = unicodedata.normalize("NFC", written.lower()), _domain(host)
    if domain is None or not local.isprintable() or _LOCAL.match(local) is None:
        return None
    too_long = len(local.encode()) > LOCAL_MAX_BYTES
    address = f"{local}@{domain}"
    return None if too_long or len(address) > EMAIL_MAX_CHARACTERS else address


def _domain(written: str) -> str | None:
    """Return the name of a host in A-labels; `None` when there is none of this name."""
    try:
        labels = idna.uts46_remap(written, std3_rules=False).split(".")
        return ".".join(
            label if _LABEL.match(label) else idna.alabel(label).decode() for label in labels
        )
    except idna.IDNAError:
        return None


def of(kind: events.HandleKind, value: str, proof: events.Proof) -> events.Handle:
    """Return a handle, in its normal form already, with its degree of proof."""
    return events.Handle(kind=kind, value=value, verified=proof == "proved", proof=proof)


def account(channel: str, value: str) -> events.Handle:
    """Return the handle of whom a provider calls by an id of its own: it vouches for that."""
    return of("account", f"{channel}:{value}", "proved")


def reference(channel: str, account: str, name: str) -> events.Handle:
    """Return the handle that leads to one contact and to no person: `<channel>/<account>/<name>`.

    `name`: the provider's or the page's own of a call, session or thread. Whoever chooses it chooses nothing before it:
    no name of one account leads to a contact of another (docs/adr/0046).
    """
    return events.Handle(kind="reference", value=f"{channel}/{account}/{name}")


def own_reference(word: str, value: str) -> events.Handle:
    """Return what the router itself is led by: `<word>=<value>`. No channel has `=` in its name."""
    return events.Handle(kind="reference", value=f"{word}={value}")


def lookup_token(key: bytes, handle: events.Handle) -> str:
    """Return the keyed hash of a handle, the only form in which it stands in a subject.

    Without the tenant's lookup key nobody can ask the ledger whether it knows a phone number.
    """
    return ids.keyed_hash(key, handle.kind, handle.value)


def of_visitor(
    channel: str,
    *,
    address: str | None,
    number: str | None,
    user: str | None,
    visitor: str | None,
) -> list[events.Handle]:
    """Return who a page says that its visitor is, the surest first; a browser proves nothing.

    `user`: as the page's channel counts its users; `visitor`: the browser's own mark.
    """
    said: list[tuple[events.HandleKind, str | None]] = [
        ("email", address),
        ("phone", number),
        ("account", None if user is None else f"{channel}:{user}"),
        ("visitor", visitor),
    ]
    return [of(kind, value, "claimed") for kind, value in said if value is not None]
