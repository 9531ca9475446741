"""Is it there? Short questions to a running stack, each with a deadline; none raises."""

import asyncio
import json
from urllib.parse import urlsplit

from deploy.embedded import wire

PROBE_SECONDS = 1.0
SERVICES = ("ingest", "router", "history", "notify")


async def service_answers(nats_url: str, service: str) -> bool:
    """Whether a service answers the NATS micro protocol's ping."""
    try:
        await wire.request(nats_url, f"$SRV.PING.{service}", timeout_seconds=PROBE_SECONDS)
    except wire.NotReached:
        return False
    return True


async def http_ready(address: str) -> bool:
    """Whether GET /readyz at `address` (http://host:port) is answered with 200."""
    parts = urlsplit(address)
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            try:
                head = f"GET /readyz HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n"
                writer.write(head.encode())
                words = (await reader.readline()).split()
            finally:
                writer.close()
    except (OSError, TimeoutError, ValueError):
        return False
    return len(words) > 1 and words[1] == b"200"


async def ledger_position(nats_url: str) -> int | None:
    """The last sequence of stream LEDGER; None if there is no server or no such stream."""
    try:
        reply = await wire.request(
            nats_url, "$JS.API.STREAM.INFO.LEDGER", timeout_seconds=PROBE_SECONDS
        )
        return int(json.loads(reply)["state"]["last_seq"])
    except (wire.NotReached, KeyError, ValueError):
        return None
