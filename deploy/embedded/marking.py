"""Keeps the mark in the data folder up with the ledger: it says more the newer it is (docs/adr/0030)."""

import asyncio
import base64
import hashlib
import json
from pathlib import Path

from deploy.embedded import errors, state, wire

KEEP_SECONDS = 10.0
ASK_SECONDS = 1.0


async def keep(nats_url: str, folder: Path) -> None:
    """Bring the mark up to date again and again, until cancelled."""
    while True:
        await asyncio.sleep(KEEP_SECONDS)
        await bring_up(nats_url, folder)


async def bring_up(nats_url: str, folder: Path) -> None:
    """Move the mark to the end of the ledger, if the ledger still holds what the mark says; nothing else moves it.

    The bootstrap job makes it. Without it, without an answer or without room on the disk it stays as it is.
    """
    try:
        mark = json.loads((folder / state.LEDGER_MARK).read_bytes())
        here = await _sha256(nats_url, {"seq": mark["position"]}) if mark["position"] else ""
        last = await _asked(nats_url, "STREAM.INFO.LEDGER", {})
        position = int(last["state"]["last_seq"])
        if here != mark["sha256"] or position <= mark["position"]:
            return
        mark |= {"position": position, "sha256": await _sha256(nats_url, {"seq": position})}
        await asyncio.to_thread(state.write_mark, folder, json.dumps(mark))
    except (OSError, ValueError, KeyError, wire.NotReached, errors.DataFolderUnusable):
        return


async def _sha256(nats_url: str, which: dict[str, object]) -> str:
    """Return the hash of a message of the ledger. Raises: NotReached, KeyError when there is none."""
    message = (await _asked(nats_url, "STREAM.MSG.GET.LEDGER", which))["message"]
    return hashlib.sha256(base64.b64decode(message.get("data", ""))).hexdigest()


async def _asked(nats_url: str, call: str, which: dict[str, object]) -> dict[str, dict[str, str]]:
    body = json.dumps(which).encode() if which else b""
    reply = await wire.request(nats_url, f"$JS.API.{call}", body, timeout_seconds=ASK_SECONDS)
    answer: dict[str, dict[str, str]] = json.loads(reply)
    return answer
