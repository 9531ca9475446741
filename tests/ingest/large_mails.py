"""Mails with a photograph, for the tests of what is large."""

import base64
import hashlib


def photograph(size_bytes: int, number: int = 1) -> bytes:
    """Bytes that look like chance and are always the same."""
    return hashlib.shake_128(b"%d" % number).digest(size_bytes)


PHOTO = photograph(300_000)


def mail_of(photo: bytes, *, name: bytes = b"m1", boundary: bytes = b"x") -> bytes:
    """A mail of two words and a photograph, as a mail program encodes it."""
    encoded = base64.encodebytes(photo).replace(b"\n", b"\r\n")
    return (
        b"From: Anna <anna@customer.example>\r\nTo: help@shop.example\r\nSubject: A photograph\r\n"
        b"Message-ID: <%s@customer.example>\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: multipart/mixed; boundary=%s\r\n\r\n"
        b"--%s\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nSee the photograph.\r\n"
        b"--%s\r\nContent-Type: image/jpeg\r\nContent-Disposition: attachment; filename=photo.jpg\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n%s\r\n--%s--\r\n"
        % (name, boundary, boundary, boundary, encoded, boundary)
    )
