"""The mail boxes of a story keep what arrives."""

import aiosmtplib

from deploy.story.providers.mail_sink import mail_sink

MAIL = (
    "From: help@shop.example\r\nTo: anna@mail.example\r\nSubject: =?utf-8?q?Twoja_paczka_=C5=BC?=\r\n"
    "Message-ID: <msg-1.c1@shop.example>\r\nContent-Type: text/plain; charset=utf-8\r\n"
    "Content-Transfer-Encoding: quoted-printable\r\n\r\nDzie=C5=84 dobry,\r\nit is here.\r\n"
)


async def test_a_mail_is_kept_as_people_read_it() -> None:
    """Envelope, decoded title and text."""
    async with mail_sink() as sink:
        host, _, port = sink.url.removeprefix("smtp://").partition(":")
        client = aiosmtplib.SMTP(hostname=host, port=int(port))
        await client.connect()
        await client.sendmail("help@shop.example", ["anna@mail.example"], MAIL)
        await client.quit()
        (mail,) = sink.mails
    assert mail.to == ("anna@mail.example",)
    assert mail.title == "Twoja paczka ż"
    assert mail.text == "Dzień dobry,\nit is here.\n"
    assert mail.message_id == "<msg-1.c1@shop.example>"
