"""Another service beside Tellonce: it follows the ledger, and sends commands.

    python consumer.py follow JOURNAL       one line per event, on standard output and in a file
    python consumer.py send NAME JSON       one command; the reply on standard output

All it knows of Tellonce are `docs/reference/asyncapi.json` and the schemas that it names, and everything that comes and
goes is held against them.
"""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator
from tellonce_client import Refused, Tellonce, connect

CONTRACT = Path(os.environ.get("TELLONCE_CONTRACT", "docs/reference"))
WANTED = {"follow": 1, "send": 2}
"""How many arguments each verb takes."""


class Contract:
    """The published documents."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        document = json.loads((folder / "asyncapi.json").read_text("utf-8"))
        self._messages = document["components"]["messages"]
        self._validators: dict[str, Draft7Validator] = {}

    def check(self, name: str, content: object) -> bool:
        """Tell whether a message is known; one of a newer version is not. Raises: ValidationError."""
        if name not in self._messages:
            return False
        if name not in self._validators:
            schema = self._folder / self._messages[name]["payload"]["$ref"]
            self._validators[name] = Draft7Validator(json.loads(schema.read_text("utf-8")))
        self._validators[name].validate(content)
        return True


class Journal:
    """What this service makes of the ledger: a line per event, in a file.

    The last whole line is also the checkpoint. Both are one write, so that no event is missed or written twice,
    whatever dies between two.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("a+b", buffering=0)
        self._file.seek(0)
        lines = self._file.readall().splitlines(keepends=True)
        if lines and not lines[-1].endswith(b"\n"):
            torn = lines.pop()
            self._file.truncate(self._file.tell() - len(torn))
        self.sequence = int(lines[-1].split()[0]) if lines else 0

    def write(self, sequence: int, event: dict[str, Any], known: bool) -> None:
        line = f"{sequence} {event['type']} {event['subject']} {event['id']}"
        line += "\n" if known else " unknown\n"
        self._file.write(line.encode())
        sys.stdout.write(line)
        sys.stdout.flush()


async def follow(tellonce: Tellonce, contract: Contract, journal: Journal) -> None:
    async for sequence, event in tellonce.follow(journal.sequence):
        if event is not None:
            journal.write(sequence, event, contract.check(event["type"], event))


async def send(tellonce: Tellonce, contract: Contract, name: str, given: dict[str, Any]) -> None:
    """Send a command; the same `command_id`, `issued_at` and `actor` in `given` twice have one effect."""
    command = {**tellonce.envelope(), **given}
    contract.check(f"cmd.{name}", command)
    try:
        done = await tellonce.command(name, command)
    except Refused as refused:
        sys.exit(str(refused))
    print(json.dumps({"events": done.events, "position": done.position}))


async def main(what: str = "", *arguments: str) -> None:
    if WANTED.get(what) != len(arguments):
        sys.exit(__doc__)
    contract = Contract(CONTRACT)
    tellonce = await connect(
        os.environ.get("TELLONCE_NATS_URL", "nats://127.0.0.1:4222"),
        tenant=os.environ.get("TELLONCE_TENANT", "demo"),
        name=os.environ.get("TELLONCE_NAME", "shop"),
        seed_file=os.environ.get("TELLONCE_NATS_SEED_FILE"),
    )
    async with tellonce:
        if what == "follow":
            await follow(tellonce, contract, Journal(Path(arguments[0])))
        elif what == "send":
            await send(tellonce, contract, arguments[0], json.loads(arguments[1]))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
