"""The text message that an agent's message becomes, and what each answer of a provider means."""

import base64
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import msgspec
import pytest

from services.notify.channels import sms
from services.notify.domain.messages import SendingSettings, Unsendable, customer_message
from services.notify.domain.outcomes import Outcome
from services.notify.domain.web import HttpAnswer, HttpRequest
from shared import message_reference
from shared.policy import Account
from tests.notify.samples import NOW, message

TWILIO = {"signing": "AUTH", "account_sid": "SID"}
SMSAPI = {"signing": "DOOR", "api_token": "BEARER"}
VALUES = {"AUTH": "auth-token", "SID": "AC1", "DOOR": "a b&c", "BEARER": "bearer"}
PUBLIC = SendingSettings(secrets=VALUES, public_url="https://doors.shop.example/")
DOOR = "https://doors.shop.example/in/demo/sms/shop"


def render(
    secrets: dict[str, str],
    sender: str,
    around: SendingSettings = PUBLIC,
    api: str | None = None,
    **said: Any,
) -> HttpRequest:
    account = Account(queue="hotline", address=sender, secrets=secrets, api=api)
    event = message("e1", channel="sms", **{"to": "+48601234567", "text": "Dzień dobry", **said})
    return sms.render(customer_message(event, account, sms.address, around), NOW)


def fields(request: HttpRequest) -> dict[str, str]:
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    return {name: value for name, (value,) in parse_qs(request.body.decode()).items()}


def test_a_message_by_twilio_says_where_its_reports_go() -> None:
    """Every field, and who asks."""
    request = render(TWILIO, "+48732000111")
    assert request.url == "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages.json"
    assert request.method == "POST"
    scheme, _, encoded = request.headers["authorization"].partition(" ")
    assert (scheme, base64.b64decode(encoded)) == ("Basic", b"AC1:auth-token")
    reference = message_reference.write(message("e1").open.message_id, message("e1").conversation)  # type: ignore[arg-type]
    assert fields(request) == {
        "To": "+48601234567",
        "From": "+48732000111",
        "Body": "Dzień dobry",
        "StatusCallback": f"{DOOR}?m={reference}",
        "SmartEncoded": "true",
    }


def test_a_plain_text_without_a_public_door() -> None:
    """No report is asked for that could not come, and nothing is encoded anew that need not be."""
    sent = fields(render(TWILIO, "SHOP", SendingSettings(secrets=VALUES), text="Hello"))
    assert sent == {"To": "+48601234567", "From": "SHOP", "Body": "Hello"}


@pytest.mark.parametrize(
    ("sender", "to", "name"),
    [
        ("MG0123456789abcdef0123456789abcdef", "+48601234567", "MessagingServiceSid"),
        ("whatsapp:+48732000111", "whatsapp:+48601234567", "From"),
        ("rcs:shop_agent", "rcs:+48601234567", "From"),
        ("72021", "+48601234567", "From"),
    ],
)
def test_the_sender_says_on_which_network_she_is_reached(sender: str, to: str, name: str) -> None:
    """By a number, a pool of numbers, WhatsApp, RCS, or a short code."""
    sent = fields(render(TWILIO, sender))
    assert (sent["To"], sent[name]) == (to, sender)
    assert len({"From", "MessagingServiceSid"} & set(sent)) == 1


def test_a_message_by_smsapi() -> None:
    """The account has the other provider's secret: every field; numbers without a plus, our reference as `idx`."""
    request = render(SMSAPI, "Sklep", api="http://127.0.0.1:9/")
    assert request.url == "http://127.0.0.1:9/sms.do"
    assert request.headers["authorization"] == "Bearer bearer"
    assert fields(request) == {
        "to": "48601234567",
        "from": "Sklep",
        "message": "Dzień dobry",
        "encoding": "utf-8",
        "format": "json",
        "max_parts": "10",
        "idx": "m1__c1",
        "check_idx": "1",
        "notify_url": f"{DOOR}?token=a%20b%26c",
    }


@pytest.mark.parametrize(
    ("secrets", "said", "reason"),
    [
        (TWILIO, {"text": "x" * 1_601}, "text_too_long"),
        (SMSAPI, {"text": "x" * 1_531}, "text_too_long"),
        (SMSAPI, {"text": "ż" * 671}, "text_too_long"),
        (TWILIO, {"to": "SHOP"}, "address_invalid"),
        (TWILIO, {"to": "+48221234567;ext=12"}, "address_invalid"),
        (TWILIO, {"to": "anna@customer.example"}, "address_invalid"),
        ({"signing": "AUTH"}, {}, "secret_missing"),
        ({"account_sid": "SID"}, {}, "secret_missing"),
    ],
)
def test_what_no_provider_takes_never_leaves(
    secrets: dict[str, str], said: dict[str, Any], reason: str
) -> None:
    """Each for its reason, before anybody is asked."""
    with pytest.raises(Unsendable) as raised:
        render(secrets, "SHOP", **said)
    assert raised.value.reason == reason


def test_after_the_window_no_text_leaves_by_whatsapp() -> None:
    """The network counts from her last message; plain text messages know no such thing."""
    late = NOW - timedelta(hours=24, seconds=1)
    by, to = "whatsapp:+48732000111", "whatsapp:+48601234567"
    assert fields(render(TWILIO, by, to=to, heard=NOW))["Body"] == "Dzień dobry"
    assert fields(render(TWILIO, "SHOP", heard=late))["Body"] == "Dzień dobry"
    with pytest.raises(Unsendable) as raised:
        render(TWILIO, by, to=to, heard=late)
    assert raised.value.reason == "window_closed"


@pytest.mark.parametrize(
    ("sender", "text", "parts"),
    [
        ("SHOP", "x" * 160, 1),
        ("SHOP", "x" * 161, 2),
        ("SHOP", "ż" * 70, 1),
        ("SHOP", "ż" + "x" * 70, 2),
        ("whatsapp:+48732000111", "ż" * 200, None),
    ],
)
def test_a_text_is_paid_for_by_its_pieces(sender: str, text: str, parts: int | None) -> None:
    """One letter beyond the default alphabet makes of 160 places 70; other networks do not count."""
    account = Account(queue="hotline", address=sender, secrets=TWILIO)
    event = message("e1", channel="sms", to="+48601234567", text=text)
    assert sms.parts(customer_message(event, account, sms.address, PUBLIC)) == parts


def test_the_longest_text_leaves() -> None:
    """What just fits."""
    assert fields(render(TWILIO, "SHOP", text="x" * 1_600))["Body"] == "x" * 1_600
    assert fields(render(SMSAPI, "SHOP", text="x" * 1_530))["message"] == "x" * 1_530


@pytest.mark.parametrize(
    ("written", "form"),
    [
        ("sms:+48601234567", "+48601234567"),
        ("+48 601 234 567", "+48601234567"),
        ("whatsapp:+48 601 234 567", "whatsapp:+48601234567"),
        ("a name that is too long", None),
        ("", None),
        ("MG01", "MG01"),
    ],
)
def test_an_address_has_one_form(written: str, form: str | None) -> None:
    """As the provider takes it."""
    assert sms.address(written) == form


def sent(provider_id: str) -> Outcome:
    return Outcome(kind="sent", provider_id=provider_id)


def failed(reason: str) -> Outcome:
    return Outcome(kind="failed", reason=reason)


def doubt(reason: str) -> Outcome:
    return Outcome(kind="uncertain", reason=reason)


LATER = Outcome(kind="failed", reason="too_many_requests", temporary=True)


@pytest.mark.parametrize(
    ("status", "content", "meaning"),
    [
        (201, {"sid": "SM1", "status": "queued", "error_code": None}, sent("SM1")),
        (200, {"count": 1, "list": [{"id": "6A", "status": "QUEUE", "error": None}]}, sent("6A")),
        (400, {"code": 21610, "status": 400}, failed("consent_withdrawn")),
        (400, {"code": 21211, "status": 400}, failed("address_invalid")),
        (400, {"code": 21614, "status": 400}, failed("address_invalid")),
        (400, {"code": 30003, "status": 400}, failed("twilio_30003")),
        (400, {"code": 63016, "status": 400}, failed("window_closed")),
        (401, {"code": 20003, "status": 401}, failed("twilio_20003")),
        (429, {"code": 20429, "status": 429}, LATER),
        (429, None, LATER),
        (404, None, failed("http_404")),
        (200, {"error": 13, "message": "No correct phonenumbers"}, failed("address_invalid")),
        (200, {"error": 103, "message": "Insufficient credits"}, failed("smsapi_103")),
        (200, {"error": 201, "message": "Internal"}, doubt("smsapi_201")),
        (201, {"status": "queued"}, doubt("http_201")),
        (200, {"list": [{"id": "6A", "error": 11}]}, doubt("http_200")),
        (200, {"list": ["6A"]}, doubt("http_200")),
        (408, None, doubt("http_408")),
        (500, {"code": 20500, "status": 500}, doubt("twilio_20500")),
        (503, None, doubt("http_503")),
        (302, None, doubt("http_302")),
        (200, {"error": True}, doubt("http_200")),
    ],
)
def test_what_each_answer_means(status: int, content: Any, meaning: Outcome) -> None:
    """The tables, and that what they do not hold is a doubt."""
    body = b"<html>" if content is None else msgspec.json.encode(content)
    assert sms.outcome(HttpAnswer(status=status, body=body)) == meaning
