"""The contract of queries: names, what a question refuses, and how one service asks another."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from shared import queries, subjects
from shared.bus import Bus, connect
from shared.bus.deliveries import Message
from shared.errors import CommandUnreadable, ViewUnavailable
from shared.queries import QUERIES, AskKnown, KnownAnswer, KnownEvent
from shared.query_client import ask
from shared.requests import QUESTION_MAX_BYTES, read_question


@pytest.mark.parametrize("question", QUERIES.values(), ids=QUERIES)
def test_a_question_refuses_what_it_does_not_know(question: type[queries.Question[Any]]) -> None:
    """A typing error is no wider question."""
    with pytest.raises(CommandUnreadable) as refused:
        read_question(question, b'{"no_such_field":1}')
    assert "no_such_field" in str(refused.value.details["reason"])


def test_a_question_has_a_limit() -> None:
    """What is larger is not even read."""
    with pytest.raises(CommandUnreadable) as refused:
        read_question(queries.AskPosition, b" " * (QUESTION_MAX_BYTES + 1))
    assert refused.value.details == {"limit_bytes": QUESTION_MAX_BYTES}


def test_every_query_has_a_name_of_its_own_and_an_answer() -> None:
    """Two of one name would hide each other; the answer is what the question's brackets say."""
    lists = [found for name, found in vars(queries).items() if name.endswith("_QUERIES")]
    assert len(QUERIES) == sum(map(len, lists))
    assert queries.answer_to(AskKnown) is KnownAnswer
    for kind in QUERIES.values():
        assert "position" in queries.answer_to(kind).__struct_fields__


class History:
    """Answers every `known` with the next reply; `None` is silence. `asked`: the bodies it got."""

    def __init__(self) -> None:
        self.replies: list[bytes | None] = []
        self.asked: list[bytes] = []

    async def answer(self, message: Message) -> None:
        self.asked.append(message.body)
        reply = self.replies.pop(0)
        if reply is not None:
            await message.respond(reply)


@pytest_asyncio.fixture
async def bus(nats_url: str) -> AsyncIterator[Bus]:
    """A connection."""
    bus = await connect(nats_url, "test")
    yield bus
    await bus.close()


async def test_a_question_is_asked_and_its_answer_read(bus: Bus) -> None:
    """Only what is asked is sent; the answer comes as its type."""
    history = History()
    subscription = await bus.subscribe(subjects.query("asking", "known"), history.answer)
    await bus.flush()
    known = KnownAnswer(position=9, known={"a": KnownEvent(sequence=3, raw=None)})
    history.replies = [msgspec.json.encode(known)]
    assert await ask(bus, "asking", AskKnown(ids=["a", "b"]), timeout_seconds=5) == known
    assert history.asked == [b'{"ids":["a","b"]}']
    await subscription.stop()


async def test_a_refusal_and_silence_are_a_view_that_is_away(bus: Bus) -> None:
    """Whoever asks may ask again later; the cause is told."""
    history, question = History(), AskKnown(ids=["a"], min_seq=7)
    with pytest.raises(ViewUnavailable) as nobody:
        await ask(bus, "away", question, timeout_seconds=5)
    subscription = await bus.subscribe(subjects.query("away", "known"), history.answer)
    await bus.flush()
    history.replies = [
        b'{"error":{"code":"query.position_not_reached","message":"","retryable":true}}',
        None,
    ]
    with pytest.raises(ViewUnavailable) as refused:
        await ask(bus, "away", question, timeout_seconds=5)
    async with asyncio.timeout(5):
        with pytest.raises(ViewUnavailable) as silent:
            await ask(bus, "away", question, timeout_seconds=0.1)
    causes = [each.value.details["cause"] for each in (nobody, refused, silent)]
    assert causes == ["bus.no_responders", "query.position_not_reached", "bus.timed_out"]
    await subscription.stop()
