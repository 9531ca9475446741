"""Charsets as mails really have them: declared wrongly, not at all, too narrowly, or damaged on the way.

Each case is of a kind that users of other programs have reported: zammad/zammad#6144, #4680 and #6054,
freescout-help-desk/freescout#3122 and #4282, djcb/mu#949, jawah/charset_normalizer#743, huacnlee/omamail#87; all read
2026-11.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain import charsets, html_text, iso_2022_jp, mail_headers, mime

JAPANESE = "お問い合わせありがとうございます。田中"
POLISH = "Zamówiłam żółtą koszulkę, a przyszła zielona."
KOREAN = "안녕하세요, 주문한 상품이 아직 오지 않았습니다."
CHINESE = "您好，我的订单还没有到，请帮我查询一下物流信息，谢谢。"


@pytest.mark.parametrize("declared", [None, "us-ascii", "utf-8", "iso-8859-1", "ISO-2022-JP"])
def test_japanese_of_seven_bits_is_known_by_its_escapes(declared: str | None) -> None:
    """A program that declares nothing, or another charset, has written them all the same."""
    assert charsets.decode(JAPANESE.encode("iso-2022-jp"), declared) == JAPANESE


def test_what_vendors_added_to_japanese_tables_is_read() -> None:
    """The standard's tables have no ①, no ㈱, no 髙; half-width syllables have an escape of their own."""
    body = b"\x1b$B-!-jy!\x1b(B A\\ \x1b(I1\x1b(B"
    assert charsets.decode(body, "iso-2022-jp") == "①㈱纊 A\\ ｱ"


@given(st.text(st.sampled_from("あ亜ア腕漢字。、Aa1 \n"), max_size=60))
def test_japanese_is_read_as_it_was_written(text: str) -> None:
    """Our own reader and the standard one agree on what both can read."""
    assert iso_2022_jp.decode(text.encode("iso-2022-jp")) == text


@pytest.mark.parametrize(
    ("text", "written", "declared"),
    [
        ("①㈱髙橋です", "cp932", "Shift_JIS"),
        ("안녕하세요 똠방각하", "cp949", "euc-kr"),
        ("你好碁銹", "big5hkscs", "big5"),
        ("您好，朱镕基", "gb18030", "gb2312"),
        ("“ş” ğ €", "cp1254", "iso-8859-9"),
        ("ราคา € 5", "cp874", "tis-620"),
        ("שלום", "iso-8859-8", "iso-8859-8-i"),
        ("żółw", "utf-8", 'UTF-8; format="flowed"'),
        ("Привет", "cp1251", "x-cp1251"),
        ("Привет", "cp1251", "win-1251"),
        ("één", "cp850", "cp-850"),
        ("こんにちは", "cp932", "cp932"),
        ("こんにちは", "euc-jp", "eucjp"),
        ("Příliš", "iso-8859-2", "iso-8859-2*cs"),
    ],
)
def test_a_name_means_what_senders_mean_by_it(text: str, written: str, declared: str) -> None:
    """The names are narrower than what is sent under them."""
    assert charsets.decode(text.encode(written), declared) == text


@pytest.mark.parametrize("text", [POLISH, "Grüße", "Pay 5 € – thanks 😀", "Cena: 5\u00a0zł"])
@pytest.mark.parametrize("declared", ["iso-8859-1", "windows-1252", "iso-8859-2", "windows-1250"])
def test_utf_8_that_is_declared_in_single_bytes_is_utf_8(text: str, declared: str) -> None:
    """Read byte by byte it would be letters in an order that nobody writes."""
    assert charsets.decode(text.encode(), declared) == text


@pytest.mark.parametrize(
    ("text", "declared"),
    [("RÓŻA", "windows-1250"), ("«CAFÉ»", "iso-8859-1"), ("«café»…", "windows-1252")],
)
def test_single_bytes_that_happen_to_be_utf_8_are_what_they_say(text: str, declared: str) -> None:
    """Letters with marks, side by side with signs, are a sequence of UTF-8 now and then: of no letter of Latin."""
    body = text.encode("cp1250" if declared == "windows-1250" else "cp1252")
    assert charsets.decode(body, declared) == text


@pytest.mark.parametrize(
    ("text", "charset", "declared"),
    [(POLISH, "utf-8", "utf-8"), (POLISH, "utf-8", None), (POLISH, "utf-8", "us-ascii"),
     (CHINESE, "gb18030", "gb2312"), (KOREAN, "cp949", "euc-kr")],
)  # fmt: skip
def test_one_damaged_byte_costs_one_letter(text: str, charset: str, declared: str | None) -> None:
    """A server's footer, or a cut in the middle of a letter, once made every other letter another one as well."""
    before, behind = text[:9].encode(charset), text[9:].encode(charset)
    found = charsets.decode(before + b"\xff" + behind, declared)
    assert found == f"{text[:9]}\ufffd{text[9:]}"


def test_a_text_that_is_cut_within_a_letter_is_read_up_to_it() -> None:
    """As gateways cut at a number of bytes."""
    assert charsets.decode("zamówienie ż".encode()[:-1], "utf-8") == "zamówienie \ufffd"


def test_signs_that_were_written_in_two_halves_are_whole() -> None:
    """Java and older databases write an emoji as two halves of three bytes each; a half alone is none."""
    halves = b"\xed\xa0\xbd\xed\xb8\x80"
    assert charsets.decode(b"ok " + halves, "utf-8") == "ok 😀"
    page = "a &#55357;&#56832; &#xD83D;&#xDE00; b &#55357; c"
    assert html_text.to_text(page) == "a 😀 😀 b \ufffd c"


def test_signs_of_windows_stay_where_nothing_is_known() -> None:
    """The last resort is what browsers take, too."""
    assert charsets.decode(b"\x84caf\xe9\x93 5 \x80 \x81") == "„café“ 5 € \x81"


@pytest.mark.parametrize(
    "meta",
    [
        '<meta charset="windows-1250">',
        "<META http-equiv=Content-Type content='text/html; charset=windows-1250'>",
    ],
)
def test_a_page_may_say_its_charset_itself(meta: str) -> None:
    """What the mail declares counts before; too short a text cannot be guessed."""
    page = f"<html><head>{meta}</head><body>kůň žeře</body></html>".encode("cp1250")
    head = b"From: a@b.example\r\nMIME-Version: 1.0\r\nContent-Type: text/html"
    undeclared = mime.read(head + b"\r\n\r\n" + page)
    declared = mime.read(head + b"; charset=iso-8859-1\r\n\r\n" + page)
    assert undeclared is not None
    assert declared is not None
    assert (undeclared.text, declared.text) == ("kůň žeře", "kùò žeøe")


@pytest.mark.parametrize("charset", ["utf-8", "cp1252"])
def test_a_file_name_of_bytes_is_read(charset: str) -> None:
    """Programs that encode nothing write the letters as bytes; they once became as many U+FFFD."""
    name = "Rechnung für Köln.pdf"
    part = f'Content-Type: application/pdf; name="{name}"\r\nContent-Disposition: attachment; filename="{name}"'
    body = b"From: a@b.example\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
    found = mime.read(body + part.encode(charset) + b"\r\n\r\nx\r\n--b--\r\n")
    assert found is not None
    assert [(each.name, each.kind) for each in found.files] == [(name, "application/pdf")]


def test_a_field_of_japanese_bytes_and_a_word_with_its_language() -> None:
    """RFC 2231, section 5, lets a word of a field name its language behind the charset."""
    assert mail_headers.text(JAPANESE.encode("iso-2022-jp").decode("ascii")) == JAPANESE
    assert mail_headers.text("=?iso-8859-2*cs?Q?P=F8=EDli=B9?=") == "Příliš"


@pytest.mark.parametrize(
    ("charset", "name", "title"),
    [
        ("iso-8859-2", "Žofie Šťastná", "Žádost o výměnu"),
        ("windows-1251", "Анна", "Посылка"),
        ("gbk", "王芳", "发信方已撤回邮件"),
        ("utf-8", "Žofie", "😀"),
    ],
)
def test_fields_of_bytes_are_written_as_the_text_is(charset: str, name: str, title: str) -> None:
    """Too short to be guessed; UTF-8 goes before what the text is declared in."""
    head = f"From: {name} <a@b.example>\r\nSubject: {title}\r\nMIME-Version: 1.0\r\n"
    declared = "gb18030" if charset == "utf-8" else charset
    kind = f"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset={declared}"
    found = mime.read((head + kind + "\r\n\r\nx\r\n--b--\r\n").encode(charset))
    assert found is not None
    assert found.mailbox("from") == (name, "a@b.example")
    assert found.field("subject") == title


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ("filename=\"EURO.pdf\"; filename*=UTF-8''%e2%82%ac.pdf", "€.pdf"),
        ("filename*=UTF-8''%e2%82%ac.pdf; filename=\"EURO.pdf\"", "€.pdf"),
        ("filename*=unknown''%C5%BE.pdf", "ž.pdf"),
        ("filename*=''attached%2Epdf", "attached.pdf"),
        ("filename*=x-cp1250''%9E.pdf", "ž.pdf"),
        ("filename*0*=utf-8''%C5; filename*1*=%BE; filename*2=\".pdf\"", "ž.pdf"),
        ('filename="=?cp-1250?Q?=9E?=.pdf"', "ž.pdf"),
        ('filename="a;b \\"c\\".pdf"', 'a;b "c".pdf'),
        ("filename=; x=y", ""),
    ],
)
def test_a_file_name_is_read_in_each_form(parameters: str, name: str) -> None:
    """RFC 2231's form goes before the plain one beside it (RFC 6266, section 4.3), whatever charset it names."""
    part = f"Content-Type: application/pdf\r\nContent-Disposition: attachment; {parameters}\r\n\r\nx\r\n"
    head = "From: a@b.example\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
    found = mime.read((head + part + "--b--\r\n").encode())
    assert found is not None
    assert [each.name for each in found.files] == [name]
