"""One normal form of a handle: what the same person is reached by is one text, however it was written."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import errors, events, handles

REGIONS = st.sampled_from([None, "PL", "DE", "IT", "GB", "US", "BR", "AU", "JP"])
WRITTEN_NUMBERS = st.from_regex(
    r"(tel:)?(\+|00|0|011)?[0-9 ()./-]{1,20}(( ext |;ext=|x|#)[0-9]{1,5})?", fullmatch=True
)


# -- phone numbers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("+48601234567", None),
        ("0048601234567", None),
        (" +48 (601) 234-567 ", "US"),
        ("tel:+48-601-234-567", None),
        ("+４８６０１２３４５６７", None),
        ("601 234 567", "PL"),
        ("0048 601 234 567", "PL"),
        ("0048 601 234 567", "US"),
        ("0011 48 601 234 567", "AU"),
    ],
)
def test_a_phone_number_has_one_form(text: str, region: str | None) -> None:
    """It is E.164; a national number is read in the region."""
    assert handles.phone(text, region) == "+48601234567"


@pytest.mark.parametrize(
    ("text", "region", "number"),
    [
        ("+551187654321", None, "+5511987654321"), ("(11) 8765-4321", "BR", "+5511987654321"),
        ("+5511987654321", None, "+5511987654321"), ("+5215512345678", None, "+525512345678"),
        ("+52 1 55 1234 5678", None, "+525512345678"), ("+525512345678", None, "+525512345678"),
    ],
)  # fmt: skip
def test_a_number_from_before_its_country_renumbered_is_the_number_of_today(
    text: str, region: str | None, number: str
) -> None:
    """A messenger still writes it so; the shop and the exchange have the new one, and she is one person."""
    assert handles.phone(text, region) == number


@pytest.mark.parametrize("text", ["+551132654321", "+551177654321", "+528001234567"])
def test_a_number_that_only_looks_old_stays(text: str) -> None:
    """A house in Brazil has eight digits, as has a radio; a number of Mexico may begin as it likes."""
    assert handles.phone(text) == text


@pytest.mark.parametrize(
    "text",
    ["+48 22 123 45 67 ext. 12", "tel:+48-22-123-45-67;ext=12", "+48221234567x１２", "+48221234567 доб. 12",
     "+48 22 1234567 int 12", "+48 22 1234567 anexo 12", "+48 22 1234567 #12", "+48 22 1234567,12",
     "+48 22 1234567 Extension 12", "tel:22-123-45-67;ext=12;phone-context=+48"],
)  # fmt: skip
def test_an_extension_is_kept(text: str) -> None:
    """Behind one number stands a house full of people."""
    assert handles.phone(text) == "+48221234567;ext=12"


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("", "PL"), ("tel 1", "PL"), ("call me", "PL"), ("112", "PL"), ("7575", "PL"), ("+48", "PL"), ("+481", None),
        ("601234567", None), ("253-0000", "US"), ("+12530000", None), ("+4900005628098623", None),
        ("0171 1234567 (Anna)", "DE"), ("+49 30 123456 ab 18 Uhr", None), ("+917878787xyz", None),
        ("601234567, 602345678", "PL"), ("601234567 or 602345678", "PL"), ("1-800-FLOWERS", "US"),
        ("601234567", "Poland"), ("+48601234567" + " " * 60 + "1", None),
    ],
)  # fmt: skip
def test_what_cannot_be_dialled_from_everywhere_is_no_phone_number(
    text: str, region: str | None
) -> None:
    """Nor are short codes, national numbers of nobody knows which country, two numbers, or words on the keys."""
    assert handles.phone(text, region) is None


@given(WRITTEN_NUMBERS | st.text(max_size=70), REGIONS, REGIONS)
def test_a_number_in_its_form_is_read_as_itself_in_every_region(
    text: str, region: str | None, other: str | None
) -> None:
    """Whoever reads it again, wherever, has the same handle."""
    number = handles.phone(text, region)
    if number is not None:
        assert handles.phone(number, other) == number


# -- e-mail addresses ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (" Anna@Customer.Example\n", "anna@customer.example"),
        ("mailto:Anna@customer.example", "anna@customer.example"),
        ("MAILTO:anna@customer.example", "anna@customer.example"),
        ("O'Neil+box@foo_bar.example", "o'neil+box@foo_bar.example"),
        ("anna@localhost", "anna@localhost"),
        ("anna@ab--cd.example", "anna@ab--cd.example"),
        ("a" * 64 + "@b.example", "a" * 64 + "@b.example"),
        ("lena@straße.example", "lena@xn--strae-oqa.example"),
        ("lena@STRAẞE.example", "lena@xn--strae-oqa.example"),
        ("lena@XN--STRAE-OQA.example", "lena@xn--strae-oqa.example"),
        ("lena@STRASSE.example", "lena@strasse.example"),
        ("a@βόλος.example", "a@xn--nxasmm1c.example"),
        ("anna@z\u0307o\u0301łw.example", "anna@xn--w-uga1v8h.example"),
        ("anna@żółw。example", "anna@xn--w-uga1v8h.example"),
        ("Zaz\u0307o\u0301łc\u0301@x.example", "zażółć@x.example"),
        ("MASSE@x.example", "masse@x.example"),
        ("maße@x.example", "maße@x.example"),
    ],
)
def test_an_address_has_one_form(text: str, address: str) -> None:
    """Lower case and NFC before the @, A-labels of IDNA 2008 behind it: ß is not ss, ς is not σ."""
    assert handles.email(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "", "@", "anna", "anna@", "@x.example", "a b@x.example", "a@x example", "<anna@x.example>", "a@b@c.example",
        "anna@customer.example.", "anna@.example", "anna@a..example", "a@b\x01c.pl", "a@b\\c.pl", "a@b＠c.pl",
        ".a@x.example", "a.@x.example", "a..b@x.example", '"a b"@x.example', '"a"@x.example', "a@[192.0.2.1]",
        "a@-b.example", "a\x00@b.example", "a\ud83d@b.example", "a\ufffdb@b.example", "a\u200b@b.example",
        "a" * 65 + "@b.example", "a@" + "b" * 64 + ".example", "a@" + "b.c" * 90, "a@" + "ż" * 60, "a@i♥ny.example",
        "a@xn--zzzz99.example", "a@b\udc80.example", "a@" + "b" * 5_000, "mailto:mailto:a@b.example",
        "mailto:a@b.example?subject=x",
    ],
)  # fmt: skip
def test_what_is_no_address_is_nobodys(text: str) -> None:
    """It cannot be written to."""
    assert handles.email(text) is None


@given(
    st.text(max_size=300) | st.builds("{}@{}".format, st.text(max_size=70), st.text(max_size=300))
)
def test_any_text_is_an_address_or_none(text: str) -> None:
    """It never fails; an address in its form is itself again, printable, without blanks and composed."""
    address = handles.email(text)
    if address is not None:
        assert handles.email(address) == address
        assert address.isprintable()
        assert " " not in address
        assert unicodedata.is_normalized("NFC", address)
        assert address.rpartition("@")[2].isascii()


SOME_LETTERS = st.text("aßżσςİé", min_size=1, max_size=9)
SOME_LABELS = st.text("aßżςé", min_size=1, max_size=9)


@given(st.builds("{}@{}.example".format, SOME_LETTERS, SOME_LABELS))
def test_composed_and_decomposed_letters_are_one_address(text: str) -> None:
    """A keyboard decides which of the two is sent."""
    decomposed = unicodedata.normalize("NFD", text)
    assert handles.email(decomposed) == handles.email(unicodedata.normalize("NFC", text))


# -- any kind ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "text"),
    [("phone", "tel 1"), ("email", "anna"), ("reference", " "), ("visitor", "")],
)
def test_a_handle_that_is_none_is_refused(kind: events.HandleKind, text: str) -> None:
    """With its kind, and without the text, which may be personal."""
    with pytest.raises(errors.HandleInvalid) as refused:
        handles.normal(kind, text, "PL")
    assert refused.value.details == {"kind": kind}
