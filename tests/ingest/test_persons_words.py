"""What could not be read and may hold a person's words is marked so, at every door; the words themselves go nowhere."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote_plus

import httpx
import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from deploy.embedded.ports import free_ports
from services.ingest.domain import persons_words
from services.ingest.domain.outcome import quarantine_event, unreadable
from tests.ingest.running_ingest import (
    SECRET,
    RunningIngest,
    by_webhook,
    called,
    raw,
    running,
    signed,
)
from tests.ingest.test_channels import SAMPLES
from tests.support.servers import EmbeddedNats

PHRASE = "Gdzie jest moja paczka"
TWILIO = {"sms", "twilio_voice"}
"""They sign the address, and each field of a form by itself."""


@pytest_asyncio.fixture
async def ingest(ingest_nats: EmbeddedNats, tmp_path: Path) -> AsyncIterator[RunningIngest]:
    async with running(ingest_nats.url, tmp_path, port=free_ports(1)[0]) as started:
        yield started


async def deliver(ingest: RunningIngest, channel: str) -> httpx.Response:
    """A signed delivery that is nothing the channel sends, with what a customer said somewhere in it."""
    fields, sample = {"event": "NOTIFY_START", "a": PHRASE}, SAMPLES[channel]
    body = f"event=NOTIFY_START&a={quote_plus(PHRASE)}".encode()
    if channel == "email":
        body = PHRASE.encode() + b"\0"  # a text without a head would be a mail
    elif channel == "livechat":
        body = json.dumps({"a": PHRASE}).encode()
    headers, body = replace(sample, body=body).sent(SECRET)
    if sample.sign is by_webhook:
        headers = signed(SECRET, body)
    if channel in TWILIO:
        headers = called(SECRET, ingest.door(channel), fields)
    return await ingest.http.post(
        ingest.door(channel), content=body, headers={**dict(sample.headers), **headers}
    )


async def test_at_every_door_it_is_marked_and_told_in_no_log(ingest: RunningIngest) -> None:
    """The provider is answered well, for the evidence is kept; who reads logs reads nothing of it."""
    with capture_logs() as logs:
        for channel in SAMPLES:
            answer = await deliver(ingest, channel)
            assert answer.is_success, (channel, answer.text)
        for channel in SAMPLES:
            (event,) = await ingest.contacts(channel, 1)
            assert event["type"] == "payload.quarantined", channel
            assert event["data"]["open"]["words"], channel
            assert "paczka" not in json.dumps(event)
    assert [each for each in logs if each.get("result") == "quarantined"]
    assert "paczka" not in repr(logs)


@pytest.mark.parametrize(
    "body",
    [
        PHRASE.encode(),
        b'{"text": "Where is, my parcel',
        b"Body=Where+is+my+parcel%3F",
        b"Body=%C5%81%C3%B3d%C5%BA%20jest%20moja",
        b'{"text":"\\u0413\\u0434\\u0435 \\u043c\\u043e\\u044f \\u043f\\u043e\\u0441\\u044b\\u043b\\u043a\\u0430',
        "私の荷物はどこですか".encode(),
        "Where is my parcel".encode("utf-16"),
        b"\xff\xfe\x00 Where is my parcel \xff",
        b"x" * 10_000 + b" where is it",
    ],
)
def test_words_in_a_row_are_a_persons(body: bytes) -> None:
    """As they are, or as a form or JSON writes them; also in what is damaged around them."""
    assert persons_words.seem_to_stand_in(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe\x00",
        b'{"object":"page","entry":[{"id":"1","time":2}]}',
        b"CallSid=CA1&CallStatus=in-progress&Direction=inbound",
        b'{"event":"typing_started","chat_id":"PJ0MRSHTDG"}',
        b"event: Newstate\r\nChannel: PJSIP/101-0000002a\r\nChannelState: 6\r\n",
        b" ".join(b"%d" % number for number in range(100)),
        b"a" * 200_000,
        b" " * 70_000 + b"where is my parcel",
    ],
)
def test_what_a_machine_says_is_not(body: bytes) -> None:
    """Names of fields, ids and numbers call nobody; what lies beyond the bound is not looked at."""
    assert not persons_words.seem_to_stand_in(body)


def test_of_a_body_that_is_lost_nobody_knows() -> None:
    """It may have been a customer's: a person is told."""
    lost = replace(raw("email", b""), lost="payload.body_missing")
    assert quarantine_event(lost, unreadable()).open.words
    assert not quarantine_event(raw("email", b""), unreadable()).open.words
