"""Whoever plays the provider of text messages takes what notify sends, and reports what ingest reads."""

import pytest

from deploy.story.file.model import Says
from deploy.story.providers import sms as player
from deploy.story.providers.api import ApiRequest
from services.notify.channels import sms as outbound
from services.notify.domain.messages import SendingSettings, customer_message
from services.notify.domain.web import HttpAnswer, HttpRequest
from shared.policy import Account
from tests.ingest.running_ingest import parsed, raw
from tests.notify.samples import NOW, message

SHOP = Account(
    queue="hotline", address="+48732000111", secrets={"signing": "KEY", "account_sid": "SID"}
)
AROUND = SendingSettings(secrets={"KEY": "auth-token", "SID": "AC1"})


def rendered() -> HttpRequest:
    event = message("e1", channel="sms", to="+48601234567", text="Na miejscu")
    return outbound.render(customer_message(event, SHOP, outbound.address, AROUND), NOW)


def asked(request: HttpRequest, **changed: str) -> ApiRequest:
    host, _, path = request.url.removeprefix("https://").partition("/")
    headers = {**request.headers, **changed}
    return ApiRequest(host, request.method, f"/{path}", headers, request.body, 7)


@pytest.mark.parametrize(
    ("says", "kind", "reason"),
    [
        ("delivered", "message.delivered", None),
        ("read", "message.read", None),
        ("failed", "message.failed", "twilio_30003"),
    ],
)
def test_what_it_takes_it_reports(says: Says, kind: str, reason: str | None) -> None:
    """The report names the message that the answer named."""
    request = rendered()
    answer = player.answer(asked(request))
    assert answer is not None
    assert answer.arrived is not None
    assert request.url.startswith(f"https://{player.HOSTS[0]}/")
    assert (answer.arrived.to, answer.arrived.text) == ("+48601234567", "Na miejscu")
    outcome = outbound.outcome(HttpAnswer(status=answer.status, body=answer.body))
    assert outcome.kind == "sent"
    body = player.body(player.receipt(answer.arrived, says))
    (event,) = parsed(raw("sms", body, headers=[("content-type", player.MEDIA_TYPE)]))
    assert (event.type, event.open.reason) == (kind, reason)
    assert event.open.refers_to == outcome.provider_id


def test_it_refuses_whom_it_does_not_know_and_leaves_to_others_what_is_theirs() -> None:
    """As the provider does."""
    refused = player.answer(asked(rendered(), authorization=""))
    assert refused is not None
    assert refused.arrived is None
    outcome = outbound.outcome(HttpAnswer(status=refused.status, body=refused.body))
    assert (outcome.kind, outcome.reason) == ("failed", "twilio_20003")
    calls = HttpRequest(url="https://api.twilio.com/2010-04-01/Accounts/AC1/Calls.json", body=b"")
    assert player.answer(asked(calls)) is None
