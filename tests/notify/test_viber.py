"""What an agent's message becomes at Viber, and what its answers mean."""

from typing import Any

import msgspec
import pytest

from services.notify.channels import viber
from services.notify.domain.messages import SendingSettings, Unsendable, customer_message
from services.notify.domain.outcomes import Outcome
from services.notify.domain.web import HttpAnswer, HttpRequest
from shared.policy import Account
from tests.notify.samples import NOW, message

ANNA = "b3Zlci1hLXNob3A+Kw=="
SHOP = Account(
    queue="hotline",
    address="viber:pa:5120",
    reaches="account",
    title="The shop of the long name at the market",
    secrets={"signing": "VIBER_TOKEN"},
)


def render(account: Account = SHOP, **given: Any) -> HttpRequest:
    fields = {"to": f"viber:{ANNA}", "title": None, **given}
    event = message("e1", channel="viber", **fields)
    around = SendingSettings(secrets={"VIBER_TOKEN": "4453b6ac"})
    return viber.render(customer_message(event, account, viber.address, around), NOW)


def answer(body: bytes, status: int = 200) -> Outcome:
    return viber.outcome(HttpAnswer(status=status, body=body))


def test_a_message_is_one_call_of_send_message() -> None:
    """Under the account's name and token; our reference stands where it comes back."""
    request = render(text="Zażółć")
    assert (request.method, request.url) == ("POST", "https://chatapi.viber.com/pa/send_message")
    assert request.headers == {"content-type": "application/json", "x-viber-auth-token": "4453b6ac"}
    told = msgspec.json.decode(request.body)
    assert told.pop("tracking_data") == "m1.c1"
    assert told == {
        "receiver": ANNA,
        "min_api_version": 1,
        "sender": {"name": "The shop of the long name at"},
        "type": "text",
        "text": "Zażółć",
    }


def test_another_server_may_be_asked() -> None:
    """The policy names its base."""
    own = msgspec.structs.replace(SHOP, api="http://viber.shop.example/")
    assert render(own).url == "http://viber.shop.example/pa/send_message"


@pytest.mark.parametrize("to", ["telegram:61", "viber:", "viber:a b", "a=\n"])
def test_another_address_is_refused(to: str) -> None:
    """Nothing of another channel is written to."""
    assert viber.address(to) is None


@pytest.mark.parametrize(
    ("changed", "given", "reason"),
    [
        pytest.param({}, {"text": "x" * 7_001}, "text_too_long", id="long"),
        ({"title": None}, {}, "sender_unknown"),
        ({"secrets": {}}, {}, "secret_missing"),
    ],
)
def test_what_viber_would_refuse_does_not_leave(
    changed: dict[str, Any], given: dict[str, Any], reason: str
) -> None:
    """A longer text than it takes, an account without a name or without a token."""
    with pytest.raises(Unsendable, match=reason):
        render(msgspec.structs.replace(SHOP, **changed), **given)


def test_what_was_sent_is_known_by_its_token() -> None:
    """To the last of its digits."""
    taken = answer(b'{"status":0,"status_message":"ok","message_token":9223372036854775807}')
    assert taken == Outcome(kind="sent", provider_id="9223372036854775807")
    assert answer(b'{"status":0}') == Outcome(kind="sent")


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (2, "token_invalid"),
        (5, "not_registered"),
        (6, "not_subscribed"),
        (7, "account_blocked"),
        (10, "webhook_missing"),
        (11, "no_suitable_device"),
        (12, "too_many_requests"),
        (23, "free_messages_exceeded"),
    ],
)
def test_a_refusal_says_why(status: int, reason: str) -> None:
    """By the number in a good answer of HTTP; none of them ends soon."""
    refused = Outcome(kind="failed", reason=reason)
    assert answer(msgspec.json.encode({"status": status, "status_message": "no"})) == refused


def test_what_is_too_fast_by_the_status_of_http_is_refused_for_a_while() -> None:
    """It was not taken, and may be asked again."""
    later = Outcome(kind="failed", reason="too_many_requests", temporary=True)
    assert answer(b"slow down", 429) == later


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b'{"status":99}', 200, "status_99"),
        (b"<html>", 200, "http_200"),
        (b'{"status":"0"}', 200, "http_200"),
        (b'{"status":0}', 502, "http_502"),
    ],
)
def test_another_answer_is_a_doubt(body: bytes, status: int, reason: str) -> None:
    """Nobody knows whether it was sent, and it is not sent again."""
    assert answer(body, status) == Outcome(kind="uncertain", reason=reason)
