"""Brings the streams and consumers of `shared/streams.py` to the server, and checks that it has them so.

The bootstrap job calls `ensure`; services call `assert_streams` at start and never change anything.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from shared import errors
from shared.bus import Bus
from shared.comparing import (
    GIVES_EVERYTHING,
    KEEPS_EVERYTHING,
    Config,
    covered,
    drift,
    filters,
    matching,
    widest,
)
from shared.streams import Consumer, WantedStreams

CONCURRENT_CALLS = 16

CONSUMER_NOT_FOUND = 10014
STREAM_NOT_FOUND = 10059

OPERATORS = frozenset({"num_replicas", "duplicate_window"})
"""Fields that an operator may set as the place needs it; services do not compare them."""
SAFE_TO_UPDATE = frozenset(
    {"num_replicas", "duplicate_window", "ack_wait", "max_ack_pending", "max_deliver"}
)
"""Fields that `ensure` brings to the wanted value; any other difference is for a human."""

FILTERS = frozenset({"filter_subject", "filter_subjects"})
BEGINNING = frozenset({"deliver_policy", "opt_start_seq"})
"""Where a consumer began: of one that goes on with an older one's work, that one's place."""


async def ensure(bus: Bus, wanted: WantedStreams) -> None:
    """Create missing streams and consumers, update safe settings. Raises: StreamDrift where a human must decide."""
    for config in wanted.streams:
        await _ensure_stream(bus, config)
    await _all(wanted.consumers, lambda consumer: _ensure_consumer(bus, consumer))


async def assert_streams(bus: Bus, wanted: WantedStreams) -> None:
    """Check that everything is there as wanted. Raises: StreamDrift, naming stream, consumer and field."""
    for config in wanted.streams:
        actual = await _stream(bus, config["name"])
        _refuse(config["name"], None, _stream_differs(config, actual, OPERATORS))
    await _all(wanted.consumers, lambda consumer: _assert_consumer(bus, consumer))


async def _ensure_stream(bus: Bus, config: Config) -> None:
    name = config["name"]
    actual = await _stream(bus, name)
    if actual is None:
        await bus.api(f"STREAM.CREATE.{name}", config)
        actual = await _stream(bus, name)
    _refuse(name, None, _stream_differs(config, actual, SAFE_TO_UPDATE))
    if _stream_differs(config, actual, frozenset()):
        await bus.api(f"STREAM.UPDATE.{name}", {**(actual or {}), **config})


async def _ensure_consumer(bus: Bus, consumer: Consumer) -> None:
    actual = await _consumer(bus, consumer)
    if actual is not None:
        narrower = consumer.widens and covered(filters(actual), filters(consumer.config))
        safe = SAFE_TO_UPDATE | FILTERS if narrower else SAFE_TO_UPDATE
        _refuse(consumer.stream, consumer.name, _consumer_differs(consumer, actual, safe))
        if not _consumer_differs(consumer, actual, frozenset()):
            return
    config = {**(actual or {}), **consumer.config}
    if actual is None:
        config |= await _beginning(bus, consumer)
    else:
        config |= {field: actual[field] for field in BEGINNING & actual.keys() if consumer.after}
        # What a newer version has widened stays as wide.
        config = _without_filters(config) | matching(
            widest(filters(actual) | filters(consumer.config))
        )
    await bus.api(
        f"CONSUMER.DURABLE.CREATE.{consumer.stream}.{consumer.name}",
        {"stream_name": consumer.stream, "config": config},
    )


async def _beginning(bus: Bus, consumer: Consumer) -> dict[str, Any]:
    """Return where a consumer begins that goes on with the work of an older one; {} for any other."""
    older = f"CONSUMER.INFO.{consumer.stream}.{consumer.after}"
    known = await _info(bus, older) if consumer.after else None
    if known is None:
        return {}
    start = known["ack_floor"]["stream_seq"] + 1
    return {"deliver_policy": "by_start_sequence", "opt_start_seq": start}


def _without_filters(config: Config) -> dict[str, Any]:
    return {field: value for field, value in config.items() if field not in FILTERS}


async def _assert_consumer(bus: Bus, consumer: Consumer) -> None:
    actual = await _consumer(bus, consumer)
    _refuse(consumer.stream, consumer.name, _consumer_differs(consumer, actual, OPERATORS))


async def _all(consumers: Sequence[Consumer], call: Any) -> None:
    """Run the calls CONCURRENT_CALLS at a time; the first error ends them all."""
    slots = asyncio.Semaphore(CONCURRENT_CALLS)

    async def one(consumer: Consumer) -> None:
        async with slots:
            await call(consumer)

    tasks = [asyncio.create_task(one(consumer)) for consumer in consumers]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


def _stream_differs(config: Config, actual: Config | None, ignored: frozenset[str]) -> list[str]:
    if actual is None:
        return ["name"]
    return drift({**KEEPS_EVERYTHING, **config}, actual, ignored=ignored)


def _consumer_differs(
    consumer: Consumer, actual: Config | None, ignored: frozenset[str]
) -> list[str]:
    if actual is None:
        return ["name"]
    if consumer.widens and covered(filters(consumer.config), filters(actual)):
        ignored |= FILTERS
    if consumer.after:
        ignored |= BEGINNING
    return drift({**GIVES_EVERYTHING, **consumer.config}, actual, ignored=ignored)


def _refuse(stream: str, consumer: str | None, fields: list[str]) -> None:
    if fields:
        raise errors.StreamDrift(stream=stream, consumer=consumer, field=fields[0])


async def _stream(bus: Bus, name: str) -> Config | None:
    answer = await _info(bus, f"STREAM.INFO.{name}")
    return None if answer is None else answer["config"]


async def _consumer(bus: Bus, consumer: Consumer) -> Config | None:
    answer = await _info(bus, f"CONSUMER.INFO.{consumer.stream}.{consumer.name}")
    if answer is None:
        return None
    config: dict[str, Any] = answer["config"]
    if not answer.get("paused"):
        config.pop("pause_until", None)  # the server keeps the end of a pause that is over
    return config


async def _info(bus: Bus, call: str) -> dict[str, Any] | None:
    try:
        return await bus.api(call)
    except errors.JetStreamRefused as error:
        if error.details.get("err_code") in {CONSUMER_NOT_FOUND, STREAM_NOT_FOUND}:
            return None
        raise
