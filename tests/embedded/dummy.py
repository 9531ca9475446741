"""Stand-ins for the services: they answer the micro protocol's ping, ingest its /readyz too.

Run as `python -m tests.embedded.dummy SERVICE`, or with `bootstrap` for the job that makes the
ledger's stream. Five of them start with every stack of dummies, so they import next to nothing.
"""

import asyncio
import json
import os
import sys

from deploy.embedded import wire
from shared.bus_address import BusAddress, opened


def bus() -> BusAddress:
    """Where the bus is, as the environment says."""
    seed_file = os.environ.get("TELLONCE_NATS_SEED_FILE", "")
    return BusAddress(url=os.environ["TELLONCE_NATS_URL"], seed_file=seed_file)


async def make_ledger() -> None:
    """Make stream LEDGER if it is not there."""
    config = {"name": "LEDGER", "subjects": ["ledger.>"], "storage": "file"}
    payload = json.dumps(config).encode()
    reply = await wire.request(bus(), "$JS.API.STREAM.CREATE.LEDGER", payload, timeout_seconds=5)
    assert "error" not in json.loads(reply), reply


async def answer_pings(service: str) -> None:
    """Answer `$SRV.PING.<service>` until the server goes; then connect again."""
    address = bus()
    while True:
        try:
            line = await opened(wire.parse_url(address.url), address, service)
            line.writer.write(f"SUB $SRV.PING.{service} 1\r\n".encode())
            await _serve(line.reader, line.writer, json.dumps({"name": service}).encode())
        except OSError:
            pass
        await asyncio.sleep(0.05)


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: bytes) -> None:
    while line := await reader.readline():
        words = line.decode().split()
        if words[:1] == ["PING"]:
            writer.write(b"PONG\r\n")
        elif words[:1] == ["MSG"]:
            await reader.readexactly(int(words[-1]) + 2)
            writer.write(f"PUB {words[3]} {len(answer)}\r\n".encode() + answer + b"\r\n")


async def serve_ready() -> None:
    """Answer every request on ingest's port with 200."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    host, port = os.environ.get("TELLONCE_INGEST_HOST"), int(os.environ["TELLONCE_INGEST_PORT"])
    server = await asyncio.start_server(answer, host or "127.0.0.1", port)
    await server.serve_forever()


async def serve(service: str) -> None:
    """Be one dummy service."""
    print(f"{service} started", flush=True)
    if service == "ingest":
        await asyncio.gather(answer_pings(service), serve_ready())
    await answer_pings(service)


def main() -> None:
    """Be what the command line asks for."""
    (wanted,) = sys.argv[1:]
    if wanted == "bootstrap":
        asyncio.run(make_ledger())
    else:
        asyncio.run(serve(wanted))


if __name__ == "__main__":
    main()
