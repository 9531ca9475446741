"""Requests of the player whose answer is lost."""

import time

import pytest

from deploy.story import asking
from shared.bus import connect
from shared.bus.deliveries import Message
from shared.bus_address import BusAddress


async def test_an_operators_request_is_asked_again_when_its_answer_was_lost(
    nats_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that is killed while it rebuilds never answers; the one that is started in its place does."""
    monkeypatch.setattr(asking, "OPERATE_SECONDS", 0.2)
    asked: list[bytes] = []

    async def answer(message: Message) -> None:
        asked.append(message.body)
        if len(asked) > 2:
            await message.respond(b'{"live": "a", "rebuilt": "a"}')

    bus = await connect(nats_url, "tests")
    asker = asking.Asker("demo")
    await asker.open(BusAddress(url=nats_url))
    try:
        await bus.subscribe("ops.lost.rebuild", answer)
        await bus.flush()
        found = await asker.operate("lost", "rebuild", time.monotonic() + 30)
        assert found == {"live": "a", "rebuilt": "a"}
        assert len(asked) == 3
    finally:
        await asker.close()
        await bus.close()
