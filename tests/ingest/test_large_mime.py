"""Large mails: what is described of their attachments, how much text is read, and what is not followed."""

import base64

import pytest

from services.ingest.domain import mime
from shared import ids
from tests.ingest.large_mails import PHOTO, mail_of, photograph

FROM = b"From: a@b.example\r\n"


def read(content: bytes) -> mime.Mail:
    found = mime.read(content)
    assert found is not None
    return found


def part(content: bytes, *fields: bytes) -> bytes:
    return b"--x\r\n" + b"".join(field + b"\r\n" for field in fields) + b"\r\n" + content + b"\r\n"


def mixed(*parts: bytes) -> bytes:
    head = FROM + b"Content-Type: multipart/mixed; boundary=x\r\n\r\n"
    return head + b"".join(parts) + b"--x--\r\n"


def test_an_attachment_is_described_by_name_kind_size_and_hash() -> None:
    """Of its content, decoded; all of it although it lies in many slices."""
    photo = photograph(1_000_000)
    found = read(mail_of(photo))
    assert found.text == "See the photograph."
    assert found.attachments == 1
    assert found.files == [mime.File("photo.jpg", "image/jpeg", len(photo), ids.body_sha256(photo))]


@pytest.mark.parametrize(
    ("encoding", "written", "content"),
    [
        (b"base64", base64.b64encode(PHOTO), PHOTO),
        (b" BASE64 ", base64.encodebytes(PHOTO), PHOTO),
        (b"base64", base64.b64encode(PHOTO).replace(b"A", b"A ", 1), PHOTO),
        (b"base64", b"QUJD=QUJD!", b"ABCABC"),
        (b"quoted-printable", b"a=3Db", b"a=b"),
        (b"7bit", b"as it stands", b"as it stands"),
        (b"nonsense", b"as it stands", b"as it stands"),
    ],
    ids=["base64", "folded", "a blank in it", "broken", "quoted-printable", "none", "unknown"],
)
def test_what_is_measured_is_what_the_standard_parser_gives(
    encoding: bytes, written: bytes, content: bytes
) -> None:
    """In every encoding, and where it was broken."""
    fields = (b"Content-Type: image/png; name=a.png", b"Content-Transfer-Encoding: " + encoding)
    (file,) = read(mixed(part(written, *fields))).files
    assert (file.size_bytes, file.sha256) == (len(content), ids.body_sha256(content))


def test_the_name_of_an_attachment_is_decoded() -> None:
    """As other fields are; one that is broken spoils nothing."""
    names = [b'"=?utf-8?q?zdj=C4=99cie.jpg?="', b"utf-8''zdj%C4%99cie.jpg", b'"=?x"']
    fields = [b"Content-Disposition: attachment; filename=" + name for name in names]
    fields[1] = fields[1].replace(b"filename=", b"filename*=")
    found = read(mixed(*(part(b"x", b"Content-Type: image/jpeg", each) for each in fields)))
    assert [file.name for file in found.files] == ["zdjęcie.jpg", "zdjęcie.jpg", "=?x"]


def test_the_first_attachments_are_described_and_all_are_counted() -> None:
    """A mail with a hundred files is an event of a known size."""
    found = read(mixed(*(part(b"x", b"Content-Type: image/png") for _ in range(100))))
    assert (len(found.files), found.attachments) == (mime.FILES_MAX, 100)


def test_a_text_with_a_file_name_is_no_file_where_it_is_the_mail_itself() -> None:
    """What is shown as her words is not shown as an attachment as well."""
    named = part(b"hello", b'Content-Type: text/plain; name="a.txt"')
    photo = part(b"x", b"Content-Type: image/png")
    found = read(mixed(named, photo))
    assert (found.text.strip(), found.attachments) == ("hello", 1)
    assert [file.kind for file in found.files] == ["image/png"]


def test_words_behind_a_picture_in_the_markup_are_read() -> None:
    """Some programs put the photograph itself into the page."""
    picture = b"data:image/jpeg;base64," + base64.b64encode(photograph(400_000))
    page = b"<p>The lock is broken.</p><img src='" + picture + b"'><p>What now?</p>"
    found = read(FROM + b"Content-Type: text/html\r\n\r\n" + page)
    assert found.text.split() == ["The", "lock", "is", "broken.", "What", "now?"]


def test_so_much_text_is_read_and_no_more() -> None:
    """An event keeps half of it; the mail's own words come before those of a second part."""
    long = b"word " * 100_000
    found = read(mixed(part(b"hello"), part(long), part(b"<p>" * 10, b"Content-Type: text/html")))
    assert found.text.startswith("hello\nword word")
    assert mime.TEXT_MAX_CHARACTERS - 10 <= len(found.text) <= mime.TEXT_MAX_CHARACTERS + 10


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"a:b\n" * 1_100_000, id="fields"),
        pytest.param(
            FROM + b"Content-Type: multipart/mixed; boundary=x\n\n" + b"--x\n\n" * 70_000,
            id="parts",
        ),
        pytest.param(
            FROM + b"Content-Type: multipart/report; boundary=x\n\n--x\n"
            b"Content-Type: Message/Delivery-Status\n\n" + b"a: b\n\n" * 70_000,
            id="paragraphs of a report",
        ),
    ],
)  # fmt: skip
def test_what_would_take_too_much_memory_or_time_is_not_followed(content: bytes) -> None:
    """A mail of a size that was not taken before costs no more than its size is worth."""
    assert mime.read(content) is None


def nested(levels: int, boundary: bytes) -> bytes:
    """The heads of parts inside of parts, each boundary longer than the one around it."""
    lines = [boundary + b"b" * level for level in range(levels)]
    return b"".join(b"Content-Type: multipart/mixed; boundary=%s\n\n--%s\n" % (b, b) for b in lines)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "content",
    [
        pytest.param(FROM + b"\r\n" + b"\n" * 20_000_000, id="lines"),
        pytest.param(FROM + b"\r\n" + b"\r" * 20_000_000, id="bare carriage returns"),
        pytest.param(FROM + nested(900, b"x") + b"\n" * 20_000_000, id="nesting"),
        pytest.param(FROM + nested(900, b"x") + b"\n--x" * 50_000, id="the outermost boundary"),
        pytest.param(
            FROM + nested(40, b"x") + b"\n--" + b"xb" * 50_000 + (b"\n--x" + b"b" * 40) * 50_000,
            id="boundaries that begin like others",
        ),
        pytest.param(FROM + nested(40, b"-") + b"-" * 10_000_000, id="dashes"),
        pytest.param(
            FROM + b"Content-Type: message/rfc822\n\n" * 50_000 + b"\nhello", id="mails in mails"
        ),
        pytest.param(
            FROM + b"Content-Type: message/rfc822\n\n" + nested(300, b"x") + b"\n--x" * 50_000,
            id="a mail that is written anew",
        ),
    ],
)
def test_what_a_parser_by_lines_would_be_long_at_is_read_in_time(content: bytes) -> None:
    """The time grows with the length of a mail, whatever is nested in it: the limit would be minutes away."""
    found = read(content)
    assert found.attachments <= 50_000
    assert not found.text.strip(" \r\n-bx")


@pytest.mark.parametrize("file_name", [b"", b"; name=a.html"])
def test_many_pages_of_markup_are_read_to_the_limit_of_all(file_name: bytes) -> None:
    """However many parts or files a mail has, the text that is looked at is bounded in sum."""
    page = b"<p>ab</p>" * 10_000
    pages = [part(page, b"Content-Type: text/html" + file_name) for _ in range(6)]
    assert len(read(mixed(*pages)).text.split()) <= mime.TEXT_MAX_CHARACTERS // len("<p>ab</p>") + 1


def test_a_large_mail_with_many_forwarded_ones_is_read() -> None:
    """What counts is how long the parser takes beside the size of the mail."""
    forwarded = part(mail_of(photograph(3_000), boundary=b"y"), b"Content-Type: message/rfc822")
    photo = part(base64.encodebytes(photograph(4_000_000)), b"Content-Type: image/jpeg")
    found = read(mixed(part(b"hello"), *([forwarded] * 69), photo))
    assert (found.text, found.attachments) == ("hello", 70)


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_what_lies_below_the_head_is_given_in_pieces(end: bytes) -> None:
    """It is the same as all of it at once, wherever a slice ends."""
    below = end.join([b"ab"] * 200_000)
    body = FROM.strip() + end * 2 + b" \t" + end + below + end * 3 + b" " * mime.SLICE_BYTES
    for more in (b"", b"x", b"xy"):
        pieces = list(mime.below_head(more + body))
        assert b"".join(pieces) == below.replace(b"\r\n", b"\n")
        assert max(len(piece) for piece in pieces) <= mime.SLICE_BYTES
    assert b"".join(mime.below_head(b"a: b")) == b""
    assert b"".join(mime.below_head(b"a: b\n\n  ")) == b""
