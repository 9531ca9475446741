"""Keeps programs running: start, wait for readiness, restart with back-off, stop in the order asked for."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence

from deploy.embedded import errors, process
from shared.backoff import Backoff

RESTART = Backoff(first_seconds=0.05, longest_seconds=2.0)
STEADY_SECONDS = 10.0
FIRST_START_TRIES = 3
LOG_CHECK_SECONDS = 30.0

Changed = Callable[[], None]
Mend = Callable[[], Awaitable[None]]


class Supervised:
    """A program under supervision. After `start` the program is ready; a death is mended until `stop`.

    `mend`: what is done before it is started again after it has given up by itself, with an exit code above 0.
    """

    def __init__(
        self, program: process.Program, changed: Changed, mend: Mend | None = None
    ) -> None:
        self.program = program
        self.ready = False
        self.restarts = 0
        self._changed = changed
        self._mend = mend
        self._child: process.Child | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The id of the process started last; None before the first start."""
        return self._child.pid if self._child is not None else None

    async def start(self) -> None:
        """Start the program, wait until the program is ready, and keep the program running from then on.

        Raises: SetupError when FIRST_START_TRIES starts have failed or one is not ready in its time.
        """
        for attempt in range(1, FIRST_START_TRIES + 1):
            self._child = child = await process.Child.start(self.program)
            try:
                await child.wait_ready()
                break
            except errors.ProgramExited:
                if attempt == FIRST_START_TRIES:
                    raise
                await asyncio.sleep(RESTART.delay_seconds(attempt + 1))
        self._set_ready(True)
        self._task = asyncio.create_task(self._keep_running(), name=f"keep {self.program.name}")

    async def restart(self) -> None:
        """End it cleanly; it is started again as after any other death."""
        if self._child is not None:
            await self._child.stop()

    async def stop(self) -> None:
        """End it and let it rest."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._child is not None:
            await self._child.stop()
        self._set_ready(False)

    async def _keep_running(self) -> None:
        attempt = 1
        while True:
            started = time.monotonic()
            if self._child is not None:
                await self._child.wait()
            self._set_ready(False)
            if time.monotonic() - started > STEADY_SECONDS:
                attempt = 1
            await asyncio.sleep(RESTART.delay_seconds(attempt))
            attempt += 1
            await self._start_again()

    async def _start_again(self) -> None:
        self.restarts += 1
        given_up = self._child is not None and (self._child.exit_code or 0) > 0
        with contextlib.suppress(errors.SetupError):
            if given_up and self._mend is not None:
                await self._mend()
            self._child = child = await process.Child.start(self.program)
            self._changed()
            await _ready_or_gone(child)
            self._set_ready(child.exit_code is None)

    def _set_ready(self, ready: bool) -> None:
        self.ready = ready
        self._changed()


async def _ready_or_gone(child: process.Child) -> None:
    # A server that reads a large ledger again may take long; killing it would only start that anew.
    while child.exit_code is None:
        try:
            await child.wait_ready()
        except errors.ProgramNotReady:
            continue
        else:
            return


async def start_all(kept: Sequence[Supervised]) -> None:
    """Start several at once. Raises: SetupError of the first that fails; the others are left as they are."""
    starts = [asyncio.create_task(one.start()) for one in kept]
    try:
        for start in asyncio.as_completed(starts):
            await start
    finally:
        for task in starts:
            task.cancel()
        await asyncio.gather(*starts, return_exceptions=True)


async def keep_logs_short(kept: Sequence[Supervised]) -> None:
    """Look after the log files until cancelled: none grows far beyond MAX_LOG_BYTES."""
    while True:
        await asyncio.sleep(LOG_CHECK_SECONDS)
        for one in kept:
            # A disk that is full now may be free at the next look.
            with contextlib.suppress(OSError):
                await asyncio.to_thread(process.shorten_log, one.program.log_path)


async def stop_all(kept: Sequence[Supervised]) -> None:
    """Stop several at once and wait until all have ended."""
    await asyncio.gather(*(one.stop() for one in kept))
