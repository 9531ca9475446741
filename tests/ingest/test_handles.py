"""What a channel reports of a person and what a shop registers of her is one handle."""

import json
from dataclasses import replace

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st

from shared import handles
from tests.ingest.running_ingest import RULES, parsed, raw

NUMBERS = st.from_regex(r"[5-7][0-9]{8}", fullmatch=True)
LETTERS = st.text("abzAZ09ßżéİσ", min_size=1, max_size=12)
ADDRESSES = st.builds(
    "{}@{}.example".format, LETTERS, st.text("abzAZ09ßżéς", min_size=1, max_size=12)
)
JSON = [("content-type", "application/json")]


def ways_of_a_number(number: str) -> list[str]:
    """A Polish number as people, forms and networks write it."""
    spaced = f"{number[:3]} {number[3:6]}-{number[6:]}"
    return [number, spaced, f"+48{number}", f"0048{number}", f"+48 {spaced}", f"tel:+48-{number}"]


def ways_of_an_address(address: str) -> list[str]:
    """An address as people, links and programs write it."""
    local, _, host = address.rpartition("@")
    alabels = str(handles.email(f"x@{host}")).removeprefix("x@")
    return [
        address,
        f" {address}",
        f"mailto:{address}",
        f"{local}@{alabels}",
        "".join(letter.upper() if letter.isascii() else letter for letter in address),
    ]


def reported(**fields: str) -> dict[str, str]:
    """The values of the handles that a form reports, by kind."""
    delivery = raw("form", json.dumps(fields).encode(), headers=JSON)
    (event,) = parsed(replace(delivery, rules=msgspec.structs.replace(RULES, region="PL")))
    return {each.kind: each.value for each in event.personal.handles}


@given(NUMBERS)
def test_however_a_number_is_written_it_is_one_person(number: str) -> None:
    """A customer whom a shop registers in one spelling is no stranger when she comes with another."""
    found = {reported(phone=written)["phone"] for written in ways_of_a_number(number)}
    registered = {handles.normal("phone", written, "PL") for written in ways_of_a_number(number)}
    assert found == registered == {f"+48{number}"}


@given(ADDRESSES)
def test_however_an_address_is_written_it_is_one_person(address: str) -> None:
    """Upper case, `mailto:` and the form of the domain that mail servers use make no difference."""
    assume(handles.email(address) is not None)
    found = {reported(email=written)["email"] for written in ways_of_an_address(address)}
    assert found == {handles.normal("email", address)}
