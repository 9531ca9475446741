"""What an agent's answer becomes at the Cloud API, and what each answer of it means."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.channels import whatsapp
from services.notify.domain.messages import Unsendable
from services.notify.domain.outcomes import Outcome
from services.notify.domain.web import HttpAnswer
from shared import events
from tests.notify.graph_messages import answered, content, refused, rendered
from tests.notify.samples import NOW

NUMBER, ANNA = "600700", "whatsapp:48601234567"
TAKEN = {
    "messaging_product": "whatsapp",
    "contacts": [{"wa_id": "1"}],
    "messages": [{"id": "wamid.7"}],
}


def test_every_part_of_the_message_leaves() -> None:
    """Address, token, recipient, text, and what comes back with each status."""
    request = rendered("whatsapp", ANNA, NUMBER, text="It is on its way.", in_reply_to="wamid.text")
    assert (request.method, request.url) == (
        "POST",
        "https://graph.facebook.com/v24.0/600700/messages",
    )
    assert request.headers["authorization"] == "Bearer EAAB-token"
    assert content(request) == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": "48601234567",
        "type": "text",
        "text": {"body": "It is on its way."},
        "biz_opaque_callback_data": "m1.c1",
        "context": {"message_id": "wamid.text"},
    }


def test_who_hides_her_number_is_reached_by_her_other_id() -> None:
    """The field is another one."""
    said = content(rendered("whatsapp", "whatsapp:PL.111222333", NUMBER))
    assert (said["recipient"], "to" in said) == ("PL.111222333", False)


def test_after_the_window_a_text_is_not_sent() -> None:
    """A day after she last wrote; until then it is, and where nobody knows when she wrote."""
    day = timedelta(hours=24)
    for heard in (NOW, NOW - day, None):
        assert content(rendered("whatsapp", ANNA, NUMBER, heard=heard))["type"] == "text"
    with pytest.raises(Unsendable) as unsendable:
        rendered("whatsapp", ANNA, NUMBER, heard=NOW - day - timedelta(seconds=1))
    assert unsendable.value.reason == "window_closed"


def test_a_template_is_sent_in_the_place_of_the_text_also_after_the_window() -> None:
    """Its name, its language, and what stands in its places; ours comes back as with a text."""
    template = events.MessageTemplate(name="waits", language="pl", parameters=["Anna", "KRA01M"])
    said = content(
        rendered("whatsapp", ANNA, NUMBER, heard=NOW - timedelta(days=9), template=template)
    )
    assert said == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": "48601234567",
        "type": "template",
        "template": {
            "name": "waits",
            "language": {"code": "pl"},
            "components": [
                {
                    "type": "body",
                    "parameters": [
                        {"type": "text", "text": "Anna"},
                        {"type": "text", "text": "KRA01M"},
                    ],
                }
            ],
        },
        "biz_opaque_callback_data": "m1.c1",
    }
    plain = events.MessageTemplate(name="hello", language="en_US")
    told = content(rendered("whatsapp", ANNA, NUMBER, template=plain))["template"]
    assert told == {"name": "hello", "language": {"code": "en_US"}}


FILE = events.TemplateFile(kind="document", address="https://shop.example/l.pdf", name="l.pdf")
PICTURE = events.TemplateFile(kind="image", address="https://shop.example/l.png", name="l.png")


@pytest.mark.parametrize(
    ("told", "component"),
    [
        (
            {"header": "KRA01M"},
            {"type": "header", "parameters": [{"type": "text", "text": "KRA01M"}]},
        ),
        (
            {"header_file": FILE, "header": "KRA01M"},
            {
                "type": "header",
                "parameters": [
                    {
                        "type": "document",
                        "document": {"link": "https://shop.example/l.pdf", "filename": "l.pdf"},
                    }
                ],
            },
        ),
        (
            {"header_file": PICTURE},
            {
                "type": "header",
                "parameters": [{"type": "image", "image": {"link": "https://shop.example/l.png"}}],
            },
        ),
        (
            {"buttons": [events.TemplateButton(position=1, kind="url", value="K/1")]},
            {
                "type": "button",
                "sub_type": "url",
                "index": "1",
                "parameters": [{"type": "text", "text": "K/1"}],
            },
        ),
        (
            {"buttons": [events.TemplateButton(position=0, kind="quick_reply", value="YES")]},
            {
                "type": "button",
                "sub_type": "quick_reply",
                "index": "0",
                "parameters": [{"type": "payload", "payload": "YES"}],
            },
        ),
        (
            {"buttons": [events.TemplateButton(position=2, kind="copy_code", value="WINTER")]},
            {
                "type": "button",
                "sub_type": "copy_code",
                "index": "2",
                "parameters": [{"type": "coupon_code", "coupon_code": "WINTER"}],
            },
        ),
    ],
)
def test_each_part_of_a_template_gets_what_it_needs(
    told: dict[str, Any], component: dict[str, Any]
) -> None:
    """The line or the file above the words, and each button by its number."""
    template = events.MessageTemplate(name="label", language="pl", **told)
    said = content(rendered("whatsapp", ANNA, NUMBER, template=template))["template"]
    assert said["components"] == [component]


@pytest.mark.parametrize("quoted", ["<a@b.example>", "wamid.", "wamid.a b", ""])
def test_what_is_no_message_of_whatsapp_is_not_quoted(quoted: str) -> None:
    """An answer to a mail does not quote it here."""
    assert "context" not in content(rendered("whatsapp", ANNA, NUMBER, in_reply_to=quoted))


def test_a_text_that_is_too_long_is_not_cut() -> None:
    """The agent is told, and nothing leaves."""
    assert (
        content(rendered("whatsapp", ANNA, NUMBER, text="ż" * 4_096))["text"]["body"] == "ż" * 4_096
    )
    with pytest.raises(Unsendable) as unsendable:
        rendered("whatsapp", ANNA, NUMBER, text="x" * 4_097)
    assert unsendable.value.reason == "text_too_long"


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        ("whatsapp:48601234567", "48601234567"),
        ("+48601234567", "48601234567"),
        ("PL.ENT.1a", "PL.ENT.1a"),
        ("whatsapp:", None),
        ("48 601", None),
        ("1" * 21, None),
        ("pl.1", None),
        ("PL.1/x", None),
        ("anna@shop.example", None),
    ],
)
def test_an_address_is_a_number_or_an_id_with_the_business(to: str, expected: str | None) -> None:
    """What is neither is refused before anything is asked."""
    assert whatsapp.address(to) == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (answered(200, TAKEN), Outcome(kind="sent", provider_id="wamid.7")),
        (answered(200, {"messages": [7]}), Outcome(kind="uncertain", reason="answer_unreadable")),
        (answered(200, {"messages": []}), Outcome(kind="uncertain", reason="answer_unreadable")),
        (refused(131047), Outcome(kind="failed", reason="window_closed")),
        (refused(131026), Outcome(kind="failed", reason="whatsapp_131026")),
        (refused(190, 463, 401), Outcome(kind="failed", reason="whatsapp_190")),
        (refused(132001), Outcome(kind="failed", reason="whatsapp_132001")),
        (refused(132015), Outcome(kind="failed", reason="whatsapp_132015")),
        (refused(131050), Outcome(kind="failed", reason="whatsapp_131050")),
        (refused(131056), Outcome(kind="failed", reason="whatsapp_131056", temporary=True)),
        (refused(130429), Outcome(kind="failed", reason="whatsapp_130429", temporary=True)),
        (refused(131000, None, 500), Outcome(kind="uncertain", reason="whatsapp_131000")),
        (refused(987_654), Outcome(kind="uncertain", reason="whatsapp_987654")),
        (HttpAnswer(status=502, body=b"<html>"), Outcome(kind="uncertain", reason="http_502")),
    ],
)
def test_what_each_answer_means(answer: HttpAnswer, expected: Outcome) -> None:
    """Taken, refused for good or for now, or a doubt; the window has a word of its own."""
    assert whatsapp.outcome(answer) == expected


@given(status=st.integers(100, 599), body=st.binary(max_size=200))
def test_no_answer_makes_it_fail(status: int, body: bytes) -> None:
    """What nobody foresaw is a doubt, never a success; but for what asks to be asked later."""
    expected = "failed" if status == 429 else "uncertain"
    assert whatsapp.outcome(HttpAnswer(status=status, body=body)).kind == expected
