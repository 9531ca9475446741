"""How long somebody waits: measured on who was taken within the last hour, and said where it is known."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from services.history.answering import Answers
from services.history.pool import Pool
from services.history.positions import Positions
from services.history.projection import Projection
from services.history.store import Session
from shared import policy
from shared.errors import QueueUnknown
from shared.policies import Policies
from shared.settings import Settings
from tests.history.caller import WAIT_SECONDS, Caller
from tests.history.handwritten_ledger import BEGIN, HandwrittenLedger, TickingClock
from tests.history.parcel_story import contact

HOURS = b"""
calendars:
  office: {zone: Europe/Warsaw, open: {mon-fri: ["08:00-18:00"]}}
calendar: office
"""
POLICY = {"rule": "entry.account", "policy_version": "policy-1"}
NOON = BEGIN + timedelta(hours=2)


class Hotline:
    """Calls that wait, are taken or hang up, and who asks about them."""

    def __init__(self, handwritten: HandwrittenLedger, session: Session, pool: Pool) -> None:
        self.handwritten = handwritten
        self.session = session
        policies = Policies(policy.parse(policy.content_of(Settings().policy) + HOURS))
        self.ask = Caller(
            Answers(
                pool,
                handwritten.ledger,
                policies,
                Positions(agreed=True),
                TickingClock(),
                rows_max=500,
                wait_seconds=WAIT_SECONDS,
            )
        )

    async def write(self, call: str, name: str, open_part: Any, personal: Any = None) -> None:
        aggregate = f"conv-{call}"
        event = self.handwritten.event(
            aggregate, name, open_part, personal, conversation=call, customer=call
        )
        await self.handwritten.write(aggregate, event)

    async def rings(self, call: str, at: float) -> None:
        """Somebody calls, so many seconds before NOON."""
        self.handwritten.now = NOON - timedelta(seconds=at)
        opened = {"contact_id": call, "channel": "twilio_voice", "account": "hotline"}
        await self.write(call, "conversation.opened", {**opened, **POLICY})
        self.handwritten.now = NOON - timedelta(seconds=at)
        await self.write(call, "call.started", contact(call), {"handles": []})
        self.handwritten.now = NOON - timedelta(seconds=at)
        await self.write(call, "contact.queued", {"contact_id": call, "queue": "hotline", **POLICY})

    async def taken(self, call: str, at: float) -> None:
        self.handwritten.now = NOON - timedelta(seconds=at)
        accepted = {"offer_id": call, "contact_id": call, "agent": "piotr", "packet_id": "p"}
        await self.write(call, "contact.accepted", accepted)

    async def hangs_up(self, call: str, at: float) -> None:
        self.handwritten.now = NOON - timedelta(seconds=at)
        lost = {"contact_id": call, "callback_id": call, "queue": "hotline"}
        await self.write(call, "contact.abandoned", lost)

    async def line(self, at: Any = NOON, **asked: Any) -> dict[str, Any]:
        """What is said of calls of the hotline."""
        projection = await Projection.take_over(self.session)
        every = await self.handwritten.all()
        await projection.apply(every[projection.position :])
        answer = await self.ask("waiting", queue="hotline", medium="call", at=at, **asked)
        (line,) = answer["queues"]
        found: dict[str, Any] = line
        return found


@pytest_asyncio.fixture
async def hotline(
    handwritten: HandwrittenLedger, session: Session, pool: Pool
) -> AsyncIterator[Hotline]:
    yield Hotline(handwritten, session, pool)


async def test_an_estimate_is_what_others_have_waited(hotline: Hotline) -> None:
    """Half of them, and nine of ten, waited no longer; of fewer than five nothing is said."""
    for number, waited in enumerate((10, 20, 30, 40)):
        await hotline.rings(f"c{number}", 1_000 + waited)
        await hotline.taken(f"c{number}", 1_000)
    line = await hotline.line()
    assert (line["taken"], line["median_seconds"], line["p90_seconds"]) == (4, None, None)
    await hotline.rings("c4", 600)
    await hotline.taken("c4", 500)
    line = await hotline.line()
    assert (line["taken"], line["median_seconds"], line["p90_seconds"]) == (5, 30, 76)


async def test_who_hung_up_waits_no_more_and_makes_no_estimate(hotline: Hotline) -> None:
    """Nor does whoever was taken longer than an hour ago; who waits still is counted, for the desk."""
    await hotline.rings("old", 3_700)
    await hotline.taken("old", 3_600)
    await hotline.rings("gone", 300)
    await hotline.rings("here", 200)
    assert (await hotline.line())["waiting"] == 2
    await hotline.hangs_up("gone", 100)
    line = await hotline.line()
    assert (line["waiting"], line["taken"]) == (1, 0)
    assert (await hotline.line(at=NOON - timedelta(seconds=1)))["taken"] == 1


@pytest.mark.parametrize(
    ("at", "is_open", "until", "opens"),
    [
        (NOON, True, "2026-11-02T17:00:00Z", None),
        (NOON + timedelta(hours=8), False, None, "2026-11-03T07:00:00Z"),
        (NOON + timedelta(days=5), False, None, "2026-11-09T07:00:00Z"),
    ],
    ids=["open", "evening", "weekend"],
)
async def test_it_says_until_when_or_from_when_somebody_is_there(
    hotline: Hotline, at: Any, is_open: bool, until: str | None, opens: str | None
) -> None:
    """By the calendar of the queue for the medium."""
    line = await hotline.line(at)
    assert (line["open"], line["until"], line["opens"]) == (is_open, until, opens)


async def test_while_nobody_is_there_no_wait_is_known(hotline: Hotline) -> None:
    """However quickly it went until closing time."""
    closes = NOON + timedelta(hours=5, minutes=30)
    for number in range(5):
        await hotline.rings(f"c{number}", -19_700)
        await hotline.taken(f"c{number}", -19_790)
    before = await hotline.line(closes - timedelta(seconds=1))
    assert (before["taken"], before["median_seconds"]) == (5, 90)
    after = await hotline.line(closes)
    assert (after["taken"], after["median_seconds"], after["p90_seconds"]) == (5, None, None)


async def test_without_a_filter_each_queue_says_it_for_each_medium(hotline: Hotline) -> None:
    """Also where nobody has ever waited; of a queue that there is not, nothing."""
    answer = await hotline.ask("waiting", at=msgspec.to_builtins(NOON))
    assert {each["queue"] for each in answer["queues"]} == {"hotline", "branch-krakow", "warehouse"}
    assert len(answer["queues"]) == 15
    assert {each["waiting"] for each in answer["queues"]} == {0}
    with pytest.raises(QueueUnknown):
        await hotline.ask("waiting", queue="attic")
