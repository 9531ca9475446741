"""Keeps the server from giving deliveries to somebody else while they are worked on."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection

from shared import errors, serving, tasks
from shared.bus.deliveries import Delivery


@contextlib.asynccontextmanager
async def held(waiting: Collection[Delivery]) -> AsyncIterator[None]:
    """Keep the server from redelivering what is in `waiting` while the block runs, however long."""

    async def report() -> None:
        while True:
            await asyncio.sleep(serving.PROGRESS_INTERVAL_SECONDS)
            with contextlib.suppress(
                errors.BusUnavailable
            ):  # without a connection it will be given again
                for delivery in list(waiting):
                    await delivery.in_progress()

    reporting = asyncio.create_task(report())
    try:
        yield
    finally:
        await tasks.end([reporting])
