"""The doors, over real HTTP and a real store."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from deploy.embedded.ports import free_ports
from shared import ids
from tests.ingest.running_ingest import (
    SECRET,
    RunningIngest,
    called,
    running,
    signed,
)
from tests.support.servers import EmbeddedNats

CALL = {"CallSid": "CA1", "CallStatus": "ringing", "From": "+48601234567", "Direction": "inbound"}
FORM = b'{"message":"hello","submission_id":"f-1"}'
JSON = {"content-type": "application/json"}


def refused(answer: httpx.Response, status: int, code: str) -> bool:
    """Check a refusal's whole shape."""
    body = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(body) == {"type", "title", "status", "code"}
    assert body["type"] == f"urn:tellonce:problem:{code}"
    return (answer.status_code, body["status"], body["code"]) == (status, status, code)


async def test_a_call_is_in_raw_when_its_door_answers(ingest: RunningIngest) -> None:
    """The answer is the account's TwiML, and RAW holds the body as sent and the headers without secrets."""
    answer = await ingest.call(CALL, suffix="?menu=1")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8")
    assert answer.text == "<Response><Gather/><Hangup/></Response>"
    (stored,) = await ingest.raw("twilio_voice")
    assert stored.body == answer.request.content
    assert (
        stored.headers["Tellonce-Path"]
        == ingest.door("twilio_voice")[len(ingest.url) :] + "?menu=1"
    )
    assert stored.headers["Tellonce-Received"].startswith("20")
    kept = dict(json.loads(stored.headers["Tellonce-Headers"]))
    assert kept["content-type"] == "application/x-www-form-urlencoded"
    assert "x-twilio-signature" not in kept


async def test_other_doors_answer_empty(ingest: RunningIngest) -> None:
    """A provider that wants to know only that we have it gets 204 without a body."""
    answer = await ingest.send("form", FORM, webhook_id="w1", **JSON)
    assert (answer.status_code, answer.content) == (204, b"")


async def test_secrets_never_reach_raw(ingest: RunningIngest) -> None:
    """Signatures, cookies, tokens and authorization are not stored; what parsing needs cannot be pushed out."""
    padding = {f"x-{number}": "p" * 600 for number in range(20)}
    headers = {
        **JSON,
        **padding,
        "cookie": "a=hush",
        "authorization": "Bearer hush",
        "x-api-key": "hush",
        "x-auth-token": "hush",
    }
    await ingest.send("form", FORM, webhook_id="w2", **headers)
    (stored,) = await ingest.raw("form")
    fields = stored.headers["Tellonce-Headers"]
    assert "hush" not in fields
    assert "signature" not in fields
    assert dict(json.loads(fields))["webhook-id"] == "w2"
    assert len(fields) <= ingest.settings.header_max_bytes


async def test_headers_beyond_their_limit_are_dropped(
    ingest_nats: EmbeddedNats, tmp_path: Path
) -> None:
    """The sum of what is kept is bounded, and what parsing needs is kept first."""
    port = free_ports(1)[0]
    async with running(ingest_nats.url, tmp_path, port=port, header_max_bytes=300) as ingest:
        padding = {f"x-{number}": "p" * 60 for number in range(20)}
        await ingest.send("form", FORM, webhook_id="w3", **JSON, **padding)
        (stored,) = await ingest.raw("form")
        fields = stored.headers["Tellonce-Headers"]
        assert len(fields) <= 300
        kept = [name for name, _ in json.loads(fields)]
        assert {"webhook-id", "webhook-timestamp", "content-type"} <= set(kept)


async def test_every_delivery_is_stored_repeats_included(ingest: RunningIngest) -> None:
    """Repeats are evidence: RAW holds both, each with a delivery id of its own."""
    for _ in range(2):
        assert (await ingest.send("form", FORM, webhook_id="w1", **JSON)).is_success
    first, again = await ingest.raw("form")
    assert first.body == again.body
    assert first.headers["Tellonce-Delivery"] != again.headers["Tellonce-Delivery"]


async def test_an_unreadable_delivery_is_taken(ingest: RunningIngest) -> None:
    """A provider that is refused gives up for good; the evidence is in RAW."""
    answer = await ingest.send("email", b"\x00\xff no mail", webhook_id="w1")
    assert answer.status_code == 204
    assert len(await ingest.raw("email")) == 1


# -- refusals -----------------------------------------------------------------------------------------


async def test_a_forged_or_missing_signature_is_refused_and_nothing_is_stored(
    ingest: RunningIngest,
) -> None:
    """403 with its code, and RAW stays empty."""
    url = ingest.door("twilio_voice")
    assert refused(await ingest.http.post(url, data=CALL), 403, "door.signature_invalid")
    forged = called("another secret", url, CALL)
    assert refused(
        await ingest.http.post(url, data=CALL, headers=forged), 403, "door.signature_invalid"
    )
    elsewhere = called(SECRET, "https://elsewhere.example/", CALL)
    assert refused(
        await ingest.http.post(url, data=CALL, headers=elsewhere), 403, "door.signature_invalid"
    )
    assert refused(
        await ingest.http.post(ingest.door("form"), content=FORM), 403, "door.signature_invalid"
    )
    assert await ingest.raw("twilio_voice") == []
    assert await ingest.raw("form") == []


async def test_an_account_without_its_secret_takes_nothing(
    ingest_nats: EmbeddedNats, tmp_path: Path
) -> None:
    """A secret that nobody configured is no open door: not even an empty one signs."""
    empty = tmp_path / "empty.env"
    empty.write_text("DOOR_SECRET=\n")
    port = free_ports(1)[0]
    async with running(ingest_nats.url, tmp_path, port=port, secrets_file=str(empty)) as ingest:
        headers = {**signed("", FORM), **JSON}
        answer = await ingest.http.post(ingest.door("form"), content=FORM, headers=headers)
        assert refused(answer, 403, "door.signature_invalid")
        assert await ingest.raw("form") == []


async def test_unknown_tenants_and_accounts_are_refused(ingest: RunningIngest) -> None:
    """404 with the code that says which; paths that climb lead nowhere."""
    base = f"{ingest.url}/in"
    for path, code in (
        (f"nobody/form/{ingest.account}", "tenant.unknown"),
        (f"{ingest.tenant}/form/nobody", "door.account_unknown"),
        (f"{ingest.tenant}/fax/{ingest.account}", "door.account_unknown"),
        (f"{ingest.tenant}/form", "door.account_unknown"),
        ("..%2f..%2fetc/form/passwd", "door.account_unknown"),
        (f"{ingest.tenant}/form/%00", "door.account_unknown"),
    ):
        headers = signed(SECRET, FORM)
        answer = await ingest.http.post(f"{base}/{path}", content=FORM, headers=headers)
        assert refused(answer, 404, code), path


async def test_the_tenant_is_asked_before_the_size_and_the_size_before_the_signature(
    ingest: RunningIngest,
) -> None:
    """The order of the checks: what is cheap and tells least comes first."""
    large = b"x" * (ingest.settings.body_max_bytes + 1)
    nobody = await ingest.http.post(f"{ingest.url}/in/nobody/form/x", content=large)
    assert refused(nobody, 404, "tenant.unknown")
    unsigned = await ingest.http.post(ingest.door("form"), content=large)
    assert refused(unsigned, 413, "door.body_too_large")


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("size_bytes", [196_609, 10_000_000])
async def test_an_oversize_body_is_refused(
    ingest: RunningIngest, chunked: bool, size_bytes: int
) -> None:
    """Whether its length is declared or not; the limit itself is still taken."""
    body = b"x" * size_bytes

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, size_bytes, 65_536):
            yield body[start : start + 65_536]

    headers = signed(SECRET, body)
    content = pieces() if chunked else body
    answer = await ingest.http.post(ingest.door("form"), content=content, headers=headers)
    assert refused(answer, 413, "door.body_too_large")
    fitting = b"{}".ljust(ingest.settings.body_max_bytes, b" ")
    assert (await ingest.send("form", fitting, webhook_id="w1")).status_code == 204


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_only_post_opens_a_door(ingest: RunningIngest, method: str) -> None:
    """405 with its code and the method that is allowed."""
    answer = await ingest.http.request(method, ingest.door("form"))
    assert refused(answer, 405, "door.method_unknown")
    assert answer.headers["allow"] == "POST"


async def test_health_and_readiness(ingest: RunningIngest) -> None:
    """Both answer while the store is there."""
    assert (await ingest.http.get(f"{ingest.url}/healthz")).status_code == 200
    assert (await ingest.http.get(f"{ingest.url}/readyz")).status_code == 200
    assert refused(await ingest.http.get(f"{ingest.url}/else"), 404, "door.account_unknown")


# -- the store is away ------------------------------------------------------------------------------------


async def test_nothing_is_answered_2xx_while_the_store_is_away(tmp_path: Path) -> None:
    """Killed: 503 with its code, and not ready; back: the same delivery is taken, and once."""
    async with EmbeddedNats(tmp_path / "nats") as server:
        port = free_ports(1)[0]
        async with running(server.url, tmp_path, port=port, door_timeout_seconds=1.0) as ingest:
            await server.kill()
            answer = await ingest.call(CALL)
            assert refused(answer, 503, "door.unavailable")
            assert answer.headers["retry-after"] == "1"
            ready = await ingest.http.get(f"{ingest.url}/readyz")
            assert refused(ready, 503, "bus.unavailable")
            assert (await ingest.http.get(f"{ingest.url}/healthz")).status_code == 200
            await server.restart()
            deadline = time.monotonic() + 10
            while (answer := await ingest.call(CALL)).status_code == 503:
                assert time.monotonic() < deadline
            assert answer.status_code == 200
            assert len(await ingest.raw("twilio_voice")) == 1


async def test_a_store_that_refuses_is_a_503(ingest: RunningIngest) -> None:
    """A stream that is full or misconfigured does not acknowledge, so nothing is promised."""
    config = (await ingest.bus.api("STREAM.INFO.RAW"))["config"]
    await ingest.bus.api("STREAM.UPDATE.RAW", {**config, "max_msg_size": 10})
    try:
        answer = await ingest.send("form", FORM, webhook_id="w1", **JSON)
        assert refused(answer, 503, "door.unavailable")
    finally:
        await ingest.bus.api("STREAM.UPDATE.RAW", config)
    assert (await ingest.send("form", FORM, webhook_id="w1", **JSON)).status_code == 204


# -- many ---------------------------------------------------------------------------------------------------


async def test_many_deliveries_at_once_are_all_stored(ingest: RunningIngest) -> None:
    """Two hundred in parallel: each 2xx stands in RAW."""
    bodies = [json.dumps({"message": f"m{number}"}).encode() for number in range(200)]
    answers = await asyncio.gather(
        *(ingest.send("form", body, webhook_id=f"w{n}", **JSON) for n, body in enumerate(bodies))
    )
    assert {answer.status_code for answer in answers} == {204}
    stored = {ids.body_sha256(each.body) for each in await ingest.raw("form")}
    assert stored == {ids.body_sha256(body) for body in bodies}
