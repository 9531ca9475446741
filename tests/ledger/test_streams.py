"""The streams are made once, verified often, and never changed silently."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from deploy import bootstrap
from shared import ensuring, policy, settings, streams, subjects
from shared.bus import Bus, connect
from shared.comparing import drift
from shared.errors import JetStreamRefused, StreamDrift
from shared.settings import Settings
from shared.streams import LEDGER, NOTIFY_LEDGER, NOTIFY_MESSAGES, WantedStreams
from tests.support.servers import EmbeddedNats, EmbeddedNatsCluster
from tests.support.waiting import eventually

PAUSE_SECONDS = 2.0
WITHIN_SECONDS = 20.0


@pytest_asyncio.fixture
async def fresh(tmp_path: Path) -> AsyncIterator[tuple[Bus, Settings]]:
    """A server without streams, and the settings that lead there."""
    async with EmbeddedNats(tmp_path) as server:
        bus = await connect(server.url, "test")
        yield bus, settings.load({"TELLONCE_NATS_URL": server.url})
        await bus.close()


def _wanted(chosen: Settings) -> WantedStreams:
    return bootstrap.wanted(chosen, [policy.load(chosen.policy)])


async def test_bootstrap_makes_everything_and_may_run_again(fresh: tuple[Bus, Settings]) -> None:
    """Before it services refuse to start, after it and after its repetition they start."""
    bus, chosen = fresh
    with pytest.raises(StreamDrift):
        await ensuring.assert_streams(bus, _wanted(chosen))
    await bootstrap.bootstrap(chosen)
    await ensuring.assert_streams(bus, _wanted(chosen))
    await bootstrap.bootstrap(chosen)
    await ensuring.assert_streams(bus, _wanted(chosen))


async def test_a_stack_of_before_gets_what_is_new_and_keeps_what_it_has(
    fresh: tuple[Bus, Settings],
) -> None:
    """A data folder of an older version has no BODIES: ingest refuses until the bootstrap job has run again."""
    bus, chosen = fresh
    await bootstrap.bootstrap(chosen)
    kept = await bus.store(subjects.raw("demo", "form", "contact"), b"{}")
    await bus.api(f"STREAM.DELETE.{streams.BODIES}")
    with pytest.raises(StreamDrift):
        await ensuring.assert_streams(bus, streams.wanted_by("ingest", chosen))
    await bootstrap.bootstrap(chosen)
    await ensuring.assert_streams(bus, streams.wanted_by("ingest", chosen))
    assert await bus.leader_get(streams.RAW, sequence=kept.sequence) is not None


@pytest.mark.cluster
async def test_bootstrap_makes_three_copies_on_three_nodes(tmp_path: Path) -> None:
    """On a cluster that has only just started it waits for the nodes and then places every stream on all."""
    async with EmbeddedNatsCluster(tmp_path, size=3) as cluster:
        chosen = settings.load(
            {"TELLONCE_NATS_URL": ",".join(cluster.urls), "TELLONCE_REPLICAS": "3"}
        )
        await bootstrap.bootstrap(chosen)
        bus = await connect(cluster.urls, "test")
        await ensuring.assert_streams(bus, _wanted(chosen))
        for config in _wanted(chosen).streams:
            answer = await bus.api(f"STREAM.INFO.{config['name']}")
            assert len(answer["cluster"]["replicas"]) == 2
        await bus.close()


async def test_every_wanted_field_reaches_the_server(fresh: tuple[Bus, Settings]) -> None:
    """A misspelt field of a configuration would be dropped by the server without a word."""
    bus, chosen = fresh
    await bootstrap.bootstrap(chosen)
    for config in _wanted(chosen).streams:
        answer = await bus.api(f"STREAM.INFO.{config['name']}")
        lost = [f for f, value in config.items() if value and f not in answer["config"]]
        assert lost == []
    for consumer in _wanted(chosen).consumers:
        answer = await bus.api(f"CONSUMER.INFO.{consumer.stream}.{consumer.name}")
        assert drift(consumer.config, answer["config"]) == []


async def test_the_ledger_refuses_to_forget(fresh: tuple[Bus, Settings]) -> None:
    """Neither a message nor the whole can be deleted through the API."""
    bus, chosen = fresh
    await bootstrap.bootstrap(chosen)
    await bus.store("ledger.0.demo.agent.x", b"{}")
    for call, body in (
        (f"STREAM.MSG.DELETE.{LEDGER}", {"seq": 1}),
        (f"STREAM.PURGE.{LEDGER}", {}),
    ):
        with pytest.raises(JetStreamRefused):
            await bus.api(call, body)
    assert (await bus.api(f"STREAM.INFO.{LEDGER}"))["state"]["messages"] == 2


@pytest.mark.parametrize(
    ("stream", "field", "value"),
    [
        ("RAW", "max_age", 5 * streams.DAY_NS),
        ("LEDGER", "max_msg_size", 1024),
        ("LEDGER", "republish", {"src": "ledger.>", "dest": "elsewhere.ledger.>"}),
        ("TIMERS", "subjects", ["timer.>", "fired.>", "more.>"]),
        ("LEDGER", "max_msgs_per_subject", 1),
        ("LEDGER", "max_msgs", 2),
        ("LEDGER", "max_bytes", 1000),
        ("LEDGER", "max_age", 5 * streams.DAY_NS),
        ("LEDGER", "no_ack", True),
        ("LEDGER", "sealed", True),
        ("LEDGER", "subject_transform", {"src": "ledger.>", "dest": "ledger.0.>"}),
        ("RAW", "max_bytes", 1000),
        ("CONTACTS", "sources", [{"name": "RAW"}]),
        ("CONTACTS", "republish", {"src": "contact.>", "dest": "live.contact.>"}),
    ],
)
async def test_a_drifted_stream_stops_services_and_bootstrap(
    fresh: tuple[Bus, Settings], stream: str, field: str, value: object
) -> None:
    """A field that somebody changed is named, and bootstrap does not quietly repair it."""
    bus, chosen = fresh
    await bootstrap.bootstrap(chosen)
    config = (await bus.api(f"STREAM.INFO.{stream}"))["config"]
    await bus.api(f"STREAM.UPDATE.{stream}", {**config, field: value})
    for check in (ensuring.assert_streams, ensuring.ensure):
        with pytest.raises(StreamDrift) as drift:
            await check(bus, _wanted(chosen))
        assert (drift.value.details["stream"], drift.value.details["field"]) == (stream, field)


async def test_a_stream_that_acknowledges_too_early_stops_services(
    fresh: tuple[Bus, Settings],
) -> None:
    """Its mode can only be chosen when it is made: then an acknowledged message may be lost with the server."""
    bus, chosen = fresh
    (config,) = (each for each in _wanted(chosen).streams if each["name"] == "CONTACTS")
    await bus.api("STREAM.CREATE.CONTACTS", {**config, "persist_mode": "async"})
    with pytest.raises(StreamDrift) as drift:
        await ensuring.assert_streams(bus, WantedStreams([config]))
    assert drift.value.details["field"] == "persist_mode"


async def _change(bus: Bus, consumer: streams.Consumer, change: dict[str, object]) -> None:
    config = (await bus.api(f"CONSUMER.INFO.{consumer.stream}.{consumer.name}"))["config"]
    await bus.api(
        f"CONSUMER.DURABLE.CREATE.{consumer.stream}.{consumer.name}",
        {"stream_name": consumer.stream, "config": {**config, **change}},
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("headers_only", True),
        ("inactive_threshold", 100 * streams.SECOND_NS),
        ("max_batch", 1),
        ("max_expires", streams.SECOND_NS),
        ("max_bytes", 10),
    ],
)
async def test_a_consumer_that_holds_back_stops_services_and_bootstrap(
    fresh: tuple[Bus, Settings], field: str, value: object
) -> None:
    """What somebody set on it, and what would keep messages from us without a word, is named."""
    bus, chosen = fresh
    (consumer, *_) = streams.notify_consumers()
    wanted = WantedStreams(_wanted(chosen).streams, [consumer])
    await ensuring.ensure(bus, wanted)
    await ensuring.assert_streams(bus, wanted)
    await _change(bus, consumer, {field: value})
    for check in (ensuring.assert_streams, ensuring.ensure):
        with pytest.raises(StreamDrift) as drift:
            await check(bus, wanted)
        assert (drift.value.details["consumer"], drift.value.details["field"]) == (
            consumer.name,
            field,
        )


async def test_a_paused_consumer_stops_services_until_the_pause_is_over(
    fresh: tuple[Bus, Settings],
) -> None:
    """The server names the end of a pause for ever; what counts is whether messages come."""
    bus, chosen = fresh
    (consumer, *_) = streams.notify_consumers()
    wanted = WantedStreams(_wanted(chosen).streams, [consumer])
    await ensuring.ensure(bus, wanted)
    where = f"{consumer.stream}.{consumer.name}"
    until = datetime.now(UTC) + timedelta(seconds=PAUSE_SECONDS)
    await bus.api(f"CONSUMER.PAUSE.{where}", {"pause_until": until.isoformat()})
    for check in (ensuring.assert_streams, ensuring.ensure):
        with pytest.raises(StreamDrift) as drift:
            await check(bus, wanted)
        assert drift.value.details["field"] == "pause_until"

    async def over() -> bool:
        return "paused" not in await bus.api(f"CONSUMER.INFO.{where}")

    await eventually(over)
    assert "pause_until" in (await bus.api(f"CONSUMER.INFO.{where}"))["config"]
    await ensuring.assert_streams(bus, wanted)
    await ensuring.ensure(bus, wanted)


async def test_a_missing_or_drifted_consumer_stops_services(fresh: tuple[Bus, Settings]) -> None:
    """Services name the consumer; bootstrap makes a missing one and brings safe fields back."""
    bus, chosen = fresh
    await bootstrap.bootstrap(chosen)
    name = streams.router_contacts(17)
    config = (await bus.api(f"CONSUMER.INFO.CONTACTS.{name}"))["config"]
    await bus.api(
        f"CONSUMER.DURABLE.CREATE.CONTACTS.{name}",
        {"stream_name": "CONTACTS", "config": {**config, "max_ack_pending": 50}},
    )
    for field in ("max_ack_pending", "name"):
        with pytest.raises(StreamDrift) as drift:
            await ensuring.assert_streams(bus, _wanted(chosen))
        assert drift.value.details == {"stream": "CONTACTS", "consumer": name, "field": field}
        await ensuring.ensure(bus, _wanted(chosen))
        await ensuring.assert_streams(bus, _wanted(chosen))
        if field == "max_ack_pending":
            await bus.api(f"CONSUMER.DELETE.CONTACTS.{name}")


def _of_before(name: str, ack_pending: int) -> streams.Consumer:
    """A consumer of notify as versions before the lanes have it: of the whole ledger."""
    messages = streams.notify_messages()
    change = {"durable_name": name, "max_ack_pending": ack_pending}
    everything = {"filter_subject": subjects.EVERY_AGGREGATE}
    return streams.Consumer(LEDGER, {**messages.config, **change, **everything})


async def _taken(bus: Bus, durable: str, count: int) -> list[int]:
    """Take and acknowledge messages of a consumer; return where they stand."""
    taken: list[int] = []
    async with contextlib.aclosing(bus.pull(LEDGER, durable, batch=1)) as batches:
        async for (delivery,) in batches:
            await delivery.ack()
            taken.append(delivery.sequence)
            if len(taken) == count:
                break
    await bus.flush()
    return taken


async def test_lanes_go_on_where_an_older_version_stands_and_it_may_go_on_too(
    fresh: tuple[Bus, Settings],
) -> None:
    """They begin behind what it has done; its consumers stay as it needs them, wherever it starts again."""
    bus, chosen = fresh
    (ledger,) = (each for each in _wanted(chosen).streams if each["name"] == LEDGER)
    before = [_of_before(NOTIFY_LEDGER, 1), _of_before(NOTIFY_MESSAGES, 64)]
    older, newer = (
        WantedStreams([ledger], before),
        WantedStreams([ledger], streams.notify_consumers()[: streams.NOTIFY_LANES]),
    )
    await ensuring.ensure(bus, older)
    conversations = [f"conv-c{number}" for number in range(400)]
    lane = [each for each in conversations if subjects.partition(each) % streams.NOTIFY_LANES == 0]
    for each in lane[:4]:
        await bus.store(subjects.ledger("demo", each), b"", msg_id=each)
    assert await _taken(bus, NOTIFY_LEDGER, 2) == [1, 2]
    for _ in range(2):
        await ensuring.ensure(bus, newer)
        for each_version in (newer, older):
            await ensuring.assert_streams(bus, each_version)
        await ensuring.ensure(bus, older)
    await _change(bus, newer.consumers[0], {"max_ack_pending": 9})
    await ensuring.ensure(bus, newer)
    await ensuring.assert_streams(bus, newer)
    assert await _taken(bus, streams.notify_lane(0), 2) == [3, 4]
    assert await _taken(bus, NOTIFY_LEDGER, 1) == [3]


def _reading(*kinds: str, ack_pending: int = 100) -> streams.Consumer:
    """The consumer of fired timers of a version that reads these kinds."""
    filters = sorted(subjects.fired_kind(kind) for kind in kinds)
    matching: dict[str, object] = (
        {"filter_subject": filters[0]} if len(filters) == 1 else {"filter_subjects": filters}
    )
    (now, *_) = (each for each in streams.router_consumers() if each.stream == streams.TIMERS)
    config = {key: value for key, value in now.config.items() if key not in ensuring.FILTERS}
    return replace(now, config={**config, **matching, "max_ack_pending": ack_pending})


async def test_a_new_kind_of_timer_stops_no_installed_stack(fresh: tuple[Bus, Settings]) -> None:
    """The bootstrap job of the new version widens the consumer; the old version's services and job go on beside it."""
    bus, chosen = fresh
    (timers,) = (each for each in _wanted(chosen).streams if each["name"] == streams.TIMERS)
    old, new = (
        WantedStreams([timers], [_reading("a")]),
        WantedStreams([timers], [_reading("a", "b")]),
    )
    await ensuring.ensure(bus, old)
    with pytest.raises(StreamDrift):
        await ensuring.assert_streams(bus, new)
    for installed in (new, old):
        await ensuring.ensure(bus, installed)
        await ensuring.assert_streams(bus, old)
        await ensuring.assert_streams(bus, new)
    await ensuring.ensure(bus, WantedStreams([timers], [_reading("a", ack_pending=200)]))
    await ensuring.assert_streams(
        bus, WantedStreams([timers], [_reading("a", "b", ack_pending=200)])
    )


async def test_a_stack_whose_contacts_had_shorter_subjects_keeps_its_place(
    fresh: tuple[Bus, Settings],
) -> None:
    """What the version before stored and nobody read is read; what was read is not given again."""
    bus, chosen = fresh
    await bootstrap.bootstrap(chosen)
    consumer = next(c for c in streams.router_consumers() if c.stream == streams.CONTACTS)
    before = replace(consumer, config={**consumer.config, "filter_subject": "contact.0.*.*"})
    await bus.api(f"CONSUMER.DELETE.CONTACTS.{consumer.name}")
    await ensuring.ensure(bus, WantedStreams([], [replace(before, widens=False)]))
    for body in (b"read", b"unread"):
        await bus.store("contact.0.demo.chat", body)
    await _read_one(bus, consumer, b"read")
    await bootstrap.bootstrap(chosen)
    await ensuring.assert_streams(bus, _wanted(chosen))
    await bus.store("contact.0.demo.chat.e1", b"new")
    for body in (b"unread", b"new"):
        await _read_one(bus, consumer, body)


async def _read_one(bus: Bus, consumer: streams.Consumer, expected: bytes) -> None:
    """Read the next message of a consumer and have it acknowledged."""
    async with asyncio.timeout(WITHIN_SECONDS):
        async for (delivery,) in bus.pull(consumer.stream, consumer.name, batch=1):
            assert delivery.body == expected
            await delivery.ack()
            break


async def test_a_consumer_that_gives_something_else_is_drift(fresh: tuple[Bus, Settings]) -> None:
    """It lacks what this version reads, and has what nobody of this line added: a human decides."""
    bus, chosen = fresh
    (timers,) = (each for each in _wanted(chosen).streams if each["name"] == streams.TIMERS)
    await ensuring.ensure(bus, WantedStreams([timers], [_reading("a", "c")]))
    for check in (ensuring.assert_streams, ensuring.ensure):
        with pytest.raises(StreamDrift) as drift:
            await check(bus, WantedStreams([timers], [_reading("a", "b")]))
        assert drift.value.details["field"] == "filter_subjects"


async def test_the_duplicate_window_is_the_operators(fresh: tuple[Bus, Settings]) -> None:
    """Services start whatever it is; bootstrap sets it as the settings say."""
    bus, chosen = fresh
    await bootstrap.bootstrap(chosen)
    shorter = settings.load(
        {"TELLONCE_NATS_URL": chosen.nats_url, "TELLONCE_DUPLICATE_WINDOW_SECONDS": "30"}
    )
    await ensuring.assert_streams(bus, _wanted(shorter))
    await bootstrap.bootstrap(shorter)
    window = (await bus.api(f"STREAM.INFO.{LEDGER}"))["config"]["duplicate_window"]
    assert window == 30 * streams.SECOND_NS
