"""What an operator may ask of history: `ops.history.rebuild`, done in a fresh process."""

import asyncio
import contextlib
import sys
from typing import Any

import msgspec
import structlog

from shared import strict
from shared.codec import UNREADABLE
from shared.errors import CommandUnreadable, ViewUnavailable

REBUILD_TIMEOUT_SECONDS = 300.0
KILLED_WAIT_SECONDS = 5.0
REBUILD = (sys.executable, "-m", "services.history", "rebuild")

log = structlog.get_logger("history")


class AskRebuild(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`switch`: let the rebuilt generation answer from now on, if it equals the live one."""

    switch: bool = False


class OperatorRequests:
    """Runs one operation at a time."""

    def __init__(self) -> None:
        self._one = asyncio.Lock()

    async def rebuild(self, _: str, body: bytes) -> bytes:
        """Return what the rebuild printed: `{position, live, rebuilt, …}` or `{error}`.

        Raises: CommandUnreadable, ViewUnavailable when it did not end in time or printed nothing.
        """
        try:
            asked = strict.read_json(body or b"{}", msgspec.json.Decoder(AskRebuild))
        except UNREADABLE as error:
            raise CommandUnreadable(reason=str(error)) from error
        async with self._one:
            printed = await _printed([*REBUILD, *(["--switch"] if asked.switch else [])])
        log.info("rebuild_ended", size_bytes=len(printed))
        return printed


async def _printed(command: list[str]) -> bytes:
    """Run a command and return the JSON object on its output. Raises: ViewUnavailable."""
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        printed, _ = await asyncio.wait_for(process.communicate(), REBUILD_TIMEOUT_SECONDS)
    except TimeoutError as error:
        raise ViewUnavailable(reason="rebuild_timed_out") from error
    finally:
        await _ended(process)
    try:
        msgspec.json.decode(printed, type=dict[str, Any])
    except UNREADABLE as error:
        raise ViewUnavailable(reason="rebuild_failed", exit_code=process.returncode) from error
    return printed.strip()


async def _ended(process: asyncio.subprocess.Process) -> None:
    """Kill what still runs: nobody waits for its answer any more."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), KILLED_WAIT_SECONDS)
