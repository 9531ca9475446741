"""Arms again what TIMERS has lost: the ledger says what is still to be asked.

A stream TIMERS that was deleted and made anew holds nothing, and whoever armed its timers is long done: offers would
stand for ever. Each service arms its own kinds again, and notes that in the stream itself: with it the note goes too.
"""

import asyncio
import contextlib

import structlog

from shared import backoff, errors, streams, subjects
from shared.arming import Timers
from shared.bus import Bus
from shared.bus.deliveries import StoredMessage
from shared.codec import decode, is_another
from shared.ledger.follow import follow
from shared.timers import AT_ONCE, KINDS, Asked, Timer, answered_by, asked_by, at_once

RETRY = backoff.Backoff(first_seconds=0.1, longest_seconds=5.0)

log = structlog.get_logger("rearming")


class PendingTimers:
    """What a service's timers still have to ask, as the ledger is read."""

    def __init__(self, service: str) -> None:
        kinds = [kind for kind in (*KINDS, *AT_ONCE) if kind.reader == service]
        self._kinds = frozenset(kind.name for kind in kinds)
        self._told_by = {event for kind in kinds for event in (*kind.armed_by, *kind.answered_by)}
        self.timers: dict[Asked, Timer] = {}

    def see(self, message: StoredMessage) -> None:
        """Take in one entry of the ledger; one that this version cannot read asks nothing of it."""
        if all(is_another(message.body, event) for event in self._told_by):
            return
        with contextlib.suppress(errors.EventTypeUnknown, errors.NotAnEvent):
            event = decode(message.body)
            for timer in (*asked_by(event), *at_once(event, message.sequence)):
                if timer.kind in self._kinds:
                    self.timers[timer.kind, timer.id] = timer
            for asked in answered_by(event):
                self.timers.pop(asked, None)


async def keep_armed(bus: Bus, timers: Timers, service: str) -> None:
    """Arm again what is not noted as armed; runs until cancelled. Raises: StreamDrift, JetStreamRefused."""
    attempt = 1
    while not await _armed(bus, timers, service):
        await RETRY.pause(attempt)
        attempt += 1
    await asyncio.Event().wait()


async def _armed(bus: Bus, timers: Timers, service: str) -> bool:
    """Tell whether all stands there now; `False` when the bus went away meanwhile."""
    with contextlib.suppress(errors.BusUnavailable):
        note = subjects.armed(service)
        if await bus.leader_get(streams.TIMERS, last_by_subject=note) is None:
            pending = await _read(bus, service)
            for timer in pending.timers.values():
                await timers.arm(timer)
            await bus.store(note, b"", msg_id=note)
            log.info("timers_armed_again", service=service, timers=len(pending.timers))
        return True
    return False


async def _read(bus: Bus, service: str) -> PendingTimers:
    found = PendingTimers(service)
    info = await bus.api(f"STREAM.INFO.{streams.LEDGER}")
    end = int(info["state"]["last_seq"])
    if not end:
        return found
    async with contextlib.aclosing(follow(bus, streams.LEDGER, 0)) as batches:
        async for messages in batches:
            for message in messages:
                found.see(message)
            if messages[-1].sequence >= end:
                break
    return found
