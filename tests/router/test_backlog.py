"""A backlog: contacts came while no router was there, or faster than they were decided. Real servers and processes."""

import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from shared import events, streams, subjects
from shared.events import InboundEvent, Lane
from tests.router.invariants import check_recorded
from tests.router.running_router import RunningRouter
from tests.router.samples import TENANT, call, form, message, phone
from tests.router.samples import mail as address
from tests.support.waiting import eventually

SEED = 2026
KILLS = 4
LIMITS = {
    "live": {"limits": [0.05]},
    "written": {"kept": 1, "limits": [0.05, 1_000]},
    "tell": "warehouse",
}
STORED_IN: Sequence[Sequence[Lane]] = (
    ("written",),
    ("live",),
    ("live", "written"),
    ("bulk", "live"),
)


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[RunningRouter]:
    opened = RunningRouter(tmp_path, overload=LIMITS)
    await opened.open()
    yield opened
    await opened.close()


def mails(count: int) -> list[InboundEvent]:
    """Mails of as many people."""
    return [
        message(
            "Where is it?",
            f"mail-{number}",
            channel="email",
            handles=[address(f"a{number}@customer.example")],
            at=now(),
        )
        for number in range(count)
    ]


def calls(count: int) -> list[InboundEvent]:
    """Whole calls of as many people, in the order in which things happened."""
    return [
        call(kind, f"call-{number}", handles=[phone(f"+4860020{number:04}")], at=now(), k=k)
        for number in range(count)
        for k, kind in enumerate(("started", "menu", "answered", "ended"))
    ]


async def test_calls_are_decided_before_the_mails_that_came_first(running: RunningRouter) -> None:
    """Of a backlog: while a call waits, only so many mails are decided beside it as are kept."""
    written, live = mails(200), calls(8)
    await running.happens(*written, *live)
    await running.start_router()
    await running.until_recorded(*live, *written)
    last_call = max(running.holds(event)[0].sequence for event in live)
    before = [event for event in written if running.holds(event)[0].sequence < last_call]
    assert 0 < len(before) < len(written) / 2
    check_recorded(running.book)


async def test_a_backlog_is_told_and_so_is_its_end(running: RunningRouter) -> None:
    """What waits shows in the health of the router, its limits and its end in the ledger; a lane without, in none."""
    await running.happens(*mails(30), *calls(1))
    await running.start_router()
    await running.idle()
    await running.until(lambda: len(running.events("lane.recovered")) == 2)
    told = {each.open.lane: each.open for each in running.events("lane.delayed")}
    assert sorted(told) == ["live", "written"]
    assert (told["written"].limit_seconds, told["written"].undecided) == (0.05, 30)
    assert told["live"].undecided == 4
    assert told["written"].waited_seconds > told["live"].waited_seconds > 0.05
    health = msgspec.json.decode(await running.bus.request(subjects.ops("router", "health")))
    assert health["backlog"] == {}


async def test_a_backlog_is_told_to_the_tenant_whose_it_is(tmp_path: Path) -> None:
    """Another one, of whom something waits in the same lane and not for long, hears of nothing, and of no number."""
    running = RunningRouter(tmp_path, others={"quiet": "SECOND_LOOKUP_KEY"}, overload=LIMITS)
    await running.open()
    try:
        await running.happens(*mails(30))
        await running.start_router()
        await running.until(lambda: running.events("lane.delayed", "lane.recovered")[1:])
        (theirs,) = (replace(each, tenant="quiet", id="quiet-1") for each in mails(1))
        await running.happens(theirs)
        await running.until_recorded(theirs)
        await running.idle()
        told = running.events("lane.delayed", "lane.recovered")
        assert {each.tenant for each in told} == {TENANT}
        assert told[0].open.undecided == 30
    finally:
        await running.close()


def unreadable(count: int) -> list[events.PayloadQuarantined]:
    """Deliveries to one account that could not be read."""
    opened = events.PayloadQuarantinedOpen(
        channel="twilio_voice", account="hotline", code="payload.unreadable"
    )
    where, at = "chan-twilio_voice-hotline", now()
    origin = events.Origin(
        tenant=TENANT, service="ingest", actor="channel:x", occurred=at, recorded=at
    )
    return [
        events.make(events.PayloadQuarantined, origin, f"unread-{number}", where, opened)
        for number in range(count)
    ]


@pytest.mark.parametrize("loud", [calls(120), unreadable(480)], ids=["calls", "unreadable"])
async def test_another_tenants_backlog_keeps_nobody_waiting(
    loud: Sequence[InboundEvent | events.PayloadQuarantined], tmp_path: Path
) -> None:
    """Of a tenant whose calls came after hundreds of another's, all are decided while most of those still wait."""
    running = RunningRouter(tmp_path, others={"quiet": "SECOND_LOOKUP_KEY"}, overload=LIMITS)
    await running.open()
    try:
        quiet = [replace(each, tenant="quiet", id=f"quiet-{each.id}") for each in calls(4)]
        await running.happens(*loud, *quiet)
        await running.start_router()
        await running.until_recorded(*quiet, *loud)
        last = max(running.holds(event)[0].sequence for event in quiet)
        before = [event for event in loud if running.holds(event)[0].sequence < last]
        assert len(before) < len(loud) / 2
        check_recorded(running.book)
    finally:
        await running.close()


async def test_none_is_lost_and_none_decided_twice_across_the_lanes(
    running: RunningRouter,
) -> None:
    """Two routers and kills, mails in the lane of an older version too, and some that are told in both."""
    drawn = random.Random(SEED)
    written, live = mails(60), calls(20)
    forms = [
        form(name=f"f{number}", handles=[address(f"a{number}@customer.example")], at=now())
        for number in range(30)
    ]
    for event in (*written, *forms):
        body, where = msgspec.json.encode(event), (event.open.channel, event.open.contact_id)
        for lane in drawn.choice(STORED_IN):
            await running.stores(*where, body, event.id, streams.contact_partitions(lane))
    await running.two_routers()
    share = len(live) // KILLS
    for begin in range(0, len(live), share):
        end = len(running.book) + drawn.randint(1, share)
        await running.happens(*live[begin : begin + share])
        await running.until(lambda: len(running.book) >= end)  # noqa: B023
        await drawn.choice(running.routers[-2:]).kill()
        await running.launch_router()
    everything = [*written, *forms, *live]
    await running.until_recorded(*everything)
    await running.idle()
    held = Counter(each.event.id for each in running.readable())
    assert [held[event.id] for event in everything] == [1] * len(everything)
    opened = Counter(event.open.contact_id for event in running.events("conversation.opened"))
    assert set(opened.values()) == {1}
    order = [running.holds(event)[0].sequence for event in live]
    for first in range(0, len(order), 4):
        assert order[first : first + 4] == sorted(order[first : first + 4])
    check_recorded(running.book)


async def test_an_import_waits_for_what_somebody_waits_for(running: RunningRouter) -> None:
    """What an operator imported goes into the last lane, whatever its channel."""
    talks = [replace(event, actor="import:email/shop") for event in mails(5)]
    await running.happens(*talks)

    async def stands() -> bool:
        info = await running.bus.api("STREAM.INFO.CONTACTS", {"subjects_filter": "contact.*.>"})
        return len(info["state"]["subjects"]) == len(talks)

    await eventually(stands)
    info = await running.bus.api("STREAM.INFO.CONTACTS", {"subjects_filter": "contact.*.>"})
    partitions = {int(subject.split(".")[1]) for subject in info["state"]["subjects"]}
    assert partitions <= set(subjects.contact_partitions("bulk"))
    await running.start_router()
    await running.until_recorded(*talks)
