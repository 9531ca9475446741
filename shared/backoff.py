"""How long to wait before something is tried again: doubling, up to a limit."""

import asyncio
import random
from dataclasses import dataclass

DOUBLINGS_MAX = 16


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits from `first_seconds`, doubling, to `longest_seconds`."""

    first_seconds: float
    longest_seconds: float

    def delay_seconds(self, attempt: int) -> float:
        """Return the wait after attempt 1, 2, …"""
        doublings = min(attempt - 1, DOUBLINGS_MAX)
        return min(self.first_seconds * 2.0**doublings, self.longest_seconds)

    async def pause(self, attempt: int) -> None:
        """Wait after attempt 1, 2, …, up to half of it left out by chance, so that competitors spread."""
        part = random.uniform(0.5, 1.0)  # noqa: S311  jitter, not a secret
        await asyncio.sleep(self.delay_seconds(attempt) * part)
