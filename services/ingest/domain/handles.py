"""Handles in their one normal form: a phone number in E.164, an e-mail address in lower case."""

from __future__ import annotations

import re

import phonenumbers

from services.ingest.domain.texts import clean
from shared.events import Handle

ADDRESS_MAX_CHARACTERS = 254
"""RFC 5321, section 4.5.3.1.3, without the angle brackets."""

PHONE_MAX_CHARACTERS = 64

_ADDRESS = re.compile(r"[^\s@<>\"(),:;\\\[\]\x00-\x20\x7f]+@[^\s@<>\"(),:;\\\x00-\x20\x7f]+\Z")


def phone(text: str | None, region: str | None = None) -> str | None:
    """Return a phone number in E.164, `+48601234567`; `None` when it is none that could be dialled.

    `region`: ISO 3166 code that a national number is read in; without it only international ones are taken.
    """
    if not text or len(text) > PHONE_MAX_CHARACTERS:
        return None
    written = "+" + text.strip()[2:] if text.strip().startswith("00") else text
    try:
        number = phonenumbers.parse(written, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def email(text: str | None) -> str | None:
    """Return an e-mail address in lower case; `None` when it is none."""
    if not text:
        return None
    address = clean(text.strip().removeprefix("mailto:")).lower()
    if len(address) > ADDRESS_MAX_CHARACTERS or _ADDRESS.match(address) is None:
        return None
    return address


def reference(value: str) -> Handle:
    """Return the handle that leads to one contact and to no person."""
    return Handle(kind="reference", value=value)
