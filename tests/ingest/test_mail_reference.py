"""The reply reference of our mails."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import mail_reference
from shared.events import ConversationId, MessageId
from shared.message_reference import MessageReference

OURS = MessageReference(MessageId("m7"), ConversationId("conv9"))
IDS = st.from_regex(r"[a-z0-9_-]{1,64}", fullmatch=True)


def test_the_reference_has_its_form() -> None:
    """A Message-ID with both ids, in angle brackets."""
    assert mail_reference.write(OURS, "shop.example") == "<msg-m7.conv9@shop.example>"


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
