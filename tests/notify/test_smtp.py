"""The dialogue with a mail server, against a real one on loopback."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping

import pytest

from deploy.embedded.ports import LOOPBACK
from services.notify.carriers import NotTaken, Unanswered
from services.notify.carriers.smtp import COMMAND_TIMEOUT_SECONDS, PIECE_BYTES, SmtpServer
from services.notify.channels.email import Mail
from shared.errors import SettingInvalid
from tests.notify.sink import Sink

MAIL = Mail(
    "help@shop.example", "anna@customer.example", b"Subject: hello\r\n\r\n.\r\n..two\r\nend\r\n"
)


SETTLE_SECONDS = 0.1
"""Longer than loopback takes to tell that the other side has closed."""


@contextlib.asynccontextmanager
async def scripted(
    answers: Mapping[bytes, bytes | None], *, deaf_after: bytes | None = None
) -> AsyncIterator[str]:
    """Give the URL of a server for one client: answers by the first word of a line, else 250; `None` hangs up.

    After it has answered `deaf_after` it reads no more.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answer: bytes | None = b"220 ready"
        word = b""
        while answer is not None and (deaf_after is None or word != deaf_after):
            writer.write(answer + b"\r\n")
            line = await reader.readline()
            word = (line.split() or [b""])[0]
            answer = answers.get(word, b"250 ok") if line else None
        if answer is not None:
            writer.write(answer + b"\r\n")
            await over.wait()
        writer.close()
        await writer.wait_closed()
        served.set()

    served, over = asyncio.Event(), asyncio.Event()
    server = await asyncio.start_server(serve, LOOPBACK, 0)
    try:
        yield f"smtp://{LOOPBACK}:{server.sockets[0].getsockname()[1]}"
        over.set()
        await asyncio.wait_for(served.wait(), COMMAND_TIMEOUT_SECONDS)
    finally:
        server.close()


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as running:
        yield running


async def test_a_mail_is_handed_over_whole(sink: Sink) -> None:
    """Envelope and content arrive as they were given, lines with a leading dot included."""
    async with SmtpServer(sink.url).transaction(MAIL) as transaction:
        assert sink.arrived == []
        assert await transaction.commit() == 250
    (arrival,) = sink.arrived
    assert (arrival.sender, arrival.recipients) == (MAIL.sender, [MAIL.recipient])
    assert arrival.message.get_content().splitlines() == [".", "..two", "end"]


@pytest.mark.parametrize("answer", ["451 greylisted", "550 no such"])
async def test_a_refused_recipient_is_known_before_anything_left(sink: Sink, answer: str) -> None:
    """The refusal holds the code and not the address."""
    sink.rcpt = answer
    with pytest.raises(NotTaken) as refused:
        async with SmtpServer(sink.url).transaction(MAIL):
            raise AssertionError("a refused recipient gets no mail")
    assert refused.value.answer == int(answer[:3])
    assert MAIL.recipient not in str(refused.value)


async def test_a_server_that_is_not_there_answers_nothing() -> None:
    """Connection refused is known before anything left."""
    with pytest.raises(NotTaken) as refused:
        async with SmtpServer(Sink().url).transaction(MAIL):
            raise AssertionError("nobody listens there")
    assert refused.value.answer is None


@pytest.mark.parametrize("answer", ["554 no thanks", "451 later"])
async def test_a_refusal_after_data_is_certain(sink: Sink, answer: str) -> None:
    """The server said no to the whole mail: it does not have it, and nothing is left to say again."""
    sink.data = answer
    async with SmtpServer(sink.url).transaction(MAIL) as transaction:
        assert await transaction.commit() == int(answer[:3])
        assert not await transaction.again(60.0)


async def test_a_mail_without_its_dot_is_dropped(sink: Sink) -> None:
    """A process that dies before the dot costs nothing: the server forgets all that it was sent."""
    with pytest.raises(KeyboardInterrupt):
        async with SmtpServer(sink.url).transaction(MAIL):
            raise KeyboardInterrupt
    async with SmtpServer(sink.url).transaction(MAIL) as transaction:
        await transaction.commit()
    assert len(sink.arrived) == 1


async def test_a_content_that_the_server_does_not_want_is_known_before_the_dot() -> None:
    """A refusal of DATA itself can be tried again like one of RCPT."""
    async with scripted({b"DATA": b"452 no room"}) as url:
        with pytest.raises(NotTaken) as refused:
            async with SmtpServer(url).transaction(MAIL):
                raise AssertionError("the content was refused")
    assert refused.value.answer == 452


@pytest.mark.parametrize("answer", [b"hello", b"250 ok", b"999 no such code"])
async def test_what_is_no_refusal_of_the_protocol_is_tried_again(answer: bytes) -> None:
    """A line that is none of the protocol's, before anything left, says nothing about the mail."""
    async with scripted({b"DATA": answer}) as url:
        with pytest.raises(NotTaken) as refused:
            async with SmtpServer(url).transaction(MAIL):
                raise AssertionError("the content was refused")
    assert refused.value.answer is None


async def test_a_server_that_left_before_the_dot_has_no_mail() -> None:
    """The dot was never written: that leaves no doubt."""
    async with (
        scripted({b"DATA": b"354 go on", b"end": None}) as url,
        SmtpServer(url).transaction(MAIL) as transaction,
    ):
        await asyncio.sleep(SETTLE_SECONDS)  # the fault itself
        with pytest.raises(NotTaken) as refused:
            await transaction.commit()
    assert refused.value.answer is None


async def test_a_server_that_stops_reading_is_known_before_the_dot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What could not leave this process is not sent: no intent is spent on it, and it is tried again later."""
    monkeypatch.setattr("services.notify.carriers.smtp.COMMAND_TIMEOUT_SECONDS", 1.0)
    more_than_any_buffer = Mail(MAIL.sender, MAIL.recipient, b"a line of the mail\r\n" * 1_000_000)
    async with scripted({b"DATA": b"354 go on"}, deaf_after=b"DATA") as url:
        with pytest.raises(NotTaken) as refused:
            async with SmtpServer(url).transaction(more_than_any_buffer):
                raise AssertionError("the server has read nothing of it")
    assert refused.value.answer is None


async def test_a_long_mail_arrives_whole(sink: Sink) -> None:
    """It is written in pieces; none is lost and none comes twice."""
    lines = [f"line {number}" for number in range(20_000)]
    content = b"Subject: long\r\n\r\n" + "\r\n".join(lines).encode() + b"\r\n"
    assert len(content) > 2 * PIECE_BYTES
    async with SmtpServer(sink.url).transaction(Mail(MAIL.sender, MAIL.recipient, content)) as sent:
        await sent.commit()
    assert sink.arrived[0].message.get_content().splitlines() == lines


async def test_a_connection_cut_after_the_dot_is_uncertain(sink: Sink) -> None:
    """The server took the mail and the answer was lost: nobody may claim either."""
    sink.cut = True
    async with SmtpServer(sink.url).transaction(MAIL) as transaction:
        with pytest.raises(Unanswered):
            await transaction.commit()
    assert len(sink.arrived) == 1


@pytest.mark.parametrize("url", ["", "127.0.0.1:25", "http://127.0.0.1", "smtp://"])
def test_an_unusable_address_of_the_server_is_refused_at_start(url: str) -> None:
    """A wrong setting stops the service at once, not at the first mail."""
    with pytest.raises(SettingInvalid):
        SmtpServer(url)
