"""Mails whose programs wrote the standard's forms their own way: identifiers without brackets, odd transfer encodings.

Of kinds that users of other programs have reported: python/cpython#137687, staktrace/mailparse#95 and
php-mime-mail-parser/php-mime-mail-parser#236, read 2026-11.
"""

import hashlib

import pytest

from services.ingest.domain import mail_headers, mime


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("<a@b> <c@d>", ["a@b", "c@d"]),
        ("a@b", ["a@b"]),
        ("000-ARF", ["000-ARF"]),
        ("<1 2@b>", ["1 2@b"]),
        ("a@b, c@d", ["a@b", "c@d"]),
        ("Your message of Monday", []),
        ("Your message of Monday <a@b>", ["a@b"]),
        ("<>", []),
        (None, []),
    ],
)
def test_an_identifier_may_lack_its_brackets(written: str | None, found: list[str]) -> None:
    """What a program calls its own mail others call it, too; a sentence names none."""
    assert mail_headers.message_ids(written) == found


FILE = b"JVBE\r\nRi0=\r\n"


@pytest.mark.parametrize(
    ("encoding", "written", "content"),
    [
        (b"base64", FILE, b"%PDF-"),
        (b"base64  ", FILE, b"%PDF-"),
        (b"BASE64;", FILE, b"%PDF-"),
        (b"base64 (a file)", FILE, b"%PDF-"),
        (b"base64", FILE + b"MS40", b"%PDF-1.4"),
        (b"base64", FILE + b"MS40MQ==\r\n" + FILE, b"%PDF-1.41%PDF-"),
        (b"quoted-printable ;", b"=25PDF-", b"%PDF-"),
    ],
)
def test_a_file_is_whole_however_its_encoding_is_written(
    encoding: bytes, written: bytes, content: bytes
) -> None:
    """Blanks behind the encoding's name left files as they are encoded, padding in the middle cut them off."""
    part = b"Content-Type: application/pdf\r\nContent-Transfer-Encoding: " + encoding
    head = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
    mail = mime.read(
        b"From: a@b.example\r\nMIME-Version: 1.0\r\n"
        + head
        + part
        + b"\r\n\r\n"
        + written
        + b"\r\n--b--\r\n"
    )
    assert mail is not None
    (file,) = mail.files
    assert file.sha256 == hashlib.sha256(content).hexdigest()
    assert file.size_bytes == len(content)
