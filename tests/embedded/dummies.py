"""A stack of real servers and stand-ins for the services (`dummy`).

Run as `python -m tests.embedded.dummies DIR` it is such a stack in the foreground.
"""

import asyncio
import sys
from pathlib import Path

from deploy.cli.up import run_until_signal
from deploy.embedded.errors import SetupError
from deploy.embedded.stack import Plan
from shared import SERVICES

THIS = "tests.embedded.dummies"
DUMMY = "tests.embedded.dummy"


def dummy_plan(folder: Path, **environment: str) -> Plan:
    """A stack of real servers and dummy services."""
    return Plan(
        folder=folder,
        environment=environment,
        bootstrap=(sys.executable, "-m", DUMMY, "bootstrap"),
        services={name: (sys.executable, "-m", DUMMY, name) for name in SERVICES},
    )


def main() -> int:
    """Run a stack until a signal; 2 when it cannot be started."""
    try:
        asyncio.run(run_until_signal(dummy_plan(Path(sys.argv[1]))))
    except SetupError as error:
        print(f"{error.code}: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
