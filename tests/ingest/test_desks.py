"""Whether somebody is there: asked once for all pages, said when it changes, and nothing where nobody knows."""

import asyncio
from typing import Any

import msgspec
import pytest

from services.ingest.channels import CHANNELS
from services.ingest.handlers import desks
from services.ingest.handlers.accounts import Door
from services.ingest.handlers.desks import Desks
from shared import errors
from shared.policy import Account


class Asked:
    """Answers as history does; `queues`: who has somebody, `None` while it does not answer."""

    def __init__(self, *queues: str) -> None:
        self.queues: tuple[str, ...] | None = queues
        self.times = 0
        self.asked_often = asyncio.Event()

    async def request(self, subject: str, body: bytes, *, timeout_seconds: float) -> bytes:
        assert (subject, body) == ("query.demo.on_duty", b"{}")
        self.times += 1
        await asyncio.sleep(0)
        if self.times > 8:
            self.asked_often.set()
        if self.queues is None:
            raise errors.BusUnavailable
        return msgspec.json.encode({"position": 1, "agents": [], "queues": self.queues})


def a_door(queue: str = "hotline") -> Door:
    return Door("demo", CHANNELS["chat"], "shop", Account(queue=queue), {})


async def test_one_question_answers_all_pages() -> None:
    """Each by the queue of its account."""
    bus: Any = Asked("hotline")
    known = Desks(bus)
    doors = [a_door(), a_door(), a_door("night")]
    assert await asyncio.gather(*map(known.staffed, doors)) == [True, True, False]
    assert bus.times == 1


async def test_where_nobody_knows_nothing_is_said() -> None:
    """History is away: a page hears nothing of it."""
    bus: Any = Asked()
    bus.queues = None
    assert await Desks(bus).staffed(a_door()) is None


async def test_a_page_hears_what_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once each; it is asked again after a while."""
    monkeypatch.setattr(desks, "KEPT_SECONDS", 0.0)
    monkeypatch.setattr(desks, "LOOK_AGAIN_SECONDS", 0.0)
    bus: Any = Asked()
    told: list[object] = []

    async def tell(frame: dict[str, object]) -> None:
        told.append(frame["open"])
        bus.queues = ("hotline",) if len(told) == 1 else None

    telling = asyncio.create_task(Desks(bus).tell(a_door(), tell))
    await bus.asked_often.wait()
    telling.cancel()
    assert told == [False, True]
