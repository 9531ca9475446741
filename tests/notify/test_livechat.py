"""What an agent's message becomes at LiveChat, and what its answers mean."""

from typing import Any

import msgspec
import pytest

from deploy.story.providers import livechat as fake
from deploy.story.providers.api import ApiRequest
from services.notify.channels import livechat
from services.notify.domain.asking import NO_WORD, UNCLEAR, Doubt
from services.notify.domain.messages import SendingSettings, Unsendable, customer_message
from services.notify.domain.outcomes import Outcome
from services.notify.domain.web import HttpAnswer, HttpRequest
from shared.policy import Account
from tests.notify.samples import NOW, message

CHAT = "QX1A2B3C4D"
SHOP = Account(
    queue="hotline",
    address="livechat:shop",
    reaches="account",
    secrets={"signing": "A", "token": "LIVECHAT_TOKEN"},
)


def render(account: Account = SHOP, token: str = "dal:abc", **given: Any) -> HttpRequest:
    event = message("e1", channel="livechat", **{"to": f"livechat:{CHAT}", **given})
    around = SendingSettings(secrets={"LIVECHAT_TOKEN": token})
    return livechat.render(customer_message(event, account, livechat.address, around), NOW)


def answer(told: Any, status: int = 200) -> Outcome:
    return livechat.outcome(HttpAnswer(status=status, body=msgspec.json.encode(told)))


def refused(kind: Any, status: int = 422) -> Outcome:
    return answer({"error": {"type": kind, "message": "no"}}, status)


def test_a_message_is_one_call_of_send_event() -> None:
    """Into the customer's chat, for everybody in it; our reference stands where it comes back."""
    request = render(text="Zażółć")
    url = "https://api.livechatinc.com/v3.6/agent/action/send_event"
    assert (request.method, request.url) == ("POST", url)
    told = msgspec.json.decode(request.body)
    assert told["event"].pop("custom_id") == "m1.c1"
    event = {"type": "message", "text": "Zażółć", "visibility": "all"}
    assert told == {"chat_id": CHAT, "event": event}


@pytest.mark.parametrize(
    ("token", "headers"),
    [
        ("dal:abc", {"authorization": "Bearer dal:abc"}),
        ("fra:abc", {"authorization": "Bearer fra:abc", "x-region": "fra"}),
        ("1-2:dal:abc", {"authorization": "Basic MS0yOmRhbDphYmM="}),
        ("1-2:fra:abc", {"authorization": "Basic MS0yOmZyYTphYmM=", "x-region": "fra"}),
    ],
)
def test_a_token_says_how_and_where_it_is_shown(token: str, headers: dict[str, str]) -> None:
    """A personal one has its account before it; the European region has to be named."""
    assert render(token=token).headers == {"content-type": "application/json", **headers}


@pytest.mark.parametrize("to", ["viber:x=", "livechat:", "livechat:a b", "a\n"])
def test_another_address_is_refused(to: str) -> None:
    """Nothing of another channel is written to."""
    assert livechat.address(to) is None


@pytest.mark.parametrize(
    ("changed", "given", "reason"),
    [
        pytest.param({}, {"text": "ż" * 8_193}, "text_too_long", id="long"),
        ({"secrets": {}}, {}, "secret_missing"),
    ],
)
def test_what_livechat_would_refuse_does_not_leave(
    changed: dict[str, Any], given: dict[str, Any], reason: str
) -> None:
    """A longer text than it takes, an account without a token."""
    with pytest.raises(Unsendable, match=reason):
        render(msgspec.structs.replace(SHOP, **changed), **given)


def test_what_was_sent_is_known_by_its_event() -> None:
    """The provider's id of it is that of the webhook that tells of it."""
    assert answer({"event_id": "K600PKZON8"}) == Outcome(kind="sent", provider_id="K600PKZON8")


@pytest.mark.parametrize(
    ("kind", "status", "reason", "temporary"),
    [
        ("authentication", 401, "token_invalid", False),
        ("authorization", 403, "not_in_the_chat", False),
        ("chat_inactive", 422, "chat_over", False),
        ("validation", 400, "request_refused", False),
        ("misdirected_request", 421, "region_wrong", False),
        ("too_many_requests", 429, "too_many_requests", True),
    ],
)
def test_a_refusal_says_why(kind: str, status: int, reason: str, *, temporary: bool) -> None:
    """By the type of the error; a chat that is over takes nothing more."""
    assert refused(kind, status) == Outcome(kind="failed", reason=reason, temporary=temporary)


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (refused("internal", 500), "http_500"),
        (refused("validation", 503), "http_503"),
        (refused("of_another_kind"), "http_422"),
        (refused(7), "http_422"),
        (answer({}), "http_200"),
        (answer({"event_id": ""}), "http_200"),
        (answer([], 200), "http_200"),
    ],
    ids=str,
)
def test_another_answer_is_a_doubt(outcome: Outcome, reason: str) -> None:
    """Nobody knows whether it was sent, and it is not sent again."""
    assert outcome == Outcome(kind="uncertain", reason=reason)


def test_a_message_in_doubt_is_looked_for_in_its_chat() -> None:
    """Our reference stands at it; a list without it proves nothing, and no list is asked for again."""
    event = message("e1", channel="livechat", to=f"livechat:{CHAT}")
    around = SendingSettings(secrets={"LIVECHAT_TOKEN": "dal:abc"})
    ours = customer_message(event, SHOP, livechat.address, around)
    doubt = Doubt(intended=NOW, now=NOW)
    asked = livechat.ask(ours, doubt)
    assert asked.url == "https://api.livechatinc.com/v3.6/agent/action/list_threads"
    assert msgspec.json.decode(asked.body) == {"chat_id": CHAT, "sort_order": "desc"}

    def finding(told: Any, status: int = 200) -> Outcome:
        return livechat.found(
            HttpAnswer(status=status, body=msgspec.json.encode(told)), ours, doubt
        )

    others = [{"id": "a", "custom_id": "m2.c1"}, {"id": "b"}, "no event"]
    mine = {"id": "c", "custom_id": ours.own_reference}
    there = {"threads": [{"id": "t1", "events": others}, {"events": [mine]}]}
    assert finding(there) == Outcome(kind="sent", provider_id="c")
    assert finding({"threads": [{"events": others}, {}, 7]}) == UNCLEAR
    for told, status in (({"threads": None}, 200), (there, 503), ([], 200)):
        assert finding(told, status) == NO_WORD


def test_the_fake_takes_what_we_send() -> None:
    """And refuses it without a token, as LiveChat does."""
    request = render(text="Hello")
    path = request.url.removeprefix("https://api.livechatinc.com")
    host = "api.livechatinc.com"
    taken = fake.answer(ApiRequest(host, "POST", path, request.headers, request.body, 3))
    assert taken is not None
    assert taken.arrived is not None
    assert (taken.arrived.to, taken.arrived.text) == (CHAT, "Hello")
    assert answer(taken.content) == Outcome(kind="sent", provider_id=f"{CHAT}_3")
    without = fake.answer(ApiRequest(host, "POST", path, {}, request.body, 4))
    assert without is not None
    assert answer(without.content, without.status).reason == "token_invalid"
