"""Wait on a condition with a deadline; never for a time."""

import asyncio
from collections.abc import Awaitable, Callable

WITHIN_SECONDS = 20.0
POLL_SECONDS = 0.01


async def eventually(
    condition: Callable[[], Awaitable[bool]], within_seconds: float = WITHIN_SECONDS
) -> None:
    """Wait until the condition holds. Raises: AssertionError after `within_seconds`."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_seconds
    while not await condition():
        assert loop.time() < deadline, f"the condition did not come true within {within_seconds} s"
        await asyncio.sleep(POLL_SECONDS)
