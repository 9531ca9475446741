"""What ingest fetches itself, running while a test looks at it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from services.ingest.handlers.remote_reader import RemoteReader


@contextlib.asynccontextmanager
async def reading(*readers: RemoteReader) -> AsyncIterator[None]:
    """Let readers read until the block ends."""
    tasks = [asyncio.create_task(each.run()) for each in readers]
    try:
        yield
    finally:
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
