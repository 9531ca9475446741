"""The providers' APIs of a story answer as the provider whose host was asked, and keep what arrived."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest

from deploy.story import acting
from deploy.story.checks.expectations import look
from deploy.story.errors import StepFailed, StoryStackUnusable
from deploy.story.file.model import Expect, ReceiptStep
from deploy.story.file.reading import parse_story
from deploy.story.providers import Provider, api_server
from deploy.story.providers.api import ApiAnswer, ApiRequest, Arrived
from deploy.story.session import Session

HERE = Path(__file__).parent
HOST = "api.provider.example"
SAID = '{"to": "u-1", "text": "Dzień dobry"}'.encode()


def answer_of(name: str, path: str) -> Any:
    """Return the `answer` of a provider that takes texts on one path, as its first to its last."""

    def answer(request: ApiRequest) -> ApiAnswer | None:
        if request.path.partition("?")[0] != path:
            return None
        said = request.content
        arrived = Arrived(name, str(said["to"]), str(said["text"]), f"m{request.number}", request)
        return ApiAnswer({"id": arrived.provider_id}, arrived=arrived)

    return answer


def served() -> api_server.ApiServer:
    """A server of two providers that share a host."""
    providers = {
        name: SimpleNamespace(NAME=name, HOSTS=(HOST,), answer=answer_of(name, path))
        for name, path in (("one", "/one/send"), ("two", "/two/send"))
    }
    return api_server.ApiServer(cast("dict[str, Provider]", providers))


async def asked(url: str, path: str, **content: Any) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.post(f"{url}/{path}", **content)


async def test_the_provider_whose_host_is_asked_answers_and_the_message_is_kept() -> None:
    """JSON and forms; providers that share a host are told apart by what they make of the request."""
    async with api_server.listening(served()) as server:
        said = {"to": "u-1", "text": "Dzień dobry"}
        first = await asked(server.url, f"{HOST}/two/send?v=1", json=said)
        second = await asked(server.url, f"{HOST}/one/send", data=said)
    assert [first.json(), second.json()] == [{"id": "m1"}, {"id": "m2"}]
    assert [(each.channel, each.to, each.text) for each in server.arrived] == [
        ("two", "u-1", "Dzień dobry"),
        ("one", "u-1", "Dzień dobry"),
    ]
    assert [(each.host, each.method, each.path) for each in server.requests] == [
        (HOST, "POST", "/two/send?v=1"),
        (HOST, "POST", "/one/send"),
    ]


@pytest.mark.parametrize("path", ["", "elsewhere.example/one/send", f"{HOST}/three/send"])
async def test_what_no_provider_takes_is_not_found_and_arrives_nowhere(path: str) -> None:
    """A typing error in an address is an answer that a channel must cope with."""
    async with api_server.listening(served()) as server:
        answer = await asked(server.url, path, json={})
    assert (answer.status_code, server.arrived, len(server.requests)) == (404, [], 1)


def stage_of(server: api_server.ApiServer) -> Session:
    """As much of a session as reports and expectations need."""
    return cast("Session", SimpleNamespace(apis=server))


@pytest.mark.parametrize(
    ("wanted", "met"),
    [
        ("{by: two, to: u-1, contains: [Dzień, dobry], count: 1}", True),
        ("{by: two}", True),
        ("{by: one}", False),
        ("{by: two, to: u-2}", False),
        ("{by: two, contains: [evening]}", False),
        ("{by: two, count: 2}", False),
        ("{by: one, count: 0}", True),
    ],
)
async def test_an_expectation_looks_at_what_one_channel_took(wanted: str, met: bool) -> None:
    """By customer and words; without a count one is enough."""
    server = served()
    server.take(ApiRequest(HOST, "POST", "/two/send", {}, SAID, 1))
    written = f"{{expect: message, {wanted[1:]}".encode()
    (step,) = parse_story(b"story: sample\nsteps:\n  - " + written, HERE).steps
    assert isinstance(step, Expect)
    assert ((await look(stage_of(server), step)).code is None) is met


@pytest.mark.parametrize("step", ["to: u-2, ", ""])
async def test_what_no_provider_took_nobody_reports_on(step: str) -> None:
    """Neither on another customer's message, nor on another channel's."""
    server = served()
    server.take(ApiRequest(HOST, "POST", "/two/send", {}, SAID, 1))
    account = "two/shop" if step else "form/contact"
    written = f"  - {{receipt: {account}, says: read, {step}within: 0}}".encode()
    (receipt,) = parse_story(b"story: sample\nsteps:\n" + written, HERE).steps
    assert isinstance(receipt, ReceiptStep)
    with pytest.raises(StepFailed) as failed:
        await acting.act(stage_of(server), receipt, "1")
    assert failed.value.code == "step.nothing_to_report"


async def test_a_place_that_is_taken_is_told() -> None:
    """On a running stack the place is the one that the stack was started with."""
    async with api_server.listening(served()) as server:
        port = int(server.url.rpartition(":")[2])
        with pytest.raises(StoryStackUnusable, match="the providers cannot listen"):
            async with api_server.listening(served(), port=port):
                raise AssertionError("the port is taken")
