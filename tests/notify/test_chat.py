"""The answer that an agent's message becomes, what the stream's answer means, and the way into a real stream."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from services.notify.carriers import NotTaken, Unanswered
from services.notify.carriers.page import PageCarrier
from services.notify.channels import chat as channel
from services.notify.channels.chat import PageMessage, Stored
from services.notify.domain.messages import SendingSettings, customer_message
from shared import ensuring, streams
from shared.bus import Bus, connect
from shared.policy import Account
from tests.notify.samples import NOW, TENANT, message
from tests.support.servers import EmbeddedNats

SHOP = Account(queue="hotline", address="shop", reaches="account")
PAGE = "ufajbripawektvcdi5thliri4yb5ijbk"


def render(text: str = "Two are left.") -> PageMessage:
    event = message("e1", channel="chat", account="shop", to=f"chat:{PAGE}", text=text)
    return channel.render(
        customer_message(event, SHOP, channel.address, SendingSettings(), "Piotr"), NOW
    )


def test_every_part_of_an_answer_is_stored_for_the_page() -> None:
    """Text, who wrote it and when, and our own reference, which the page gives back."""
    rendered = render("Zażółć <b>gęślą</b>\njaźń")
    assert (rendered.subject, rendered.message_id) == (f"answer.{TENANT}.{PAGE}", "m1")
    assert msgspec.json.decode(rendered.body) == {
        "reference": "m1.c1",
        "text": "Zażółć <b>gęślą</b>\njaźń",
        "at": NOW.isoformat().replace("+00:00", "Z"),
        "by": "Piotr",
    }


@pytest.mark.parametrize("to", ["chat:", "chat:a.b", "chat:>", "anna@customer.example", "*"])
def test_what_is_no_page_is_no_address(to: str) -> None:
    """Nothing that somebody wrote becomes another subject."""
    assert channel.address(to) is None


@pytest.mark.parametrize(
    ("answer", "kind", "reason"),
    [
        (Stored(), "sent", None),
        (Stored(err_code=10054), "failed", "too_large"),
        (Stored(err_code=10077), "uncertain", "stream_refused"),
    ],
)
def test_what_the_stream_answers(answer: Stored, kind: str, reason: str | None) -> None:
    """A refusal beyond the table is a doubt: an earlier try may have been stored."""
    outcome = channel.outcome(answer)
    assert (outcome.kind, outcome.reason) == (kind, reason)


# -- the stream -----------------------------------------------------------------------------------------


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedNats]:
    async with EmbeddedNats(tmp_path / "nats") as running:
        yield running


@pytest_asyncio.fixture
async def bus(server: EmbeddedNats) -> AsyncIterator[Bus]:
    connected = await connect(server.url, "test")
    await ensuring.ensure(connected, streams.WantedStreams(streams=streams.stream_configs()))
    yield connected
    await connected.close()


async def commit(bus: Bus, rendered: PageMessage) -> Stored:
    async with PageCarrier(bus).transaction(rendered) as transaction:
        answer: Stored = await transaction.commit()
        return answer


async def kept(bus: Bus, rendered: PageMessage) -> list[bytes]:
    found = await bus.direct_get(streams.ANSWERS, sequence=1, subject=rendered.subject, batch=10)
    return [each.body for each in found.messages]


async def test_an_answer_is_stored_once(bus: Bus) -> None:
    """Also when it is stored again after an acknowledgement that was lost."""
    rendered = render()
    for _ in range(2):
        assert await commit(bus, rendered) == Stored()
    assert await kept(bus, rendered) == [rendered.body]


async def test_an_answer_that_no_stream_takes_is_refused(bus: Bus) -> None:
    """It is told at once; what could not be stored is nowhere."""
    rendered = render("x" * 300_000)
    assert channel.outcome(await commit(bus, rendered)).reason == "too_large"
    assert await kept(bus, rendered) == []


async def test_without_the_server_nothing_was_stored(bus: Bus, server: EmbeddedNats) -> None:
    """Before the last step it is certain; in it nobody knows."""
    async with PageCarrier(bus).transaction(render()) as transaction:
        await server.kill()
        with pytest.raises(Unanswered):
            await transaction.commit()
    with pytest.raises(NotTaken):
        async with PageCarrier(bus).transaction(render()):
            pass
