"""Run the router: `python -m services.router`."""

from __future__ import annotations

import asyncio

from services.router.app import NAME, run
from shared import logs, settings
from shared.serving import stop_on_signals


async def main() -> None:
    """Run until a signal or until the connection is gone for good."""
    chosen = settings.load()
    logs.configure(NAME, chosen)
    await run(chosen, stop_on_signals())


if __name__ == "__main__":
    asyncio.run(main())
