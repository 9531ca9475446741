"""Wait on a condition with a deadline."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
POLL_SECONDS = 0.01


async def until(condition: Callable[[], T | None], *, within_seconds: float) -> T:
    """The first true value of the condition. Raises: AssertionError after `within_seconds`."""
    deadline = time.monotonic() + within_seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        await asyncio.sleep(POLL_SECONDS)
    raise AssertionError(f"not within {within_seconds} s")
