"""`tellonce cmd` and `tellonce query`: one request on the bus, one JSON reply on standard output.

Exit codes: 0 done, 1 refused (the reply has `error`), 2 not reached.
A name or a tenant that cannot be one is refused here, as a service would refuse it: nobody listens there.
"""

import argparse
import asyncio
import json
import os
import sys
import time
import uuid
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Any

import msgspec

from deploy import rights
from deploy.cli.configured import read_settings
from deploy.embedded import state, wire
from deploy.embedded.errors import AddressInvalid
from shared import codec, commands, errors, queries, strict, subjects
from shared.bus_address import BusAddress

EXIT_REFUSED = 1
EXIT_NOT_REACHED = 2
REPLY_SECONDS = 5.0
MAX_TRIES = 5
PAUSE_SECONDS = 0.5

_object = msgspec.json.Decoder(dict[str, Any])


def command(chosen: argparse.Namespace) -> int:
    """Send a command. `command_id`, `issued_at` and `actor` are filled in where they are absent."""
    return _run(chosen, commands.COMMANDS, subjects.command, envelope())


def envelope() -> dict[str, Any]:
    """Return what every command of the command line carries."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"command_id": str(uuid.uuid4()), "issued_at": now, "actor": "service:cli"}


def query(chosen: argparse.Namespace) -> int:
    """Ask a query."""
    return _run(chosen, queries.QUERIES, subjects.query, {})


def _run(
    chosen: argparse.Namespace,
    known: Collection[str],
    subject: Callable[[str, str], str],
    given: dict[str, Any],
) -> int:
    """Ask what the command line says; `given`: fields that its body may replace."""
    if chosen.name not in known:
        print(f"there are: {', '.join(sorted(known))}", file=sys.stderr)
        return shown({"error": errors.CommandUnknown(name=chosen.name).problem()})
    if not subjects.is_token(chosen.tenant):
        return shown({"error": errors.TenantUnknown(tenant=chosen.tenant).problem()})
    body = _body(chosen.body)
    if body is None:
        return EXIT_NOT_REACHED
    return shown(exchange(chosen, subject(chosen.tenant, chosen.name), {**given, **body}))


def _body(text: str) -> dict[str, Any] | None:
    try:
        given = sys.stdin.buffer.read() if text == "-" else text.encode()
        return strict.read_json(given, _object)
    except (*codec.UNREADABLE, UnicodeEncodeError) as error:
        print(f"The body is not a JSON object: {error}", file=sys.stderr)
        return None


def exchange(chosen: argparse.Namespace, subject: str, body: dict[str, Any]) -> Any:
    """Return the reply; None when nobody answered. The same request is sent up to MAX_TRIES times: the receiver knows
    a repetition by its id."""
    bus = bus_address(chosen)
    payload = msgspec.json.encode(body)
    for attempt in range(MAX_TRIES):
        if attempt:
            time.sleep(PAUSE_SECONDS)
        try:
            reply = asyncio.run(wire.request(bus, subject, payload, timeout_seconds=REPLY_SECONDS))
            return json.loads(reply)
        except (wire.NotReached, ValueError) as error:
            print(f"not reached ({error})", file=sys.stderr)
    return None


def shown(answer: Any) -> int:
    """Print a reply; the exit code that it stands for."""
    if answer is None:
        return EXIT_NOT_REACHED
    print(json.dumps(answer, ensure_ascii=False))
    if not isinstance(answer, dict):
        return 0
    if answer.get("next") is not None:
        print(_more(answer), file=sys.stderr)
    return EXIT_REFUSED if "error" in answer else 0


def _more(answer: dict[str, Any]) -> str:
    """Return what a page says of the others: how many lines each of its lists shows of how many, and how to go on."""
    counts = answer.get("counts") or {}
    lists = {name: lines for name, lines in answer.items() if isinstance(lines, list)}
    parts = [
        f"{len(lines)} of {counts.get(name, answer.get('count', 'more'))} {name}"
        for name, lines in lists.items()
    ]
    after = json.dumps({"after": answer["next"]})
    return f"This is one page: {', '.join(parts)}. The next one: the same question with {after}"


def bus_address(chosen: argparse.Namespace, user: str = rights.OPERATOR) -> BusAddress:
    """Where the bus of the data folder's stack is, for one of its users; else what the settings say.

    Raises: AddressInvalid if neither is there, SettingUnreadable.
    """
    folder = state.data_folder(chosen.data)
    found = state.read_status(folder)
    if "nats" in found.addresses:
        return state.bus_address(folder, found, user)
    if not os.environ.get("TELLONCE_NATS_URL"):
        raise AddressInvalid(
            "no stack runs on the data folder and TELLONCE_NATS_URL is not set",
            mend="start one with `tellonce up`, or name its folder with --data",
        )
    return read_settings().bus_address()
