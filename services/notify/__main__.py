"""`python -m services.notify`: exit 0 after SIGTERM or SIGINT, 1 when it cannot start or lost NATS for good."""

from __future__ import annotations

import asyncio
import sys

import structlog

from services.notify.app import NAME, run
from shared import logs, settings
from shared.errors import TellonceError
from shared.serving import stop_on_signals


async def main() -> None:
    """Run until a signal or until the connection is gone for good."""
    chosen = settings.load()
    logs.configure(NAME, chosen)
    await run(chosen, stop_on_signals())


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except TellonceError as error:
        structlog.get_logger(NAME).exception("service_failed", code=error.code, **error.details)
        sys.exit(1)
