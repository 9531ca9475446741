"""`tellonce raw`: an operator looks at a delivery as it came, wherever its body stands."""

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy.embedded.stack import EmbeddedStack, Plan
from services.ingest.domain.delivery import WebRequest
from services.ingest.handlers.body_store import BodyStore
from services.ingest.handlers.raw_store import BODY_IN_MESSAGE_MAX_BYTES, RawStore
from shared.bus import connect
from shared.bus_address import BusAddress

HEADERS = [("content-type", "message/rfc822"), ("x-signature", "very secret")]


async def stored(address: BusAddress, body: bytes) -> int:
    """Store a delivery as a door does; return its position."""
    bus = await connect(address, "test")
    request = WebRequest("POST", "/in/demo/email/shop", HEADERS, body, datetime.now(UTC))
    ack = await RawStore(bus, BodyStore(bus), 8_192).append("demo", "email", "shop", request)
    await bus.close()
    return ack.sequence


@pytest.mark.parametrize(
    "body", [b"\xff\x00raw", b"x" * (BODY_IN_MESSAGE_MAX_BYTES + 1)], ids=["here", "elsewhere"]
)
async def test_a_delivery_is_shown_byte_for_byte(data: Path, body: bytes) -> None:
    """Its fields go to standard error, without a secret; a position that holds none is told apart."""
    async with EmbeddedStack(Plan(folder=data, services={})) as stack:
        position = await stored(stack.bus_address("ingest"), body)
        code, out, told = await raw(data, position)
        assert (code, out) == (0, body)
        assert "content-type: message/rfc822" in told
        assert "very secret" not in told
        assert (await raw(data, position + 1))[0] == 1


async def raw(data: Path, position: int) -> tuple[int | None, bytes, str]:
    """Run the verb as an operator does: it writes bytes."""
    tool = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.cli.main", "raw", str(position), "--data", str(data)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, told = await asyncio.wait_for(tool.communicate(), 30)
    return tool.returncode, out, told.decode()
