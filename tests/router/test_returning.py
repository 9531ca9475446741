"""What was set aside for a tenant whom nobody knew is handled when the tenant is back. A real bus, history a twin."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import msgspec
import pytest
import pytest_asyncio

from services.router import returning
from services.router.returning import Returning
from shared import backoff, errors, queries
from shared.bus import Bus, connect
from shared.bus.deliveries import Message
from shared.clock import SystemClock
from shared.tasks import end
from tests.support.waiting import eventually

TENANT = "back-again"


class House:
    """History and the router, as they answer: `projected` is what history has of a ledger that ends at `end`."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self.parked = {"unknown": errors.TenantUnknown.code, "other": "KeyError"}
        self.refusals: list[errors.TellonceError] = []
        self.end = self.projected = 7
        self.asked = 0
        self.retried: list[str] = []

    async def position(self) -> int:
        return self.end

    async def open(self) -> None:
        await self._bus.subscribe(f"query.{TENANT}.parked", self._tell)
        await self._bus.subscribe(f"cmd.{TENANT}.retry_parked", self._retry)

    async def _answers(self, message: Message, answer: object) -> None:
        await self._bus.publish(message.reply, msgspec.json.encode(answer))

    async def _tell(self, message: Message) -> None:
        self.asked += 1
        asked = msgspec.json.decode(message.body, type=queries.AskParked)
        if (asked.min_seq or 0) > self.projected:
            await self._answers(message, {"error": errors.PositionNotReached().problem()})
            return
        known = self.parked if self.projected >= self.end else {}
        lines = [_line(name, error) for name, error in known.items()]
        answer = queries.ParkedAnswer(
            position=self.projected, count=len(lines), next=None, parked=lines
        )
        await self._answers(message, answer)

    async def _retry(self, message: Message) -> None:
        name = msgspec.json.decode(message.body)["parked_id"]
        if self.refusals:
            await self._answers(message, {"error": self.refusals.pop(0).problem()})
            return
        del self.parked[name]
        self.retried.append(name)
        await self._answers(message, {"ok": True})


def _line(name: str, error: str) -> queries.ParkedLine:
    return queries.ParkedLine(
        parked_id=name,
        sequence=7,
        type="call.started",
        stream="CONTACTS",
        position=1,
        raw=None,
        error=error,
        failures=1,
        parked=datetime(2026, 11, 30, tzinfo=UTC),
    )


@pytest_asyncio.fixture
async def house(nats_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    """A house in which nobody waits for long, and a tenant who has just come."""
    monkeypatch.setattr(returning, "RETURN_SECONDS", 0.01)
    short = backoff.Backoff(first_seconds=0.01, longest_seconds=0.01)
    monkeypatch.setattr(returning, "RETRY", short)
    bus = await connect(nats_url, "test")
    made = House(bus)
    await made.open()
    yield made
    await bus.close()


@pytest_asyncio.fixture
async def looking(house: House, nats_url: str) -> AsyncIterator[Returning]:
    """Looks for ever, for whoever came."""
    bus = await connect(nats_url, "looking")
    made = Returning(bus, house, SystemClock())
    running = asyncio.create_task(made.run())
    yield made
    await end([running])
    await bus.close()


async def _is(found: bool) -> bool:
    return found


async def test_what_history_does_not_have_yet_is_waited_for(
    house: House, looking: Returning
) -> None:
    """It was set aside a moment ago; and what failed for another reason is an operator's."""
    house.projected = house.end - 1
    looking.note(TENANT)
    await eventually(lambda: _is(house.asked > 0))
    house.projected = house.end
    await eventually(lambda: _is(house.retried == ["unknown"]))
    assert house.parked == {"other": "KeyError"}


@pytest.mark.parametrize("refusal", [errors.LedgerUnavailable, errors.TenantUnknown])
async def test_what_is_refused_for_now_is_tried_again(
    house: House, looking: Returning, refusal: type[errors.TellonceError]
) -> None:
    """A ledger is away, or the router that was asked does not know the tenant yet."""
    house.refusals.append(refusal())
    looking.note(TENANT)
    await eventually(lambda: _is(house.retried == ["unknown"]))


async def test_what_is_refused_for_good_stays_where_it_is(house: House, looking: Returning) -> None:
    """Nobody asks for it again and again."""
    house.refusals.append(errors.ParkedGone())
    assert await looking.take_up(TENANT)
    assert (house.retried, house.refusals) == ([], [])
