"""Handles in their one normal form: a phone number in E.164, an e-mail address in lower case."""

import phonenumbers

from shared import events, mail_address

PHONE_MAX_CHARACTERS = 64


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
    address = text.strip().removeprefix("mailto:").lower()
    return address if mail_address.is_address(address) else None


def reference(value: str) -> events.Handle:
    """Return the handle that leads to one contact and to no person."""
    return events.Handle(kind="reference", value=value)
