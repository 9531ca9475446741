"""`python -m services.history` serves; `python -m services.history rebuild [--switch]` rebuilds, compares and ends.

Exit codes of serving: as in `shared.serving.main`.
A rebuild prints one JSON object and exits with 0 when the digests are equal, 1 when they differ, 2 when it failed.
"""

import argparse
import asyncio
import sys

import msgspec
import structlog

from services.history.app import NAME, rebuild_once, run
from shared import errors, logs, serving, settings
from shared.settings import Settings

log = structlog.get_logger("history")


async def rebuild(chosen: Settings, *, switch: bool) -> int:
    """Rebuild once and print the outcome."""
    try:
        outcome = await rebuild_once(chosen, switch=switch)
    except errors.TellonceError as error:
        log.error("rebuild_failed", code=error.code, **error.details)  # noqa: TRY400  the code says it all
        sys.stdout.buffer.write(msgspec.json.encode({"error": error.problem()}) + b"\n")
        return 2
    sys.stdout.buffer.write(msgspec.json.encode(outcome) + b"\n")
    return 0 if outcome.live == outcome.rebuilt else 1


def main(arguments: list[str]) -> int:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m services.history")
    actions = parser.add_subparsers(dest="action")
    rebuilding = actions.add_parser("rebuild", help="rebuild from the ledger and compare")
    rebuilding.add_argument(
        "--switch", action="store_true", help="let the rebuilt generation answer if it is equal"
    )
    chosen = parser.parse_args(arguments)
    if chosen.action is None:
        return serving.main(NAME, run)
    loaded = settings.load()
    logs.configure(NAME, loaded)
    return asyncio.run(rebuild(loaded, switch=chosen.switch))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
