"""How notify ends when it is told to: cleanly, soon, and without cutting off what it hands over."""

import asyncio
import os
import signal

from shared import worker
from tests.notify.running_notify import RunningNotify
from tests.notify.samples import message
from tests.support.waiting import eventually


async def test_it_stops_cleanly_when_told_to(notify: RunningNotify) -> None:
    """SIGTERM ends it with exit code 0."""
    child = await notify.start()
    os.kill(child.pid, signal.SIGTERM)
    assert await child.wait() == 0


async def test_a_mail_under_way_is_not_cut_off_when_it_is_told_to_stop(
    notify: RunningNotify,
) -> None:
    """A mail server that thinks about it has its time: the mail is sent, and nobody wonders whether it was."""
    notify.sink.hold = True
    child = await notify.start()
    await notify.happens(message("e1"))

    async def taken() -> bool:
        return bool(notify.sink.arrived)

    await eventually(taken)
    os.kill(child.pid, signal.SIGTERM)
    await asyncio.sleep(2 * worker.LEAVE_SECONDS)  # the fault itself: a server that thinks
    notify.sink.released.set()
    assert await child.wait() == 0
    assert [each.type for each in await notify.outcomes()] == ["message.sent"]


async def test_it_stops_although_the_server_is_gone(notify: RunningNotify) -> None:
    """SIGTERM while NATS is dead ends it soon, and not by force."""
    child = await notify.start()
    await notify.nats.kill()
    os.kill(child.pid, signal.SIGTERM)
    assert await asyncio.wait_for(child.wait(), 6.0) in {0, 1}
    await notify.nats.restart()
