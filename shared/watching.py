"""Notices that a stream or consumer that a service needs was deleted or replaced, or that a consumer stands still.

A consumer that is deleted ends a pull in silence, and one that is made anew under its name is nobody's. An older copy
that was put in a stream's place bears its name and its age, and ends before.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Container, Mapping
from datetime import datetime
from typing import Any

from shared import ensuring, errors, streams
from shared.bus import Bus
from shared.bus.deliveries import StoredMessage
from shared.comparing import filters

WATCH_SECONDS = 2.0
STUCK_SECONDS = 10.0
"""So long a consumer may have work and make no step."""

LOOKS = 5
LOOK_AGAIN_SECONDS = 0.1
"""A leader that has just changed may not show the newest messages for a moment."""

Key = tuple[str, str]
"""Stream and consumer; the consumer is empty for the stream itself."""


class Watch:
    """Watches the streams and consumers of one service."""

    def __init__(self, bus: Bus, wanted: streams.WantedStreams) -> None:
        self._bus = bus
        self._wanted = wanted
        self._consumers = {(each.stream, each.name) for each in wanted.consumers}
        self._streams = [str(config["name"]) for config in wanted.streams]
        self._made: dict[Key, str] = {}
        self._ends: dict[str, int] = {}
        self._states: Mapping[Key, Any] = {}
        self._steps: dict[Key, tuple[tuple[int, int], float]] = {}

    async def begin(self) -> None:
        """Check everything and remember which it is. Raises: StreamDrift, BusUnavailable."""
        await ensuring.assert_streams(self._bus, self._wanted)
        await self.look()

    async def run(self) -> None:
        """Look again and again. Raises: StreamDrift, then the service must end."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            with contextlib.suppress(errors.BusUnavailable):
                await self.look()

    async def look(self) -> None:
        """Look once. Raises: StreamDrift for what is gone, replaced or went back; BusUnavailable."""
        self._states = {key: info async for key, info in self._infos()}
        for key, info in self._states.items():
            if self._made.setdefault(key, info["created"]) != info["created"]:
                raise errors.StreamDrift(stream=key[0], consumer=key[1] or None, field="created")
            if not key[1]:
                await self._check_onward(key[0], info)
        now = asyncio.get_running_loop().time()
        for key in self._consumers & self._states.keys():
            step = _step(self._states[key])
            if (
                key not in self._steps
                or self._steps[key][0] != step
                or not _waits(self._states[key])
            ):
                self._steps[key] = step, now

    async def _check_onward(self, stream: str, info: Mapping[str, Any]) -> None:
        """Raises: StreamDrift when a stream ends before where it ended; BusUnavailable."""
        wanted, end = self._ends.get(stream, 0), info["state"]["last_seq"]
        for _ in range(LOOKS):
            if end >= wanted:
                self._ends[stream] = end
                return
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
            end = (await self._info(f"STREAM.INFO.{stream}", stream, None))["state"]["last_seq"]
        raise errors.StreamDrift(stream=stream, field="last_seq", wanted=wanted)

    async def check_moving(self) -> None:
        """Raises: ConsumerStuck for a consumer that has work and has made no step for STUCK_SECONDS."""
        now = asyncio.get_running_loop().time()
        for (stream, name), (_, since) in self._steps.items():
            if _waits(self._states[stream, name]) and now - since > STUCK_SECONDS:
                raise errors.ConsumerStuck(stream=stream, consumer=name)

    def not_done(self, stream: str, consumers: Container[str] | None = None) -> int:
        """Return how many messages consumers of ours have not done; `consumers`: of these alone."""
        found = self._at_work(stream, consumers)
        return sum(info["num_pending"] + info["num_ack_pending"] for info in found)

    async def oldest_waiting(
        self, stream: str, consumers: Container[str] | None = None
    ) -> datetime | None:
        """Return when the oldest message that a consumer of ours has not done was stored; `consumers`: of these alone.

        Raises: BusUnavailable, JetStreamRefused.
        """
        oldest: StoredMessage | None = None
        for info in sorted(self._at_work(stream, consumers), key=_first):
            if oldest is not None and oldest.sequence <= _first(info):
                break  # neither has this consumer anything older, nor has one behind it
            for found in await self._first_not_done(info):
                if oldest is None or found.sequence < oldest.sequence:
                    oldest = found
        return None if oldest is None else oldest.stored

    async def waiting_in(
        self, stream: str, consumers: Container[str], narrowed: Callable[[str], str]
    ) -> tuple[datetime | None, int]:
        """Return when the oldest message that consumers of ours have not done was stored, and how many there are.

        Of those alone that their filters give when they are `narrowed`. Raises: BusUnavailable.
        """
        asked = [
            (_first(info), narrowed(each))
            for info in self._at_work(stream, consumers)
            for each in filters(info["config"]) or {">"}
        ]
        answers = await self._bus.direct_gets(stream, asked, batch=1) if asked else []
        found = [(each.messages[0], each.pending) for each in answers if each.messages]
        oldest = min((message for message, _ in found), key=_sequence, default=None)
        return oldest.stored if oldest else None, sum(1 + pending for _, pending in found)

    async def _first_not_done(self, info: Mapping[str, Any]) -> list[StoredMessage]:
        """Return what a consumer has not done first: the message itself, or the first of each filter."""
        stream, first = info["stream_name"], _first(info)
        if _outstanding(info):
            found = [await self._bus.leader_get(stream, sequence=first)]
        else:
            found = [
                await self._bus.leader_get(stream, sequence=first, next_by_subject=each)
                for each in filters(info["config"]) or {">"}
            ]
        return [each for each in found if each is not None]

    def _at_work(self, stream: str, consumers: Container[str] | None) -> list[Mapping[str, Any]]:
        return [
            info
            for (name, consumer), info in self._states.items()
            if name == stream
            and consumer
            and (consumers is None or consumer in consumers)
            and _has_work(info)
        ]

    async def _infos(self) -> AsyncIterator[tuple[Key, Any]]:
        """Yield what the server says of each. Raises: StreamDrift for what is missing."""
        for name in self._streams:
            yield (name, ""), await self._info(f"STREAM.INFO.{name}", name, None)
        for stream in sorted({stream for stream, _ in self._consumers}):
            listed = {key: info async for key, info in self._listed(stream)}
            for key in self._consumers:
                if key[0] == stream:
                    call = f"CONSUMER.INFO.{stream}.{key[1]}"
                    yield key, listed.get(key) or await self._info(call, *key)

    async def _listed(self, stream: str) -> AsyncIterator[tuple[Key, Any]]:
        """Yield the consumers of a stream, a page at a time; what a list lacks is believed only when asked for."""
        seen, total = 0, 1
        while seen < total:
            answer = await self._info(f"CONSUMER.LIST.{stream}", stream, None, offset=seen)
            for info in answer["consumers"] or []:
                yield (stream, info["name"]), info
            seen += len(answer["consumers"] or [])
            total = answer["total"] if answer["consumers"] else seen

    async def _info(self, call: str, stream: str, consumer: str | None, **asked: int) -> Any:
        try:
            return await self._bus.api(call, asked or None)
        except errors.JetStreamRefused as error:
            if error.details.get("err_code") in {
                ensuring.CONSUMER_NOT_FOUND,
                ensuring.STREAM_NOT_FOUND,
            }:
                raise errors.StreamDrift(stream=stream, consumer=consumer, field="name") from error
            raise


def _step(info: Mapping[str, Any]) -> tuple[int, int]:
    """Return how far a consumer is: what it gave first, and up to where all is done. A redelivery is no step."""
    return info["delivered"]["stream_seq"], info["ack_floor"]["stream_seq"]


def _waits(info: Mapping[str, Any]) -> bool:
    """Tell whether a consumer ought to make a step.

    What is outstanding beside others may wait for its time, as a message to a provider who is away does.
    """
    return bool(info["num_pending"] or _outstanding(info))


def _first(info: Mapping[str, Any]) -> int:
    """Return where a consumer stands: nothing before it is left to do."""
    if _outstanding(info):
        return int(info["delivered"]["stream_seq"])
    return int(info["ack_floor"]["stream_seq"]) + 1


def _sequence(message: StoredMessage) -> int:
    return message.sequence


def _outstanding(info: Mapping[str, Any]) -> bool:
    """Tell whether it is known which message a consumer has given last and not seen done: the first one left."""
    return bool(_in_order(info) and info["num_ack_pending"])


def _in_order(info: Mapping[str, Any]) -> bool:
    """Tell whether a consumer gives one message at a time."""
    return bool(info["config"].get("max_ack_pending") == 1)


def _has_work(info: Mapping[str, Any]) -> bool:
    return bool(info["num_pending"] or info["num_ack_pending"])
