"""Whoever plays Messenger and WhatsApp takes what notify sends, and reports what ingest reads."""

from typing import Any

import msgspec
import pytest

from deploy.story.file.model import Says
from deploy.story.providers import PROVIDERS
from deploy.story.providers.api import ApiRequest
from services.ingest.channels import CHANNELS
from services.notify.channels import CHANNELS as OUTBOUND
from services.notify.domain.web import HttpAnswer, HttpRequest
from shared import ids
from shared.errors import PayloadUnreadable
from tests.ingest.running_ingest import parsed, raw
from tests.notify.graph_messages import rendered

PEOPLE = {"messenger": ("messenger:9001", "700100"), "whatsapp": ("whatsapp:48601234567", "600700")}


def asked(request: HttpRequest, **changed: Any) -> ApiRequest:
    """A request as it reaches the provider."""
    host, _, path = request.url.removeprefix("https://").partition("/")
    fields = {
        "host": host,
        "method": request.method,
        "path": f"/{path}",
        "headers": request.headers,
    }
    return ApiRequest(**{**fields, "body": request.body, "number": 1, **changed})


@pytest.mark.parametrize("name", PEOPLE)
def test_what_notify_sends_is_taken_by_its_own_provider_alone(name: str) -> None:
    """Both have one host; the answer is one that notify reads."""
    request = asked(rendered(name, *PEOPLE[name], text="It is on its way."))
    taken = {each: PROVIDERS[each].answer(request) for each in PEOPLE}
    answer = taken.pop(name)
    assert set(taken.values()) == {None}
    assert answer is not None
    assert answer.arrived is not None
    assert (answer.arrived.to, answer.arrived.text) == (
        PEOPLE[name][0].partition(":")[2],
        "It is on its way.",
    )
    outcome = OUTBOUND[name].outcome(HttpAnswer(status=answer.status, body=answer.body))
    assert (outcome.kind, outcome.provider_id) == ("sent", answer.arrived.provider_id)


@pytest.mark.parametrize("name", PEOPLE)
@pytest.mark.parametrize(("text", "changed"), [("Hi", {"headers": {}}), ("", {})])
def test_what_has_no_token_or_no_text_is_refused(
    name: str, text: str, changed: dict[str, Any]
) -> None:
    """With an error that notify reads as a refusal for good."""
    answer = PROVIDERS[name].answer(asked(rendered(name, *PEOPLE[name], text=text), **changed))
    assert answer is not None
    assert answer.arrived is None
    outcome = OUTBOUND[name].outcome(HttpAnswer(status=answer.status, body=answer.body))
    assert (outcome.kind, outcome.temporary) == ("failed", False)


@pytest.mark.parametrize(
    ("name", "says", "kind"),
    [
        ("messenger", "delivered", "message.delivered"),
        ("messenger", "read", "message.read"),
        ("whatsapp", "delivered", "message.delivered"),
        ("whatsapp", "read", "message.read"),
        ("whatsapp", "failed", "message.failed"),
    ],
)
def test_a_report_of_a_message_is_read_by_ingest(name: str, says: Says, kind: str) -> None:
    """It is about the message, or about all that was sent to her until now."""
    ours = {"message_id": ids.scoped_id("message"), "conversation": ids.scoped_id("conversation")}
    answer = PROVIDERS[name].answer(asked(rendered(name, *PEOPLE[name], **ours)))
    assert answer is not None
    assert answer.arrived is not None
    body = PROVIDERS[name].body(PROVIDERS[name].receipt(answer.arrived, says))
    (event,) = parsed(raw(name, body))
    assert event.type == kind
    assert event.open.until is not None or event.open.refers_to == answer.arrived.provider_id
    assert event.personal.handles[0].value == PEOPLE[name][0]
    if name == "whatsapp":
        told = {"message_id": event.open.message_id, "conversation": event.conversation}
        assert told == ours


def test_messenger_says_at_once_what_it_does_not_take() -> None:
    """There is no report of it later."""
    answer = PROVIDERS["messenger"].answer(asked(rendered("messenger", *PEOPLE["messenger"])))
    assert answer is not None
    assert answer.arrived is not None
    with pytest.raises(PayloadUnreadable):
        PROVIDERS["messenger"].receipt(answer.arrived, "failed")


@pytest.mark.parametrize("name", PEOPLE)
def test_a_delivery_is_wrapped_unless_it_is_whole(name: str) -> None:
    """A story tells what happened, not the envelope around it."""
    whole = {"object": "x", "entry": []}
    assert msgspec.json.decode(PROVIDERS[name].body(whole)) == whole
    wrapped = msgspec.json.decode(PROVIDERS[name].body({"a": 1}))
    assert len(wrapped["entry"]) == 1
    assert name in CHANNELS
