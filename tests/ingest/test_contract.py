"""What the channel contract carries beyond the channels there are: a handshake, several secrets, several customers."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import httpx
import pytest
import pytest_asyncio

from deploy.embedded.ports import free_ports
from services.ingest.channels import CHANNELS, Channel
from services.ingest.domain import outcome, webhook_signature
from services.ingest.domain.delivery import (
    Answer,
    RawDelivery,
    Secrets,
    WebRequest,
    no_answer,
)
from shared import events, streams, subjects
from shared.errors import SignatureInvalid
from tests.ingest.running_ingest import RunningIngest, running, stored
from tests.ingest.test_doors import refused
from tests.support.servers import EmbeddedNats

NAME = "several"
"""A provider as Meta is one: it tries a door by GET, and one delivery holds messages of several customers."""


def handshake(request: WebRequest, secrets: Secrets) -> Answer | None:
    asked = httpx.QueryParams(request.url.partition("?")[2])
    if asked.get("token") != secrets["verify"]:
        raise SignatureInvalid
    return Answer(asked["challenge"].encode(), "text/plain")


def verify(request: WebRequest, secrets: Secrets, public_url: str) -> None:  # noqa: ARG001  the shared shape
    assert request.method == "POST"
    webhook_signature.verify(request, secrets["signing"])


def parse(raw: RawDelivery) -> outcome.Parsed:
    return outcome.Reported([(each["from"], _event(raw, each)) for each in json.loads(raw.body)])


def _event(raw: RawDelivery, message: Mapping[str, str]) -> events.ContactEvent:
    about = outcome.about(raw, "message", message["from"], message["id"])
    opened = events.MessageReceivedOpen(**about)
    personal = events.MessageReceivedPersonal(text=message["text"], title=message["text"])
    return outcome.contact_event(raw, events.MessageReceived, opened, personal)


SEVERAL = SimpleNamespace(
    NAME=NAME,
    MEDIUM="message",
    SECRETS=("signing", "verify"),
    KINDS={"message": "message.received"},
    handshake=handshake,
    verify=verify,
    answer=no_answer,
    parse=parse,
)


@pytest_asyncio.fixture
async def ingest(
    ingest_nats: EmbeddedNats, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[RunningIngest]:
    """Ingest as it runs, with one channel more."""
    monkeypatch.setitem(cast("dict[str, Channel]", CHANNELS), NAME, cast("Channel", SEVERAL))
    async with running(ingest_nats.url, tmp_path, port=free_ports(1)[0]) as started:
        yield started


async def test_a_handshake_by_get_is_answered_and_stored_nowhere(ingest: RunningIngest) -> None:
    """The provider hears its challenge; a wrong token is a forgery; a channel without handshakes knows no GET."""
    door = ingest.door(NAME)
    good = await ingest.http.get(f"{door}?token=verify-me&challenge=c-1")
    assert (good.status_code, good.text) == (200, "c-1")
    guessed = await ingest.http.get(f"{door}?token=guessed&challenge=c-1")
    assert refused(guessed, 403, "door.signature_invalid")
    assert refused(await ingest.http.get(ingest.door("form")), 405, "door.method_unknown")
    assert await ingest.raw(NAME) == []


async def test_a_delivery_of_several_customers_keeps_each_in_her_own_order(
    ingest: RunningIngest,
) -> None:
    """Every event has a routing key of its own: the one of its customer, not of the first in the delivery."""
    messages = [
        {"from": who, "id": f"{who}-{number}", "text": "hello"}
        for number in (1, 2)
        for who in ("anna", "ewa", "jan")
    ]
    answer = await ingest.send(NAME, json.dumps(messages).encode(), webhook_id="w1")
    assert answer.status_code == 204
    await ingest.normalised(NAME)
    for who in ("anna", "ewa", "jan"):
        kept = await _of_partition(ingest, who)
        assert [each for each in kept if each.startswith(who)] == [f"{who}-1", f"{who}-2"]


@pytest.mark.parametrize(
    "bad",
    [
        {"from": "bad", "id": "b", "text": "\ud83d"},
        {"from": "\ud83d", "id": "b", "text": "hello"},
        {"from": "bad", "id": "b", "text": "x" * 150_000},
    ],
)
async def test_what_no_stream_takes_is_quarantined_and_holds_up_nobody(
    ingest: RunningIngest, bad: dict[str, str]
) -> None:
    """A channel's mistake costs its delivery, never the service or the deliveries behind."""
    for name, messages in (("w1", [bad]), ("w2", [{"from": "ewa", "id": "ewa-1", "text": "hi"}])):
        answer = await ingest.send(NAME, json.dumps(messages).encode(), webhook_id=name)
        assert answer.status_code == 204
    await ingest.normalised(NAME)
    assert await _of_partition(ingest, "ewa") == ["ewa-1"]


async def _of_partition(ingest: RunningIngest, routing_key: str) -> Sequence[str]:
    """The provider's ids of the messages on a customer's partition, in order; an account's events may be among them."""
    subject = subjects.contact(
        ingest.tenant, NAME, routing_key, "any", streams.contact_partitions("written")
    )
    subject = subject.removesuffix("any") + "*"
    found = await stored(ingest.bus, "CONTACTS", subject)
    events = [json.loads(message.body) for message in found]
    messages = [each for each in events if each["type"] == "message.received"]
    return [each["data"]["open"]["provider_id"] for each in messages]


async def test_an_account_that_lacks_a_secret_takes_nothing(
    ingest_nats: EmbeddedNats, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two that its channel needs one has no value: neither a handshake nor a delivery is believed."""
    needs = SimpleNamespace(**{**vars(SEVERAL), "SECRETS": ("signing", "missing")})
    monkeypatch.setitem(cast("dict[str, Channel]", CHANNELS), NAME, cast("Channel", needs))
    async with running(ingest_nats.url, tmp_path, port=free_ports(1)[0]) as ingest:
        asked = await ingest.http.get(f"{ingest.door(NAME)}?token=verify-me&challenge=c-1")
        assert refused(asked, 405, "door.method_unknown")
        assert refused(
            await ingest.send(NAME, b"[]", webhook_id="w1"), 403, "door.signature_invalid"
        )
