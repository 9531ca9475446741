"""The consumer of the ledger by which older versions take messages to customers (docs/adr/0071).

Where it stands, one of them may run beside or again, and what it gives is sent by whoever reads it: by us, too. What
the lanes have handed on waits until it is through with it. It goes when no such version is left, and this file later.
"""

import asyncio
import contextlib
from collections.abc import Callable

from shared import errors, streams
from shared.bus import Bus
from shared.ensuring import CONSUMER_NOT_FOUND
from shared.worker import Worker

LOOK_SECONDS = 2.0
"""So often it is looked for."""


class OlderReader:
    """Reads that consumer, and tells what is still in its hands."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def has(self, sequence: int) -> bool:
        """Tell whether it gives, or will give, what stands there in the ledger. Raises: BusUnavailable."""
        done = await self._done()
        return done is not None and done < sequence

    async def run(self, make: Callable[[streams.Consumer], Worker]) -> None:
        """Read by a worker while it stands, and whenever it stands again; runs until cancelled.

        Raises: BusUnavailable when the bus was closed, JetStreamRefused.
        """
        while True:
            with contextlib.suppress(errors.StreamDrift):  # it was taken away
                if await self._stands():
                    await make(streams.notify_messages()).run()
            await asyncio.sleep(LOOK_SECONDS)

    async def _stands(self) -> bool:
        with contextlib.suppress(errors.BusUnavailable):
            return await self._done() is not None
        return False

    async def _done(self) -> int | None:
        """Return up to where it has done everything; `None` when there is no such consumer."""
        call = f"CONSUMER.INFO.{streams.LEDGER}.{streams.NOTIFY_MESSAGES}"
        try:
            info = await self._bus.api(call)
        except errors.JetStreamRefused as error:
            if error.details.get("err_code") == CONSUMER_NOT_FOUND:
                return None
            raise
        return int(info["ack_floor"]["stream_seq"])
