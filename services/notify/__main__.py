"""`python -m services.notify`: exit 0 after SIGTERM or SIGINT, 1 when it cannot start or lost NATS for good."""

from __future__ import annotations

import asyncio
import signal
import sys

import structlog

from services.notify import app
from shared import logs, policy, settings
from shared.errors import TellonceError


async def main() -> int:
    """Run the service and return the exit code."""
    chosen = settings.load()
    logs.configure(app.NAME, chosen)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await app.run(chosen, policy.Policies(policy.load(chosen.policy)), stop)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main()))
    except TellonceError as error:
        structlog.get_logger(app.NAME).error("service_failed", code=error.code, **error.details)
        sys.exit(1)
