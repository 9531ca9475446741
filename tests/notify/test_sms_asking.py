"""What the providers of text messages are asked of a message in doubt, and what their answers say of it."""

from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from services.notify.channels import sms
from services.notify.domain.asking import ASK_AFTER, NO_WORD, NOT_TAKEN, UNCLEAR, Doubt
from services.notify.domain.messages import (
    CustomerMessage,
    SendingSettings,
    Unsendable,
    customer_message,
)
from services.notify.domain.outcomes import Outcome
from services.notify.domain.web import HttpAnswer
from shared.policy import Account
from tests.notify.samples import NOW, message

TWILIO = {"signing": "AUTH", "account_sid": "SID"}
SMSAPI = {"signing": "DOOR", "api_token": "BEARER"}
VALUES = {"AUTH": "auth-token", "SID": "AC1", "DOOR": "door", "BEARER": "bearer"}
DOUBT = Doubt(intended=NOW, now=NOW + ASK_AFTER, others=frozenset({"SM-known"}))
POOL = "MG0123456789abcdef0123456789abcdef"


def wanted(secrets: dict[str, str], sender: str = "+48732000111", **said: Any) -> CustomerMessage:
    account = Account(queue="hotline", address=sender, secrets=secrets)
    event = message("e1", channel="sms", **{"to": "+48601234567", "text": "Dzień dobry", **said})
    return customer_message(event, account, sms.address, SendingSettings(secrets=VALUES))


def listed(sid: str, at: datetime = NOW, **changed: Any) -> dict[str, Any]:
    return {
        "sid": sid,
        "from": "+48732000111",
        "messaging_service_sid": None,
        "body": "Dzień dobry",
        "direction": "outbound-api",
        "status": "sent",
        "error_code": None,
        "date_created": format_datetime(at),
        **changed,
    }


def found(*given: dict[str, Any], sender: str = "+48732000111") -> Outcome:
    answer = HttpAnswer(status=200, body=msgspec.json.encode({"messages": given}))
    return sms.found(answer, wanted(TWILIO, sender), DOUBT)


IT = Outcome(kind="sent", provider_id="SM1")
OLD = listed("SM0", NOW - timedelta(days=1))


@pytest.mark.parametrize(
    ("sender", "to"),
    [("+48732000111", "+48601234567"), ("whatsapp:+48732000111", "whatsapp:+48601234567")],
)
def test_twilio_is_asked_for_what_went_to_her(sender: str, to: str) -> None:
    """By her address on the network, with the account's own credentials, and nothing is sent."""
    message = wanted(TWILIO, sender)
    request = sms.ask(message, DOUBT)
    assert request is not None
    parts = urlsplit(request.url)
    assert (request.method, request.body) == ("GET", b"")
    assert parts.path == "/2010-04-01/Accounts/AC1/Messages.json"
    assert parse_qs(parts.query) == {"To": [to], "PageSize": ["100"]}
    assert request.headers == {
        "authorization": sms.render(message, NOW).headers["authorization"],
    }


@pytest.mark.parametrize(
    ("given", "meaning"),
    [
        ([listed("SM1"), OLD], IT),
        ([], NOT_TAKEN),
        ([OLD], NOT_TAKEN),
        ([listed("SM1", NOW + ASK_AFTER)], IT),
        ([listed("SM2", NOW + ASK_AFTER + timedelta(seconds=1))], NOT_TAKEN),
        ([listed("SM2", NOW - timedelta(seconds=61))], NOT_TAKEN),
        ([listed("SM1"), listed("SM2")], UNCLEAR),
        ([listed("SM1"), listed("SM-known")], IT),
        ([listed("SM-known")], NOT_TAKEN),
        ([listed("SM1"), listed("SM2", body="Another")], IT),
        ([listed("SM2", body="Sent from a trial account - Dzień dobry")], UNCLEAR),
        ([listed("SM2", direction="inbound")], NOT_TAKEN),
        ([{**listed("SM2"), "from": "+48732000999"}], NOT_TAKEN),
        ([{**listed("SM2"), "date_created": "long ago", "body": "x"}], UNCLEAR),
        ([listed("SM1", status="undelivered", error_code=21610)], "consent_withdrawn"),
        ([listed("SM1", status="failed", error_code=30005)], "twilio_30005"),
        ([listed("SM1", status="canceled")], "canceled"),
    ],
)
def test_one_message_with_these_words_at_that_time_is_it(
    given: list[dict[str, Any]], meaning: Outcome | str
) -> None:
    """None is none; what is known is another one; several, or changed words, are for a person."""
    if isinstance(meaning, str):
        meaning = Outcome(kind="failed", reason=meaning, provider_id="SM1")
    assert found(*given) == meaning


@pytest.mark.parametrize(
    ("given", "meaning"),
    [
        ([listed("SM1"), listed("SM1")], IT),
        ([listed("SM1"), listed("SM1", status="failed")], UNCLEAR),
        ([{**listed("SM1"), "sid": None}], UNCLEAR),
        ([{**listed("SM1"), "sid": [1]}], UNCLEAR),
        ([{**listed("SM1"), "sid": ""}], UNCLEAR),
        ([listed("SM1", status={"a": 1})], IT),
        ([{**listed("SM1"), "from": ["+48732000111"]}], IT),
        ([listed("SM1", date_created="Fri, 31 Dec 9999 23:59:59 -2359")], IT),
        ([listed("SM1", status="failed", error_code={"a": "b"})], "failed"),
    ],
)
def test_a_provider_that_contradicts_itself_or_talks_nonsense_is_not_believed(
    given: list[dict[str, Any]], meaning: Outcome | str
) -> None:
    """Nothing that it writes where a word belongs ends the asking in a fault of ours."""
    if isinstance(meaning, str):
        meaning = Outcome(kind="failed", reason=meaning, provider_id="SM1")
    assert found(*given) == meaning


def test_a_message_of_a_pool_is_known_by_the_pool() -> None:
    """Which of its numbers sends it, Twilio chooses later."""
    pooled = {"messaging_service_sid": POOL, "from": None}
    assert found({**listed("SM1"), **pooled}, sender=POOL) == IT
    other = {**pooled, "messaging_service_sid": POOL.replace("0", "f")}
    assert found({**listed("SM1"), **other}, sender=POOL) == NOT_TAKEN


def test_a_list_that_does_not_reach_back_says_nothing_of_what_is_missing() -> None:
    """A full page of newer messages leaves it open; one that goes back before the intent does not."""
    newer = [listed(f"SM{k}", NOW + timedelta(hours=1)) for k in range(100)]
    assert found(*newer) == UNCLEAR
    assert found(*newer[:99], OLD) == NOT_TAKEN


@pytest.mark.parametrize(
    ("status", "body"), [(500, b"{}"), (429, b"{}"), (200, b"<html>"), (200, b'{"messages": 1}')]
)
def test_an_answer_without_a_list_is_asked_for_again(status: int, body: bytes) -> None:
    """It says nothing of the message."""
    answer = HttpAnswer(status=status, body=body)
    assert sms.found(answer, wanted(TWILIO), DOUBT) == NO_WORD


def test_smsapi_gets_the_message_again_under_its_key() -> None:
    """The same request: the key keeps it from leaving twice, for as long as it is remembered."""
    message = wanted(SMSAPI)
    assert sms.ask(message, DOUBT) == sms.render(message, NOW)
    late = Doubt(intended=NOW, now=NOW + sms.KEY_HOLDS)
    assert sms.ask(message, late) is None


@pytest.mark.parametrize(
    ("status", "content", "meaning"),
    [
        (200, {"error": 53, "message": "Not unique idx"}, Outcome(kind="sent")),
        (200, {"list": [{"id": "6A", "error": None}]}, Outcome(kind="sent", provider_id="6A")),
        (200, {"error": 13}, Outcome(kind="failed", reason="address_invalid")),
        (429, {}, Outcome(kind="failed", reason="too_many_requests", temporary=True)),
        (200, {"error": 201}, NO_WORD),
        (502, None, NO_WORD),
    ],
)
def test_what_smsapi_says_of_it(status: int, content: Any, meaning: Outcome) -> None:
    """Known before: it was sent. Taken now: it is sent. Refused: it was not, and is not."""
    answer = HttpAnswer(status=status, body=msgspec.json.encode(content))
    assert sms.found(answer, wanted(SMSAPI), DOUBT) == meaning


def test_nobody_is_asked_without_credentials() -> None:
    """The account has changed since; a person is told of the doubt."""
    with pytest.raises(Unsendable):
        sms.ask(wanted({"signing": "AUTH"}), DOUBT)
