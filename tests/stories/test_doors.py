"""Deliveries are made as providers make them, and sent until they are answered."""

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from deploy.story.acting import content_of
from deploy.story.errors import StoryInvalid
from deploy.story.file.model import DoorStep
from deploy.story.providers import PROVIDERS, doors, provider_of, standard_webhooks
from shared.errors import AccountUnknown, PayloadUnreadable

ADDRESS = "http://127.0.0.1:1"


def make(
    account: str, content: Any, key: str | None = "key", address: str = ADDRESS
) -> doors.Delivery:
    door = doors.door_of(address, "https://shop.example", "demo", account)
    return doors.make_delivery(provider_of(account), door, content, key, {})


def test_the_telephone_signature_is_the_providers() -> None:
    """The provider's own validator takes it, with a repeated parameter and letters beyond ASCII."""
    body = {"CallSid": "CA1", "From": "+48601234567", "Name": "Żółw", "Tag": ["b", "a", "b"]}
    delivery = make("twilio_voice/hotline", body)
    url = "https://shop.example/in/demo/twilio_voice/hotline"
    assert delivery.body.count(b"Tag=") == 3
    taken = RequestValidator("key").validate(
        url, Parameters(delivery.body), delivery.headers["x-twilio-signature"]
    )
    assert taken


class Parameters(dict[str, str]):
    """A form as web frameworks give it to the validator: one value by name, or all of them."""

    def __init__(self, body: bytes) -> None:
        self._pairs = parse_qsl(body.decode())
        super().__init__(self._pairs)

    def getlist(self, name: str) -> list[str]:
        return [value for each, value in self._pairs if each == name]


def test_the_webhook_signature_is_the_standards() -> None:
    """The example of the Standard Webhooks specification."""
    signature = standard_webhooks.signature(
        "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
        "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
        1649367553,
        b'{"email":"test@example.com","username":"test_user"}',
    )
    assert signature == "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="


def test_the_same_bytes_are_the_same_delivery_to_a_webhook() -> None:
    """The id is the body's own, unless the story names one."""
    first, again, other = (make("form/contact", body) for body in ("a", "a", "b"))
    assert first.headers["webhook-id"] == again.headers["webhook-id"]
    assert first.headers["webhook-id"] != other.headers["webhook-id"]
    signed = standard_webhooks.sign("key", "", b"a", {"webhook-id": "msg_1"})
    assert signed["webhook-id"] == "msg_1"


@pytest.mark.parametrize("key", [None, "wrong"])
@pytest.mark.parametrize("account", ["form/contact", "twilio_voice/hotline"])
def test_a_story_may_leave_the_signature_out_or_forge_it(account: str, key: str | None) -> None:
    """No signature, or one by another key; the body stays."""
    good, bad = make(account, {"a": "b"}), make(account, {"a": "b"}, key)
    assert good.body == bad.body
    header = {"form": "webhook-signature", "twilio_voice": "x-twilio-signature"}[
        account.partition("/")[0]
    ]
    assert bad.headers.get(header) != good.headers[header]


def test_a_mail_has_the_line_ends_of_the_wire() -> None:
    """YAML's line ends become those of RFC 5322, and only once."""
    delivery = make("email/shop", "Subject: a\n\nb\r\nc\n")
    assert delivery.body == b"Subject: a\r\n\r\nb\r\nc\r\n"
    assert delivery.headers["content-type"] == "message/rfc822"


@pytest.mark.parametrize("provider", PROVIDERS)
def test_bytes_and_texts_are_sent_as_they_stand(provider: str) -> None:
    """For bodies that nobody can read."""
    assert make(f"{provider}/a", '{"a": ').body == b'{"a": '
    assert make(f"{provider}/a", b"\xff\x00").body == b"\xff\x00"


@pytest.mark.parametrize(("provider", "content"), [("twilio_voice", ["a"]), ("email", {"a": "b"})])
def test_what_a_provider_cannot_send_is_refused(provider: str, content: Any) -> None:
    """A slip in a story is found before anything is sent."""
    with pytest.raises(PayloadUnreadable):
        make(f"{provider}/a", content)


def test_a_channel_that_nobody_plays_is_refused() -> None:
    """It has no file beside the others."""
    with pytest.raises(AccountUnknown):
        provider_of("fax/shop")


def test_a_file_beside_the_story_is_sent(tmp_path: Path) -> None:
    """`file` is relative to the story; one that is not there makes the story unusable."""
    (tmp_path / "a.eml").write_text("Subject: a\n\nb\n")
    step = DoorStep(door="email/shop", file="a.eml")
    assert content_of(step, tmp_path) == "Subject: a\n\nb\n"
    with pytest.raises(StoryInvalid, match="cannot be read"):
        content_of(step, tmp_path / "elsewhere")


async def test_a_delivery_is_sent_again_until_the_door_takes_it() -> None:
    """503 is answered as providers do: by the same bytes once more."""
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        size = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        seen.append(await reader.readexactly(size))
        status = b"503 Service Unavailable" if len(seen) == 1 else b"403 Forbidden"
        body = b'{"code": "door.signature_invalid"}'
        head = b"HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % (
            status,
            len(body),
        )
        writer.write(head + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        here = f"http://127.0.0.1:{port}"
        answer = await doors.deliver(make("form/contact", {"a": "b"}, address=here))
    assert (answer.status, answer.code, answer.refused) == (403, "door.signature_invalid", True)
    assert seen == [b'{"a":"b"}', b'{"a":"b"}']
