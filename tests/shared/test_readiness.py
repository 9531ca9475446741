"""A service is ready while it does its work, and says what keeps it from it."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from shared import ensuring, readiness, streams, watching
from shared.bus import Bus, connect
from shared.errors import (
    BusUnavailable,
    ConsumerStuck,
    StoreIncomplete,
    StreamDrift,
    ViewUnavailable,
)
from shared.ledger.plan import EXPECTED
from shared.readiness import Backlog, Readiness, Trouble
from shared.watching import Watch
from tests.support.servers import EmbeddedNats
from tests.support.waiting import eventually

WORK = {
    "durable_name": "work",
    "ack_policy": "explicit",
    "deliver_policy": "all",
    "max_ack_pending": 1,
    "max_deliver": -1,
    "filter_subject": "contact.0.*.*",
}
CONSUMER = streams.Consumer(streams.CONTACTS, WORK)


@pytest_asyncio.fixture
async def bus(tmp_path: Path) -> AsyncIterator[Bus]:
    """A server of the test's own, with the canary's stream, CONTACTS and a consumer of it."""
    async with EmbeddedNats(tmp_path / "nats") as server:
        it = await connect(server.url, "test")
        await ensuring.ensure(it, wanted())
        yield it
        await it.close()


def wanted() -> streams.WantedStreams:
    names = {streams.CANARY, streams.CONTACTS}
    configs = [each for each in streams.stream_configs() if each["name"] in names]
    return streams.WantedStreams(streams=configs, consumers=[CONSUMER])


async def answers(bus: Bus) -> bool:
    try:
        return bool(await bus.request("$SRV.PING.work", timeout_seconds=1.0))
    except BusUnavailable:
        return False


@pytest.fixture
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No failure is forgiven."""
    monkeypatch.setattr(readiness, "FORGIVEN_SECONDS", -1.0)


class View:
    """What a service needs beside the bus."""

    away = False

    async def check(self) -> None:
        if self.away:
            raise ViewUnavailable(reason="away")


@pytest.mark.usefixtures("_at_once")
async def test_a_service_is_ready_while_its_checks_hold(bus: Bus) -> None:
    """It withdraws when one does not, names it, and comes back by itself."""
    view = View()
    ready = Readiness(bus, "work", [view.check])
    await ready.examine()
    assert ready.ready
    assert await answers(bus)
    view.away = True
    await ready.examine()
    assert not await answers(bus)
    health = await ready.health("", b"")
    assert (health.ready, health.troubles) == (
        False,
        [Trouble(code="query.unavailable", about="away")],
    )
    view.away = False
    await ready.examine()
    assert await answers(bus)
    assert (await ready.health("", b"")).troubles == []


async def test_a_moment_is_forgiven(bus: Bus) -> None:
    """A busy machine is not a broken service: the trouble is named, the service stays ready."""
    view = View()
    ready = Readiness(bus, "work", [view.check])
    await ready.examine()
    view.away = True
    await ready.examine()
    assert ready.ready
    assert [each.code for each in (await ready.health("", b"")).troubles] == ["query.unavailable"]


@pytest.mark.usefixtures("_at_once")
@pytest.mark.parametrize("fault", ["STREAM.DELETE", "STREAM.UPDATE"])
async def test_a_service_that_cannot_store_is_not_ready(bus: Bus, fault: str) -> None:
    """The canary's stream is gone, or refuses what is stored in it."""
    ready = Readiness(bus, "work")
    await ready.examine()
    assert ready.ready
    config = (await bus.api("STREAM.INFO.CANARY"))["config"]
    changed = {**config, "max_msg_size": 1} if fault == "STREAM.UPDATE" else None
    await bus.api(f"{fault}.CANARY", changed)
    await ready.examine()
    health = await ready.health("", b"")
    assert (health.ready, len(health.troubles)) == (False, 1)


async def test_the_canary_fills_nothing(bus: Bus) -> None:
    """However often it is stored, one message per process is kept."""
    ready = Readiness(bus, "work")
    for _ in range(5):
        await ready.examine()
    assert (await bus.api("STREAM.INFO.CANARY"))["state"]["messages"] == 1


@pytest.mark.usefixtures("_at_once")
async def test_a_part_of_the_work_may_fail_alone(bus: Bus) -> None:
    """It is named, and the service stays ready for the others; so is what waits, and which policies it works by."""

    async def backlog() -> Backlog:
        return Backlog(lag_events=3)

    trouble = Trouble(code="stream.drift", about="form/contact")
    versions = {"demo": "v1"}
    ready = Readiness(
        bus, "work", parts=lambda: [trouble], backlog=backlog, policies=lambda: versions
    )
    await ready.examine()
    health = msgspec.to_builtins(await ready.health("", b""))
    assert health == {
        "service": "work",
        "ready": True,
        "troubles": [{"code": "stream.drift", "about": "form/contact"}],
        "backlog": {"lag_events": 3},
        "policies": versions,
    }


@pytest.mark.usefixtures("_at_once")
async def test_a_store_without_an_answer_is_a_trouble(bus: Bus) -> None:
    """A stream that stopped storing answers nobody, while the canary's goes on."""
    ready = Readiness(bus, "work")
    await bus.api("STREAM.DELETE.CONTACTS")
    with pytest.raises(BusUnavailable):
        await bus.submit("contact.0.demo.x", b"", {})
    await ready.examine()
    assert (await ready.health("", b"")).troubles == [
        Trouble(code="bus.timed_out", about="contact")
    ]
    await ensuring.ensure(bus, wanted())
    await bus.submit("contact.0.demo.x", b"", {})
    await ready.examine()
    assert ready.ready


async def test_what_a_stream_refuses_of_a_list_is_answered(bus: Bus) -> None:
    """A provider that tells the same again, as many do, takes no service out of work."""
    ready = Readiness(bus, "work")
    told, nothing_there = ("contact.0.demo.x", b"", "1"), {EXPECTED: "0"}
    await bus.store_many([told], headers=nothing_there)
    with pytest.raises(StoreIncomplete):
        await bus.store_many([(*told[:2], "2")], headers=nothing_there)
    await ready.examine()
    assert (await ready.health("", b"")).troubles == []


async def test_what_a_server_left_unanswered_is_no_trouble_of_the_next(tmp_path: Path) -> None:
    """It was started again because it stored nothing: nobody waits for that to be forgotten."""
    async with EmbeddedNats(tmp_path / "nats") as server:
        it = await connect(server.url, "test")
        await ensuring.ensure(it, wanted())
        await it.api("STREAM.DELETE.CONTACTS")
        with pytest.raises(BusUnavailable):
            await it.submit("contact.0.demo.x", b"", {})
        await server.restart()

        async def connected_anew() -> bool:
            return it.connected and it.generation > 0

        await eventually(connected_anew)
        ready = Readiness(it, "work")
        await ready.examine()
        assert (await ready.health("", b"")).troubles == []
        await it.close()


async def test_a_consumer_with_work_that_makes_no_step_is_stuck(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One without work makes no step either, and one that has just made one is none."""
    watch = Watch(bus, wanted())
    await watch.begin()
    with monkeypatch.context() as at_once:
        at_once.setattr(watching, "STUCK_SECONDS", -1.0)
        await watch.check_moving()
    await bus.store("contact.0.demo.x", b"")
    await watch.look()
    await watch.check_moving()
    monkeypatch.setattr(watching, "STUCK_SECONDS", -1.0)
    with pytest.raises(ConsumerStuck) as stuck:
        await watch.check_moving()
    assert stuck.value.details == {"stream": "CONTACTS", "consumer": "work"}


async def test_the_oldest_that_waits_is_told(bus: Bus) -> None:
    """Of what a consumer has not done, in its own part of the stream."""
    watch = Watch(bus, wanted())
    await watch.begin()
    assert await watch.oldest_waiting(streams.CONTACTS) is None
    await bus.store("contact.1.demo.x", b"another partition's")
    ack = await bus.store("contact.0.demo.x", b"ours")
    await watch.look()
    stored = await bus.leader_get(streams.CONTACTS, sequence=ack.sequence)
    assert stored is not None
    assert await watch.oldest_waiting(streams.CONTACTS) == stored.stored


async def test_the_oldest_of_one_at_a_time_is_what_is_outstanding(bus: Bus) -> None:
    """And before anything is: the first that one of its filters gives, whatever stands before it."""
    filters = ["contact.1.demo.*", "contact.2.demo.*"]
    (contacts,) = (each for each in streams.stream_configs() if each["name"] == streams.CONTACTS)
    (found,) = wanted().consumers
    config = {key: value for key, value in found.config.items() if key != "filter_subject"}
    config |= {"durable_name": "lane", "filter_subjects": filters, "max_ack_pending": 1}
    lane = streams.WantedStreams([contacts], [streams.Consumer(streams.CONTACTS, config)])
    await ensuring.ensure(bus, lane)
    await bus.store("contact.3.demo.x", b"nobody's")
    stored = []
    for subject in ("contact.2.demo.x", "contact.1.demo.x"):
        ack = await bus.store(subject, b"ours")
        stored.append(await bus.leader_get(streams.CONTACTS, sequence=ack.sequence))
    watch = Watch(bus, lane)
    await watch.begin()
    waiting = [await watch.oldest_waiting(streams.CONTACTS)]
    async with contextlib.aclosing(bus.pull(streams.CONTACTS, "lane", batch=2)) as batches:
        (first,) = await anext(batches)
        await first.ack()
        (second,) = await anext(batches)
        await bus.flush()
        await watch.look()
        waiting.append(await watch.oldest_waiting(streams.CONTACTS))
        await second.ack()
        await bus.flush()
        await watch.look()
        waiting.append(await watch.oldest_waiting(streams.CONTACTS))
    assert waiting == [*(each.stored for each in stored if each is not None), None]


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("lost", ["CONSUMER.DELETE.CONTACTS.work", "STREAM.DELETE.CONTACTS"])
async def test_what_is_gone_or_made_anew_is_noticed(bus: Bus, lost: str, *, again: bool) -> None:
    """A consumer of the same name is another one: nobody reads it."""
    watch = Watch(bus, wanted())
    await watch.begin()
    await watch.look()
    await bus.api(lost)
    if again:
        await ensuring.ensure(bus, wanted())

    async def noticed() -> bool:
        try:
            await watch.look()
        except StreamDrift:
            return True
        return False

    await eventually(noticed)
