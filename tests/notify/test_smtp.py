"""The dialogue with a mail server, against a real one on loopback."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.notify.channels.email import Mail
from services.notify.channels.smtp import MailRefused, MailUncertain, SmtpServer
from shared.errors import SettingInvalid
from tests.notify.sink import Sink

MAIL = Mail(
    "help@shop.example", "anna@customer.example", b"Subject: hello\r\n\r\n.\r\n..two\r\nend\r\n"
)


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as running:
        yield running


async def test_a_mail_is_handed_over_whole(sink: Sink) -> None:
    """Envelope and content arrive as they were given, lines with a leading dot included."""
    async with SmtpServer(sink.url).envelope(MAIL) as envelope:
        assert sink.arrived == []
        await envelope.hand_over(MAIL.content)
    (arrival,) = sink.arrived
    assert (arrival.sender, arrival.recipients) == (MAIL.sender, [MAIL.recipient])
    assert arrival.message.get_content().splitlines() == [".", "..two", "end"]


@pytest.mark.parametrize(
    ("answer", "temporary"), [("451 greylisted", True), ("550 no such", False)]
)
async def test_a_refused_recipient_is_known_before_anything_left(
    sink: Sink, answer: str, temporary: bool
) -> None:
    """4yz may be tried again, 5yz never; the reason names the code and not the address."""
    sink.rcpt = answer
    with pytest.raises(MailRefused) as refused:
        async with SmtpServer(sink.url).envelope(MAIL):
            raise AssertionError("a refused recipient gives no envelope")
    assert (refused.value.reason, refused.value.temporary) == (f"smtp_{answer[:3]}", temporary)
    assert MAIL.recipient not in str(refused.value)


async def test_a_server_that_is_not_there_may_be_back_later() -> None:
    """Connection refused is temporary."""
    with pytest.raises(MailRefused) as refused:
        async with SmtpServer(Sink().url).envelope(MAIL):
            raise AssertionError("nobody listens there")
    assert (refused.value.reason, refused.value.temporary) == ("unreachable", True)


async def test_a_refusal_after_data_is_certain(sink: Sink) -> None:
    """The server said no to the whole mail: it does not have it."""
    sink.data = "554 no thanks"
    async with SmtpServer(sink.url).envelope(MAIL) as envelope:
        with pytest.raises(MailRefused) as refused:
            await envelope.hand_over(MAIL.content)
    assert refused.value.reason == "smtp_554"


async def test_a_connection_cut_during_data_is_uncertain(sink: Sink) -> None:
    """The server took the mail and the answer was lost: nobody may claim either."""
    sink.cut = True
    async with SmtpServer(sink.url).envelope(MAIL) as envelope:
        with pytest.raises(MailUncertain):
            await envelope.hand_over(MAIL.content)
    assert len(sink.arrived) == 1


@pytest.mark.parametrize("url", ["", "127.0.0.1:25", "http://127.0.0.1", "smtp://"])
def test_an_unusable_address_of_the_server_is_refused_at_start(url: str) -> None:
    """A wrong setting stops the service at once, not at the first mail."""
    with pytest.raises(SettingInvalid):
        SmtpServer(url)
