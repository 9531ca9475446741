"""Keeps the mark in the data folder up with the ledger: it says more the newer it is (docs/adr/0030)."""

import asyncio
import base64
import contextlib
import hashlib
import json
from pathlib import Path
from typing import Any

from deploy.embedded import errors, state, supervisor, wire
from shared.bus_address import BusAddress

KEEP_SECONDS = 10.0
ASK_SECONDS = 1.0
UNMOVED = (OSError, ValueError, KeyError, wire.NotReached, errors.DataFolderUnusable)
"""Without a mark, without an answer or without room on the disk the mark stays as it is."""


async def keep(bus: BusAddress, folder: Path, examine: supervisor.Mend | None) -> None:
    """Bring the mark up to date again and again, until cancelled.

    `examine`: runs the bootstrap job, which asks more witnesses, where the server was started again; none where the
    server was given from outside, and there may be several.
    """
    while True:
        await asyncio.sleep(KEEP_SECONDS)
        if not await bring_up(bus, folder) and examine is not None:
            with contextlib.suppress(errors.SetupError, OSError):
                await examine()


async def bring_up(bus: BusAddress, folder: Path) -> bool:
    """Move the mark to the end of the ledger; return whether the server is in the run in which the mark was made.

    In another run the data may be an older copy, newer than the mark and so agreeing with it: then, and where the
    ledger does not hold what the mark says, nothing is moved. The bootstrap job makes the mark.
    """
    try:
        mark = json.loads((folder / state.LEDGER_MARK).read_bytes())
        now = await _brought_up(bus, mark)
        if await _run_of_server(bus) != mark.get("server"):
            return False
        if now is not None:
            await asyncio.to_thread(state.write_mark, folder, json.dumps(now))
    except UNMOVED:
        pass
    return True


async def _brought_up(bus: BusAddress, mark: dict[str, Any]) -> dict[str, Any] | None:
    """Return the mark of the ledger's end, `None` if it is the same, or the ledger contradicts it."""
    here = await _sha256(bus, {"seq": mark["position"]}) if mark["position"] else ""
    last = await _asked(bus, "STREAM.INFO.LEDGER", {})
    position = int(last["state"]["last_seq"])
    if here != mark["sha256"] or position <= mark["position"]:
        return None
    return mark | {"position": position, "sha256": await _sha256(bus, {"seq": position})}


async def _run_of_server(bus: BusAddress) -> object:
    said = await wire.greeting(bus, timeout_seconds=ASK_SECONDS)
    return said.get("server_id")


async def _sha256(bus: BusAddress, which: dict[str, object]) -> str:
    """Return the hash of a message of the ledger. Raises: NotReached, KeyError when there is none."""
    message = (await _asked(bus, "STREAM.MSG.GET.LEDGER", which))["message"]
    return hashlib.sha256(base64.b64decode(message.get("data", ""))).hexdigest()


async def _asked(bus: BusAddress, call: str, which: dict[str, object]) -> dict[str, dict[str, str]]:
    body = json.dumps(which).encode() if which else b""
    reply = await wire.request(bus, f"$JS.API.{call}", body, timeout_seconds=ASK_SECONDS)
    answer: dict[str, dict[str, str]] = json.loads(reply)
    return answer
