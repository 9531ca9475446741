"""Is it there? Short questions to a running stack, each with a deadline; none raises."""

import asyncio
import json
from typing import Any
from urllib.parse import urlsplit

from deploy.embedded import wire
from shared.bus_address import BusAddress

PROBE_SECONDS = 1.0
HTTP_OK, HTTP_REFUSED = 200, 400
MAX_ANSWER_BYTES = 64 * 1024
STARTING = "starting"
"""What a service says of itself that is about to be ready."""


async def service_answers(bus: BusAddress, service: str) -> bool:
    """Whether a service answers the NATS micro protocol's ping."""
    try:
        await wire.request(bus, f"$SRV.PING.{service}", timeout_seconds=PROBE_SECONDS)
    except wire.NotReached:
        return False
    return True


async def health(bus: BusAddress, service: str) -> dict[str, Any] | None:
    """What a service answers to `ops.<service>.health`: ready, troubles, backlog; None if it does not answer."""
    try:
        reply = await wire.request(bus, f"ops.{service}.health", timeout_seconds=PROBE_SECONDS)
        answer = json.loads(reply)
    except (wire.NotReached, ValueError):
        return None
    return answer if isinstance(answer, dict) and "troubles" in answer else None


async def service_halted(bus: BusAddress, service: str) -> bool:
    """Whether a service runs, is not ready, and says what somebody has to mend: it has started all the same."""
    found = await health(bus, service)
    return found is not None and any(each["about"] != STARTING for each in found["troubles"])


async def http_ready(address: str) -> bool:
    """Whether GET /readyz at `address` (http://host:port) is answered with 200."""
    status, _ = await http_get(address, "/readyz")
    return status == HTTP_OK


async def http_get(address: str, path: str) -> tuple[int, bytes]:
    """The status and the body that GET is answered with at `address` (http://host:port); (0, b"") without an answer."""
    parts = urlsplit(address)
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            try:
                head = f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n"
                writer.write(head.encode())
                answer = b""
                while len(answer) < MAX_ANSWER_BYTES and (
                    more := await reader.read(MAX_ANSWER_BYTES)
                ):
                    answer += more
            finally:
                writer.close()
        return int(answer.split()[1]), answer.partition(b"\r\n\r\n")[2]
    except (OSError, TimeoutError, ValueError, IndexError):
        return 0, b""


async def ledger_position(bus: BusAddress) -> int | None:
    """The last sequence of stream LEDGER; None if there is no server or no such stream."""
    try:
        reply = await wire.request(bus, "$JS.API.STREAM.INFO.LEDGER", timeout_seconds=PROBE_SECONDS)
        return int(json.loads(reply)["state"]["last_seq"])
    except (wire.NotReached, KeyError, ValueError):
        return None
