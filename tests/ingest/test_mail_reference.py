"""The references of our messages, as mail servers, providers and strangers give them back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import mail_reference, message_reference
from shared.events import ConversationId, MessageId
from shared.message_reference import MessageReference
from tests.support.own_ids import OURS, WRITTEN

IDS = st.from_regex(r"[a-z2-7]{32}", fullmatch=True)


def test_the_reference_has_its_form() -> None:
    """A Message-ID with both ids, in angle brackets."""
    assert mail_reference.write(OURS, "shop.example") == f"<msg-{WRITTEN}@shop.example>"


@given(IDS, IDS)
def test_what_is_written_is_read_again(message: str, conversation: str) -> None:
    """For any two ids, with and without the brackets."""
    reference = MessageReference(MessageId(message), ConversationId(conversation))
    written = mail_reference.write(reference, "shop.example")
    assert mail_reference.read(written) == reference
    assert mail_reference.read(written.strip("<>")) == reference


@given(st.text(max_size=200))
def test_reading_never_fails(message_id: str) -> None:
    """Message-IDs come from strangers."""
    found = mail_reference.read(message_id)
    assert found is None or message_id.strip().lstrip("<").startswith("msg-")


@pytest.mark.parametrize(
    ("message", "conversation", "domain"),
    [("m.7", "c", "shop.example"), ("m", "", "shop.example"), ("m", "c", "x>\r\nBcc: eve@e")],
)
def test_what_does_not_fit_the_form_is_not_written(
    message: str, conversation: str, domain: str
) -> None:
    """Nothing can be smuggled into a header field."""
    reference = MessageReference(MessageId(message), ConversationId(conversation))
    with pytest.raises(ValueError, match="mail reference"):
        mail_reference.write(reference, domain)


NOT_OURS = [
    "v1.2",
    "report.pdf",
    "m7.conv9",
    f"{'m' * 31}.{'c' * 32}",
    f"{'m' * 32}.{'c' * 33}",
    f"{'m' * 32}.{'c' * 31}1",
    f"{'M' * 32}.{'c' * 32}",
    f"{WRITTEN}\n",
    f" {WRITTEN}",
    f"{WRITTEN}.x",
]


@pytest.mark.parametrize("text", NOT_OURS)
def test_what_looks_almost_like_ours_is_not(text: str) -> None:
    """Others keep versions, file names and keys of their own where providers keep ours."""
    assert message_reference.read(text) is None
    assert mail_reference.read(f"<msg-{text}@shop.example>") is None


def test_ours_is_read_wherever_it_is_given_back() -> None:
    """As it was written, by notify."""
    assert message_reference.read(WRITTEN) == OURS
    assert mail_reference.read(f"msg-{WRITTEN}@shop.example") == OURS
