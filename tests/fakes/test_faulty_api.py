"""Whatever a provider's API does, a message arrives at most once, and its outcome claims no more than is known."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from msgspec.structs import replace

from deploy.story.providers import Provider
from deploy.story.providers.api import ApiAnswer, ApiRequest, Arrived
from deploy.story.providers.api_server import listening
from services.notify.carriers import http
from services.notify.domain.asking import Doubt, no_finding, no_question
from services.notify.domain.messages import CustomerMessage, SendingSettings, uncounted
from services.notify.domain.outcomes import Outcome
from services.notify.domain.web import HttpAnswer, HttpRequest, json_request
from services.notify.sending import PAUSES_SECONDS, Sending
from services.notify.store import NotificationStore
from shared import events, policy
from shared.arrivals import Later
from shared.policies import Policies
from shared.settings import Settings
from tests.fakes.faulty_api import SLOWER, Fault, FaultyApi
from tests.notify.samples import message
from tests.notify.twins import FixedClock, MemoryReports
from tests.support.memory_ledger import MemoryLedger
from tests.support.memory_timers import MemoryTimers

HOST = "api.dove.example"
MESSAGES = 30
DOVECOTE = policy.Account(queue="hotline", address="tower")
POLICY = policy.load(Settings().policy)
POLICIES = Policies(replace(POLICY, accounts={**POLICY.accounts, "dove/cote": DOVECOTE}))


class DovePost:
    """A channel whose provider takes JSON and answers with its id of the message."""

    NAME = "dove"
    MEDIUM: events.Medium = "message"
    CARRIER = http.NAME
    SECRETS: Sequence[str] = ()
    TEMPLATES = False

    def address(self, to: str) -> str | None:
        return to

    def render(self, message: CustomerMessage, now: datetime) -> HttpRequest:
        said = {"to": message.to, "text": message.text, "ours": message.own_reference}
        return json_request(f"https://{HOST}/send", said)

    def parts(self, message: CustomerMessage) -> int | None:
        return uncounted(message)

    def ask(self, message: CustomerMessage, doubt: Doubt) -> Any:
        return no_question(message, doubt)

    def found(self, answer: HttpAnswer, message: CustomerMessage, doubt: Doubt) -> Outcome:
        return no_finding(answer, message, doubt)

    def outcome(self, answer: HttpAnswer) -> Outcome:
        if answer.status == 200 and "id" in answer.json:
            return Outcome(kind="sent", provider_id=str(answer.json["id"]))
        if answer.status == SLOWER.status:
            return Outcome(kind="failed", reason="throttled", temporary=True)
        return Outcome(kind="uncertain", reason="unreadable")


def takes(request: ApiRequest) -> ApiAnswer:
    """The provider's side of it; its id of a message is our own name of it."""
    said: dict[str, Any] = request.content
    arrived = Arrived("dove", said["to"], said["text"], said["ours"], request)
    return ApiAnswer({"id": said["ours"]}, arrived=arrived)


DOVES = cast(
    "Mapping[str, Provider]",
    {"dove": SimpleNamespace(NAME="dove", HOSTS=(HOST,), answer=takes)},
)
BAD_DAY: Mapping[Fault, float] = {
    "throttles": 0.2,
    "hangs_up": 0.1,
    "cuts": 0.1,
    "times_out": 0.1,
}


def sending(gateway: str, ledger: MemoryLedger, reports: MemoryReports) -> Sending:
    """A newly started process."""
    return Sending(
        NotificationStore(ledger, MemoryTimers(), cached=64, retries=3),
        {DovePost.NAME: DovePost()},
        {http.NAME: http.HttpCarrier(gateway)},
        reports,
        POLICIES,
        FixedClock(),
        SendingSettings(),
    )


async def send_all(gateway: str) -> MemoryReports:
    """Deliver every request for a message twice, to a process that was started in between."""
    ledger, reports = MemoryLedger(), MemoryReports()
    for attempt in (1, 2):
        process = sending(gateway, ledger, reports)
        for number in range(MESSAGES):
            asked = message(f"e{number}", message_id=f"m{number}", channel="dove", account="cote")
            try:
                await process.on_event(asked, attempt)
            except Later:
                assert attempt == 1
    return reports


@pytest.mark.parametrize("seed", range(4))
async def test_on_a_bad_day_every_message_arrives_at_most_once(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sent: it has arrived. Failed: it has not. Anything else is a doubt, and never tried again."""
    monkeypatch.setattr(http, "ANSWER_TIMEOUT_SECONDS", 0.1)
    async with listening(FaultyApi(DOVES, seed, BAD_DAY)) as api:
        reports = await send_all(api.url)
    arrived = Counter(each.provider_id.partition(".")[0] for each in api.arrived)
    ended = {str(each.open.message_id): each for each in reports.stored.values()}
    assert len(ended) == MESSAGES
    assert set(arrived.values()) == {1}
    kinds = {name: each.type.partition(".")[2] for name, each in ended.items()}
    for name, kind in kinds.items():
        assert kind == "uncertain" or (kind == "sent") is (name in arrived), (name, kind)
    assert {"sent", "uncertain"} <= set(kinds.values())
    assert all(each.open.refers_to for each in ended.values() if each.type == "message.sent")


async def test_a_provider_that_only_throttles_has_no_message() -> None:
    """It is asked a few times for each, and each has failed with the provider's reason."""
    async with listening(FaultyApi(DOVES, 1, {"throttles": 1.0})) as api:
        reports = await send_all(api.url)
    assert api.arrived == []
    assert len(api.requests) == MESSAGES * (1 + len(PAUSES_SECONDS))
    assert {(each.type, each.open.reason) for each in reports.stored.values()} == {
        ("message.failed", "throttled")
    }


async def test_on_a_good_day_every_message_is_sent() -> None:
    """No share, no fault."""
    async with listening(FaultyApi(DOVES, 1, {})) as api:
        reports = await send_all(api.url)
    assert len(api.arrived) == MESSAGES
    assert {each.type for each in reports.stored.values()} == {"message.sent"}
