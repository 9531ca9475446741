"""Deliveries are made as providers make them, and sent until they are answered."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qsl

import pytest
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from deploy.story.errors import StoryInvalid
from deploy.story.file.model import DoorStep
from deploy.story.providers import doors, signing
from deploy.story.stack import Stack

HERE = Path(__file__).parent


class Address:
    """As much of a stack as a delivery needs."""

    def __init__(self, ingest: str = "http://127.0.0.1:1") -> None:
        self.addresses = {"ingest": ingest}
        self.public_url = "https://shop.example"


def make(step: DoorStep, address: Address | None = None) -> doors.Delivery:
    stack = cast("Stack", address or Address())
    return doors.make_delivery(step, stack, "demo", "key", HERE)


def test_the_telephone_signature_is_the_providers() -> None:
    """The provider's own validator takes it, with a repeated parameter and letters beyond ASCII."""
    body = {"CallSid": "CA1", "From": "+48601234567", "Name": "Żółw", "Tag": ["b", "a", "b"]}
    delivery = make(DoorStep(door="twilio_voice/hotline", body=body))
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
    signature = signing.standard_webhook_signature(
        "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
        "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
        1649367553,
        b'{"email":"test@example.com","username":"test_user"}',
    )
    assert signature == "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="


@pytest.mark.parametrize("sign", [False, "wrong"])
def test_a_story_may_leave_the_signature_out_or_forge_it(sign: Any) -> None:
    """No signature, or one by another key."""
    good = make(DoorStep(door="form/contact", body={"a": "b"}))
    bad = make(DoorStep(door="form/contact", body={"a": "b"}, sign=sign))
    assert good.body == bad.body
    assert bad.headers.get("webhook-signature") != good.headers["webhook-signature"]


def test_a_mail_has_the_line_ends_of_the_wire() -> None:
    """YAML's line ends become those of RFC 5322, and only once."""
    delivery = make(DoorStep(door="email/shop", body="Subject: a\n\nb\r\nc\n"))
    assert delivery.body == b"Subject: a\r\n\r\nb\r\nc\r\n"
    assert delivery.headers["content-type"] == "message/rfc822"


def test_bytes_and_texts_are_sent_as_they_stand() -> None:
    """For bodies that nobody can read."""
    assert make(DoorStep(door="form/contact", body='{"a": ')).body == b'{"a": '
    assert make(DoorStep(door="form/contact", body=b"\xff\x00")).body == b"\xff\x00"


def test_a_file_beside_the_story_is_sent(tmp_path: Path) -> None:
    """`file` is relative to the story; one that is not there makes the story unusable."""
    (tmp_path / "a.eml").write_text("Subject: a\n\nb\n")
    stack = cast("Stack", Address())
    step = DoorStep(door="email/shop", file="a.eml")
    assert doors.make_delivery(step, stack, "demo", "key", tmp_path).body.startswith(b"Subject: a")
    with pytest.raises(StoryInvalid, match="cannot be read"):
        doors.make_delivery(step, stack, "demo", "key", tmp_path / "elsewhere")


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
        step = DoorStep(door="form/contact", body={"a": "b"})
        answer = await doors.deliver(make(step, Address(f"http://127.0.0.1:{port}")))
    assert (answer.status, answer.code, answer.refused) == (403, "door.signature_invalid", True)
    assert seen == [b'{"a":"b"}', b'{"a":"b"}']
