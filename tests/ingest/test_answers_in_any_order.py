"""Any interleaving of answers, reconnects and failures gives a page each answer once, in order."""

import asyncio
import random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typing_extensions import override

from services.ingest.handlers.answers import Answers
from shared import errors, events, ids, message_reference, subjects
from shared.bus.deliveries import StoredMessage
from shared.chat_answers import Answer, AnswerReference
from tests.ingest.running_ingest import RECEIVED

CONVERSATION = events.ConversationId(ids.scoped_id("conversation"))
OURS, THEIRS = subjects.answer("t", "ours"), subjects.answer("t", "theirs")
STEPS = st.lists(st.sampled_from(["answer", "foreign", "reconnect", "fail", "wake"]), max_size=40)
TURNS_PER_ANSWER = 20


class MemoryAnswers(Answers):
    """The stream as a list. `failures`: how many looks fail."""

    def __init__(self) -> None:
        bus: Any = None
        super().__init__(bus)
        self.stored: list[StoredMessage] = []
        self.failures = 0

    def store(self, subject: str) -> str:
        """Store one more; returns the id that its page is told."""
        number = len(self.stored) + 1
        reference = message_reference.write(
            events.MessageId(ids.scoped_id("message", str(number))), CONVERSATION
        )
        body = msgspec.json.encode(Answer(reference=reference, text="Yes", at=RECEIVED))
        self.stored.append(StoredMessage(number, subject, body, {}, RECEIVED))
        return f"{number}.{reference}"

    @override
    async def holds(self, subject: str, named: AnswerReference) -> bool:
        await self._look()
        return [each.subject for each in self.stored[named.sequence - 1 :][:1]] == [subject]

    @override
    async def following(self, subject: str, sequence: int) -> StoredMessage | None:
        await self._look()
        return next((each for each in self.stored[sequence:] if each.subject == subject), None)

    async def _look(self) -> None:
        await asyncio.sleep(0)
        if self.failures:
            self.failures -= 1
            raise errors.BusUnavailable


class Page:
    """A page that is cut off and comes again. `told`: the ids that it was told, in order."""

    def __init__(self, stream: MemoryAnswers) -> None:
        self.told: list[str] = []
        self._stream = stream
        self._following = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        await self._stream.bring("t", "ours", self.told[-1] if self.told else None, self._tell)

    async def _tell(self, frame: dict[str, object]) -> None:
        await asyncio.sleep(0)  # where a connection may break before the page has it
        self.told.append(str(frame["id"]))

    async def leave(self) -> None:
        self._following.cancel()
        await asyncio.gather(self._following, return_exceptions=True)

    async def reconnect(self) -> None:
        await self.leave()
        self._following = asyncio.create_task(self._follow())


async def play(steps: list[str], chance: random.Random) -> tuple[list[str], list[str]]:
    """Return what a page was told, and what it was to be told. News of an answer may be lost until the end."""
    stream = MemoryAnswers()
    page, wanted = Page(stream), list[str]()
    for step in steps:
        if step == "answer":
            wanted.append(stream.store(OURS))
        elif step == "foreign":
            stream.store(THEIRS)
        elif step == "fail":
            stream.failures += 1
        elif step == "wake":
            stream.wake("ours")
        else:
            await page.reconnect()
        for _ in range(chance.randrange(6)):
            await asyncio.sleep(0)
    for _ in range(TURNS_PER_ANSWER * (1 + len(steps))):
        stream.wake("ours")
        await asyncio.sleep(0)
    await page.leave()
    return page.told, wanted


@given(STEPS, st.integers(0, 2**16))
@settings(deadline=None, max_examples=60)
def test_each_answer_is_told_once_and_in_order(steps: list[str], seed: int) -> None:
    """Answers to us and to others, breaks amid an answer, looks that fail, news that is lost or for nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("services.ingest.handlers.answers.RETRY_SECONDS", 0)
        told, wanted = asyncio.run(play(steps, random.Random(seed)))
    assert told == wanted
