"""`tellonce channels replay`: what RAW holds and the ledger lacks is shown, and decided once when it is applied."""

import asyncio
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from deploy.embedded.stack import EmbeddedStack, Plan
from services.ingest.domain.delivery import WebRequest
from services.ingest.handlers.body_store import BodyStore
from services.ingest.handlers.raw_store import RawStore
from shared.bus import connect
from shared.bus_address import BusAddress

SERVICES = {name: (sys.executable, "-m", f"services.{name}") for name in ("router", "history")}
"""Without ingest nobody parses what is stored."""
LOOKS = 20
JSON = [("content-type", "application/json")]


async def stored(address: BusAddress, *bodies: bytes) -> None:
    """Store deliveries of the contact form as its door does."""
    bus = await connect(address, "test")
    store, now = RawStore(bus, BodyStore(bus), 8_192), datetime.now(UTC)
    for body in bodies:
        request = WebRequest("POST", "/in/demo/form/contact", JSON, body, now)
        await store.append("demo", "form", "contact", request)
    await bus.close()


async def replay(data: Path, *more: str) -> tuple[int | None, list[dict[str, Any]]]:
    """Run the verb over the last hour."""
    since = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    tool = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.cli.main", "channels", "replay", "--since", since),
        *("--data", str(data), *more),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await asyncio.wait_for(tool.communicate(), 60)
    return tool.returncode, [json.loads(line) for line in out.decode().splitlines()]


async def test_what_the_ledger_lacks_is_shown_then_applied_once(data: Path) -> None:
    """Shown alone it changes nothing, of no account it is refused; applied it is decided; then nothing is new."""
    async with EmbeddedStack(Plan(folder=data, services=SERVICES)) as stack:
        await stored(
            stack.bus_address("ingest"),
            b'{"message":"one"}',
            b"\x00no form",
            b'{"message":"two"}',
        )
        later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        for narrower in (("--since", later), ("--account", "chat/shop")):
            assert (await replay(data, *narrower))[1][-1]["parsed"] == 0
        code, (refused,) = await replay(data, "--account", "form/contakt")
        assert (code, refused["error"]["code"]) == (2, "door.account_unknown")
        code, (first, unread, second, sums) = await replay(data)
        assert code == 1
        assert [each["position"] for each in (first, unread, second)] == [1, 2, 3]
        assert sums["new"] == {"form.submitted": 2, "payload.quarantined": 1}
        assert (sums["parsed"], sums["unread"], sums["applied"]) == (3, 1, False)
        code, lines = await replay(data, "--apply", "--account", "form/contact")
        assert (code, lines[-1]["applied"]) == (0, True)
        await eventually_nothing_new(data)


async def eventually_nothing_new(data: Path) -> None:
    """Raises: AssertionError unless the ledger holds it after some looks: the router decides meanwhile."""
    code, (*_, sums) = await replay(data)
    for _ in range(LOOKS):
        if code == 0:
            break
        code, (*_, sums) = await replay(data)
    assert (code, sums["new"], sums["parsed"]) == (0, {}, 3)
