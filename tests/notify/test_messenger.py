"""What an agent's answer becomes at the Send API, and what each answer of it means."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.channels import messenger
from services.notify.domain.messages import Unsendable
from services.notify.domain.outcomes import Outcome
from services.notify.domain.web import HttpAnswer
from tests.notify.graph_messages import answered, content, refused, rendered
from tests.notify.samples import NOW

PAGE, ANNA = "700100", "messenger:9001"
INSTAGRAM = "https://graph.instagram.com"


def test_every_part_of_the_message_leaves() -> None:
    """Address, token, recipient, text, and what comes back with the echo."""
    request = rendered("messenger", ANNA, PAGE, text="It is on its way.")
    assert (request.method, request.url) == ("POST", "https://graph.facebook.com/v24.0/me/messages")
    assert request.headers == {
        "content-type": "application/json",
        "authorization": "Bearer EAAB-token",
    }
    assert content(request) == {
        "recipient": {"id": "9001"},
        "messaging_type": "RESPONSE",
        "message": {"text": "It is on its way.", "metadata": "m1.c1"},
    }


@pytest.mark.parametrize(
    ("ago", "sent_as"),
    [
        (None, {"messaging_type": "RESPONSE"}),
        (timedelta(hours=24), {"messaging_type": "RESPONSE"}),
        (timedelta(hours=25), {"messaging_type": "MESSAGE_TAG", "tag": "HUMAN_AGENT"}),
        (timedelta(days=7), {"messaging_type": "MESSAGE_TAG", "tag": "HUMAN_AGENT"}),
    ],
)
def test_within_its_windows_a_person_answers(
    ago: timedelta | None, sent_as: dict[str, str]
) -> None:
    """For a day as an answer, for a week as a person's."""
    said = content(rendered("messenger", ANNA, PAGE, heard=None if ago is None else NOW - ago))
    assert {name: said.get(name) for name in sent_as} == sent_as
    assert ("tag" in said) is ("tag" in sent_as)


def test_after_a_week_nothing_is_sent() -> None:
    """The agent is told at once."""
    with pytest.raises(Unsendable) as unsendable:
        rendered("messenger", ANNA, PAGE, heard=NOW - timedelta(days=7, seconds=1))
    assert unsendable.value.reason == "window_closed"


@pytest.mark.parametrize(
    ("quoted", "shown"),
    [("m_7-xYZ_", {"mid": "m_7-xYZ_"}), ("<a@b.example>", None), ("a b", None), (None, None)],
)
def test_what_the_agent_quotes_is_shown_with_it(
    quoted: str | None, shown: dict[str, str] | None
) -> None:
    """What is no message of this provider is not."""
    assert content(rendered("messenger", ANNA, PAGE, in_reply_to=quoted)).get("reply_to") == shown


def test_instagram_of_its_own_login_has_another_host_and_gives_nothing_back() -> None:
    """The account's `api` says so."""
    request = rendered("messenger", ANNA, PAGE, text="Hi", api=INSTAGRAM + "/")
    assert request.url == f"{INSTAGRAM}/v24.0/me/messages"
    assert content(request)["message"] == {"text": "Hi"}


@pytest.mark.parametrize(
    ("text", "api"), [("x" * 2_001, None), ("ż" * 501, INSTAGRAM), ("x" * 1_001, INSTAGRAM)]
)
def test_a_text_that_is_too_long_is_not_cut(text: str, api: str | None) -> None:
    """The agent is told, and nothing leaves."""
    with pytest.raises(Unsendable) as unsendable:
        rendered("messenger", ANNA, PAGE, text=text, api=api)
    assert unsendable.value.reason == "text_too_long"


def test_the_longest_texts_leave() -> None:
    """Up to the provider's own limits: characters here, bytes there."""
    assert (
        content(rendered("messenger", ANNA, PAGE, text="ż" * 2_000))["message"]["text"]
        == "ż" * 2_000
    )
    shorter = rendered("messenger", ANNA, PAGE, text="ż" * 500, api=INSTAGRAM)
    assert content(shorter)["message"]["text"] == "ż" * 500


@pytest.mark.parametrize("to", ["", "messenger:", "a b", "9001/me", "x" * 129, "zażółć"])
def test_what_is_no_id_is_refused(to: str) -> None:
    """Before anything is asked."""
    with pytest.raises(Unsendable) as unsendable:
        rendered("messenger", to, PAGE)
    assert unsendable.value.reason == "address_invalid"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (answered(200, {"recipient_id": "9001", "message_id": "m_7"}), Outcome(kind="sent", provider_id="m_7")),
        (answered(200, {"recipient_id": "9001"}), Outcome(kind="uncertain", reason="answer_unreadable")),
        (refused(10, 2018278, 403), Outcome(kind="failed", reason="window_closed")),
        (refused(10, 2534022, 403), Outcome(kind="failed", reason="window_closed")),
        (refused(10, None, 403), Outcome(kind="failed", reason="messenger_10")),
        (refused(100, 2018001), Outcome(kind="failed", reason="address_unknown")),
        (refused(551, 1545041), Outcome(kind="failed", reason="not_reached")),
        (refused(190, 463, 401), Outcome(kind="failed", reason="messenger_190")),
        (refused(613), Outcome(kind="failed", reason="messenger_613", temporary=True)),
        (refused(1200), Outcome(kind="failed", reason="messenger_1200", temporary=True)),
        (refused(2, None, 500), Outcome(kind="uncertain", reason="messenger_2")),
        (refused(987_654), Outcome(kind="uncertain", reason="messenger_987654")),
        (HttpAnswer(status=429), Outcome(kind="failed", reason="http_429", temporary=True)),
        (refused(987_654, None, 429), Outcome(kind="failed", reason="messenger_987654", temporary=True)),
        (HttpAnswer(status=502, body=b"<html>"), Outcome(kind="uncertain", reason="http_502")),
        (answered(400, {"error": {"code": "10"}}), Outcome(kind="uncertain", reason="http_400")),
    ],
)  # fmt: skip
def test_what_each_answer_means(answer: HttpAnswer, expected: Outcome) -> None:
    """Taken, refused for good or for now, or a doubt; the window has a word of its own."""
    assert messenger.outcome(answer) == expected


@given(status=st.integers(100, 599), body=st.binary(max_size=200))
def test_no_answer_makes_it_fail(status: int, body: bytes) -> None:
    """What nobody foresaw is a doubt, never a success; but for what asks to be asked later."""
    expected = "failed" if status == 429 else "uncertain"
    assert messenger.outcome(HttpAnswer(status=status, body=body)).kind == expected
