"""Reading mails: charsets, header fields, bodies, the new part of an answer."""

import hashlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.ingest.domain import charsets, html_text, mail_headers, mime, texts
from shared import handles

TEXT_PART = b"Content-Type: text/plain; charset=utf-8\r\n\r\n"


def body_of(content: bytes) -> mime.Mail:
    found = mime.read(b"From: a@b.example\r\nMIME-Version: 1.0\r\n" + content)
    assert found is not None
    return found


# -- charsets ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "declared", "text"),
    [
        ("zażółć".encode("iso-8859-2"), "iso-8859-2", "zażółć"),
        ("zażółć".encode(), "us-ascii", "zażółć"),
        ("zażółć".encode(), "no-such-charset", "zażółć"),
        ("zażółć".encode(), None, "zażółć"),
        ("“quoted”".encode("cp1252"), "iso-8859-1", "“quoted”"),
        (b"caf\xe9", "base64", "café"),
        (
            "Добрый день, где моя посылка? Локер не открывается, помогите. Спасибо!".encode(
                "cp1251"
            ),
            None,
            "Добрый день, где моя посылка? Локер не открывается, помогите. Спасибо!",
        ),
        (b"+AGEAYg-", "utf-7", "+AGEAYg-"),
    ],
)
def test_the_charset_chain(body: bytes, declared: str | None, text: str) -> None:
    """Declared, else UTF-8, else a guess, else Latin-1; codecs that are no charsets do not count."""
    assert charsets.decode(body, declared) == text


@given(st.binary(max_size=2_000), st.text(max_size=20))
def test_decoding_never_fails(body: bytes, declared: str) -> None:
    """There is a text for any bytes and any declaration."""
    assert isinstance(charsets.decode(body, declared), str)


# -- header fields -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("plain", "plain"),
        ("folded\r\n here", "folded here"),
        ("=?utf-8?q?Anna_Kowalska?=", "Anna Kowalska"),
        ("=?utf-8?b?xbw=?= =?utf-8?b?xbw=?=", "żż"),
        ("=?utf-8?b?xQ==?= =?utf-8?b?vA==?=", "ż"),
        ("a =?utf-8?q?b?= c", "a b c"),
        ("=?utf-8?b?!!!?=", "=?utf-8?b?!!!?="),
        ("=?no-such?q?caf=C3=A9?=", "café"),
        ("=?utf-8?q?broken", "=?utf-8?q?broken"),
    ],
)
def test_encoded_words(written: str, text: str) -> None:
    """RFC 2047, with a character split between two words and broken words left as they are."""
    assert mail_headers.text(written) in {text, text.replace("=?utf-8?b?!!!?=", "")}


def test_a_long_field_takes_linear_time() -> None:
    """A hundred thousand empty parameters are read before the test's deadline, and so is what stands below."""
    content = b'Content-Type: text/plain; x="' + b";" * 100_000 + b"\r\n\r\nhello"
    assert body_of(content).text == "hello"


@given(st.text(alphabet='<>()[]",:;@\\a.e= \ue000', max_size=60))
@example("anna@x.example " + "(" * 5_000)
@example("anna@x.example " + ":" * 5_000)
@example("<" * 20_000)
def test_no_from_field_raises(written: str) -> None:
    """Whatever stands there; an address that is found is one."""
    address = mail_headers.sender(written)[1]
    assert address is None or handles.email(address) == address


def test_a_field_with_eight_bit_bytes_is_read() -> None:
    """Many programs write them although they may not."""
    found = body_of("Subject: Zamówienie\r\n\r\n".encode("iso-8859-2"))
    assert found.field("subject") is not None
    utf8 = body_of("Subject: Zamówienie\r\n\r\n".encode())
    assert utf8.field("subject") == "Zamówienie"


@pytest.mark.parametrize(
    ("written", "sender"),
    [
        ("anna@b.example", (None, "anna@b.example")),
        ("Anna <ANNA@B.example>", ("Anna", "anna@b.example")),
        ('"Kowalska, Anna" <a@b.example>', ("Kowalska, Anna", "a@b.example")),
        ("=?utf-8?q?Pawe=C5=82?= <p@b.example>", ("Paweł", "p@b.example")),
        ("undisclosed-recipients:;", (None, None)),
        ("Anna [mailto:a@b.example]", (None, "a@b.example")),
        ("not.one@. a@b.example", (None, "a@b.example")),
        ("anna@private.example <anna@firm.example>", ("anna@private.example", "anna@firm.example")),
        (
            "anna@b.example via Shop <no@lists.example>",
            ("anna@b.example via Shop", "no@lists.example"),
        ),
        ("Nowak, Anna <a@b.example>", ("Nowak, Anna", "a@b.example")),
        ("a@b.example, Nowak <n@b.example>", (None, "a@b.example")),
        ('"a@b.example <x@b.example>" <c@b.example>', ("a@b.example <x@b.example>", "c@b.example")),
        (
            "a@b.example (Anna (at home) <x@b.example>)",
            ("Anna at home <x@b.example>", "a@b.example"),
        ),
        ("Anna <> <a@b.example>", ("Anna", "a@b.example")),
        ("Anna <nobody>", ("Anna", None)),
        (
            "=?UTF-8?B?IkxlbmEgVGVzdG93YSIgPGxlbmFAbWFpbC5leGFtcGxlPg==?=",
            ("Lena Testowa", "lena@mail.example"),
        ),
        ("=?UTF-8?Q?x=40y.example?= <a@b.example>", ("x@y.example", "a@b.example")),
        ('"a@b.example"', (None, "a@b.example")),
        ("a@b.example.", (None, None)),
        ("x" * 70 + "@b.example", (None, None)),
        (None, (None, None)),
        ("", (None, None)),
    ],
)
def test_the_sender(written: str | None, sender: tuple[str | None, str | None]) -> None:
    """Name decoded, address in lower case; what is missing is None."""
    assert mail_headers.sender(written) == sender


# -- bodies ---------------------------------------------------------------------------------------------------


def test_the_plain_form_of_an_alternative_is_taken() -> None:
    """HTML of the same text is not read twice."""
    found = body_of(
        b"Content-Type: multipart/alternative; boundary=x\r\n\r\n--x\r\n" + TEXT_PART + b"plain\r\n"
        b"--x\r\nContent-Type: text/html\r\n\r\n<p>html</p>\r\n--x--\r\n"
    )
    assert (found.text, found.attachments) == ("plain", 0)


def test_an_empty_plain_form_gives_way_to_html() -> None:
    """Some programs send a blank plain part."""
    found = body_of(
        b"Content-Type: multipart/alternative; boundary=x\r\n\r\n--x\r\n" + TEXT_PART + b" \r\n"
        b"--x\r\nContent-Type: text/html\r\n\r\n<p>html</p>\r\n--x--\r\n"
    )
    assert found.text == "html"


def test_files_and_forwarded_mails_are_counted_only() -> None:
    """Their text is nobody's message."""
    found = body_of(
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n" + TEXT_PART + b"hello\r\n"
        b"--x\r\nContent-Type: text/plain; name=a.txt\r\n\r\nfile\r\n"
        b"--x\r\nContent-Type: message/rfc822\r\n\r\nFrom: x@y.example\r\n\r\ninner\r\n"
        b"--x\r\nContent-Type: application/pdf\r\n\r\npdf\r\n--x--\r\n"
    )
    assert (found.text, found.attachments) == ("hello", 3)


@pytest.mark.parametrize(
    "content",
    [
        b"Content-Transfer-Encoding: base64\r\n\r\n!!!not base64!!!",
        b"Content-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 x\r\nzzz\r\n",
        b"Content-Type: text/plain; charset*=bogus'x'%zz\r\n\r\nhello",
        b"Content-Type: multipart/mixed\r\n\r\nno boundary",
        b"Content-Type: /;;=\r\n\r\nhello",
        b"Content-Disposition: attachment; filename*0*=%%%\r\n\r\nhello",
    ],
)
def test_a_broken_part_is_still_a_mail(content: bytes) -> None:
    """Nothing inside a mail makes reading it fail."""
    assert isinstance(body_of(content).text, str)


@pytest.mark.parametrize(
    "parameters",
    [
        b'boundary="b"; name*="utf-8\'\'a"; name*0="c"',
        b'name*="utf-8\'\'a"; name*0="c"; BOUNDARY = b',
        b"boundary=b; name*" + b"9" * 5_000 + b"=c",
    ],
)
def test_parameters_that_contradict_each_other_cost_neither_sender_nor_text(
    parameters: bytes,
) -> None:
    """The standard parser fails on two forms of one name; what is written plainly is read all the same."""
    found = body_of(
        b"Content-Type: multipart/mixed; " + parameters + b"\r\n\r\n"
        b"--b\r\n" + TEXT_PART + b"hello\r\n--b\r\nContent-Type: image/png\r\n\r\nx\r\n--b--\r\n"
    )
    assert mail_headers.sender(found.raw_field("from"))[1] is not None
    assert (found.text, found.attachments) == ("hello", 1)


NAMED = b"Content-Type: text/html; name=m.html\r\nContent-Disposition: inline; filename=m.html\r\n\r\n<p>hello</p>"


def test_a_text_with_a_file_name_is_the_mails_where_there_is_no_other() -> None:
    """Alone, or as the only part; beside another text it is an attachment."""
    multipart = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
    for content in (NAMED, multipart + NAMED + b"\r\n--b--\r\n"):
        found = body_of(content)
        assert (found.text.strip(), found.attachments) == ("hello", 0)
    beside = body_of(multipart + TEXT_PART + b"plain\r\n--b\r\n" + NAMED + b"\r\n--b--\r\n")
    assert (beside.text, beside.attachments) == ("plain", 1)


PARAMETER = st.builds(
    "{}{}={}".format,
    st.sampled_from(["boundary", "name", "charset", "filename"]),
    st.sampled_from(["", "*", "*0", "*0*", "*1", "*1*", "*" + "9" * 5_000]),
    st.sampled_from(
        ["b", '"b"', "utf-8''b", "''", "\"x'", "idna'en'%ff", "a\x00b''c", "hex''b", "'"]
    ),
)


@given(st.lists(PARAMETER, max_size=6), st.lists(PARAMETER, max_size=6))
def test_no_parameters_make_reading_fail(outer: list[str], inner: list[str]) -> None:
    """However RFC 2231 is broken, at the top and inside."""
    content = (
        f"Content-Type: multipart/mixed; {'; '.join(outer)}\r\n\r\n--b\r\n"
        f"Content-Type: text/plain; {'; '.join(inner)}\r\nContent-Disposition: inline; {'; '.join(inner)}\r\n"
        "\r\nhello\r\n--b--\r\n"
    )
    assert body_of(content.encode()).attachments >= 0


def test_a_mail_that_forwards_a_hundred_mails_is_read() -> None:
    """Many parts beside each other are not many parts inside each other."""
    forwarded = b"".join(
        b"--x\r\nContent-Type: message/rfc822\r\n\r\nFrom: a@b.example\r\n"
        b"Content-Type: multipart/alternative; boundary=y%d\r\n\r\n--y%d\r\n%s%s--y%d--\r\n"
        % (number, number, TEXT_PART, b"a line of the forwarded mail\r\n" * 40, number)
        for number in range(100)
    )
    found = body_of(
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n" + TEXT_PART + b"hello\r\n"
        b"" + forwarded + b"--x--\r\n"
    )
    assert (found.text, found.attachments) == ("hello", 100)


@given(st.binary(max_size=3_000))
def test_reading_never_fails(content: bytes) -> None:
    """Any bytes behind a From are a mail."""
    assert body_of(content).attachments >= 0


# -- HTML ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>Hello <b>Anna</b> &amp; all</p><p>Bye</p>", "Hello Anna & all\n\nBye"),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("<style>p{}</style><script>x<y</script><title>t</title>text", "text"),
        ("<p>new</p><blockquote>old<br>older</blockquote>", "new\n\n> old\n> older"),
        ("<td>a</td><td>b</td>", "a b"),
        ('<a href="x>y" title=\'"\'>link</a>', "link"),
        ("<!-- <p>no</p> -->yes", "yes"),
        ("1 < 2 &lt; 3", "1 < 2 < 3"),
        ("<script>never closed", ""),
        ("&#0;&#xD800;&bogus;", "\ufffd\ufffd&bogus;"),
        ("a&#" + "9" * 5_000 + ";b&#x" + "f" * 5_000 + "c", "a\ufffdb\ufffd"),
    ],
)
def test_html_becomes_what_a_reader_sees(markup: str, text: str) -> None:
    """Blocks are lines, quotes are marked, nothing of the markup is left."""
    assert html_text.to_text(markup) == text


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "hostile",
    [
        "<a",
        "<",
        "<!--",
        '<a "',
        "<a '\"",
        "<script>",
        "</",
        "<!",
        "<blockquote>",
        "<p>",
        "&#",
        "<td>",
    ],
)
def test_hostile_html_takes_linear_time(hostile: str) -> None:
    """A body of nothing but an unclosed tag is done long before the test's deadline."""
    assert len(html_text.to_text(hostile * (190_000 // len(hostile)))) < 5_000_000


@pytest.mark.parametrize("ends", [b"\r\n", b"\n"])
def test_a_mail_inside_a_mail_is_a_file(ends: bytes) -> None:
    """Passed on as an attachment: named, measured as it was sent."""
    title = b"passed on, in a long line" * 5
    inner = b"From: a@b.example\r\nSubject: " + title + b"\r\n\r\nold\r\n"
    body = (
        b"From: c@d.example\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nsee below\r\n"
        b'--x\r\nContent-Type: message/rfc822; name="old.eml"\r\n\r\n' + inner + b"\r\n--x--\r\n"
    )
    mail = mime.read(body.replace(b"\r\n", ends))
    assert mail is not None
    assert (mail.text, mail.attachments) == ("see below", 1)
    assert mail.files == [
        mime.File("old.eml", "message/rfc822", len(inner), hashlib.sha256(inner).hexdigest())
    ]


@pytest.mark.parametrize(
    "head",
    [
        b"\xef\xbb\xbfFrom: a@b.example\r\n",
        b"\r\n\r\nFrom: a@b.example\r\n",
        b"MIME-Version: 1.0\r\n",
    ],
)
def test_a_mail_is_known_behind_a_mark_or_blank_lines_and_by_its_version(head: bytes) -> None:
    """Some programs write a byte order mark, some nothing but MIME's own fields."""
    mail = mime.read(head + b"Content-Type: text/plain\r\n\r\nhello\r\n")
    assert mail is not None
    assert mail.text == "hello"


# -- texts --------------------------------------------------------------------------------------------------


@given(st.text(alphabet=st.characters(), max_size=300), st.integers(min_value=2, max_value=400))
def test_a_fitted_text_is_clean_and_short_enough(text: str, max_bytes: int) -> None:
    """Any text can be stored, within the limit; one that fits and is clean is not changed."""
    fitted = texts.fit(text, max_bytes)
    assert "\x00" not in fitted
    assert len(fitted.encode()) <= max_bytes
    if len(texts.clean(text)) * 6 + 2 <= max_bytes:
        assert fitted == texts.clean(text)


def test_half_characters_are_replaced() -> None:
    """A lone surrogate cannot be written as UTF-8."""
    assert texts.clean("a\ud83db\x00\U0001f600") == "a\ufffdb\ufffd\U0001f600"
