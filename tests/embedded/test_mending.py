"""What no restart of a service mends: consumers that are gone, and a server that gave up a stream on a full disk."""

import asyncio
import contextlib
import hashlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.cli.main import main
from deploy.embedded import keeper, nats, supervisor, wire
from deploy.embedded.stack import EmbeddedStack, Plan
from deploy.embedded.status import examine
from shared import ensuring, streams
from shared.bus import Bus, connect
from shared.bus_address import BusAddress
from shared.errors import TellonceError
from tests.support.waiting import eventually

DISK_BYTES = 24 * 1024 * 1024
LARGE = b"x" * 200_000
GONE = (
    "CONTACTS.router-contacts-7",
    "LEDGER.notify-lane-7",
    "RAW.ingest-normalise-demo-form-contact",
)


async def test_consumers_that_are_gone_are_made_again(data: Path) -> None:
    """Whoever read them notices, the stack runs the bootstrap job, and all is well again; ingest never ended."""
    async with EmbeddedStack(Plan(folder=data)) as stack:
        bus, before = stack.bus_address("bootstrap"), dict(stack.status().pids)

        async def api(call: str, about: str) -> bool:
            reply = await wire.request(bus, f"$JS.API.CONSUMER.{call}.{about}", timeout_seconds=5)
            return "error" not in json.loads(reply)

        for consumer in GONE:
            assert await api("DELETE", consumer)

        async def made() -> bool:
            return all([await api("INFO", consumer) for consumer in GONE])

        async def well() -> bool:
            found = await examine(data)
            return found.state == "ready" and not found.troubles

        await eventually(made)
        await eventually(well)
        after = stack.status().pids
        assert after["ingest"] == before["ingest"]
        assert after["router"] != before["router"]
        assert after["notify"] != before["notify"]


async def test_a_stack_with_a_foreign_entry_in_its_ledger_starts(data: Path) -> None:
    """It is degraded and names the entry; rejected, the entry is nobody's trouble any more."""
    foreign = b'{"specversion":"1.0","type":"strange.thing","id":"x","tenant":"demo"}'
    sha256 = hashlib.sha256(foreign).hexdigest()
    async with EmbeddedStack(Plan(folder=data, services={})) as servers:
        bus = servers.bus_address("router")
        reply = await wire.request(bus, "ledger.1.demo.conv.x", foreign, timeout_seconds=5)
        sequence = json.loads(reply)["seq"]
    async with EmbeddedStack(Plan(folder=data)):
        found = await examine(data)
        assert found.state == "degraded"
        (trouble,) = found.troubles["history"]
        assert f"sequence={sequence} sha256={sha256}" in trouble
        rejecting = ["parked", "reject", str(sequence), sha256, "--reason", "a test"]
        code = await asyncio.to_thread(main, [*rejecting, "--data", str(data)])
        assert code == 0

        async def well() -> bool:
            return (await examine(data)).state == "ready"

        await eventually(well)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk that is full soon."""
    disk = tmp_path / "disk"
    disk.mkdir()
    size = f"size={DISK_BYTES}"
    mounting = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(disk)]
    try:
        subprocess.run(mounting, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user may not mount a disk of its own")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


async def fill(bus: Bus) -> None:
    """Store until the stream answers no more."""
    while True:
        try:
            await bus.submit("contact.0.demo.x", LARGE, {}, timeout_seconds=1.0)
        except TellonceError:
            return


async def test_a_server_that_gave_up_a_stream_is_started_again_when_there_is_room(
    small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk it is left alone; freed, the stream takes messages again, and holds what it acknowledged."""
    ports = nats.choose_ports()[0]
    program = nats.nats_program(small_disk, ports, log_path=tmp_path / "nats.log")
    server = supervisor.Supervised(program, lambda: None)
    await server.start()
    bus = await connect(ports.url, "test")
    (contacts,) = [each for each in streams.stream_configs() if each["name"] == streams.CONTACTS]
    await ensuring.ensure(bus, streams.WantedStreams([contacts]))
    (small_disk / "in the way").write_bytes(b"x" * (DISK_BYTES // 2))
    await fill(bus)
    held = (await bus.api("STREAM.INFO.CONTACTS"))["state"]["messages"]
    pid = server.pid

    async def nobody() -> None:
        raise AssertionError("no stream is missing")

    kept = keeper.Server(folder=small_disk, monitor=ports.monitor_url, kept=server)
    keeping = asyncio.create_task(keeper.keep_mended(BusAddress(url=ports.url), [], nobody, kept))
    try:
        looks: list[bool] = []
        room = keeper.has_room

        def noted(folder: Path) -> bool:
            looks.append(room(folder))
            return looks[-1]

        monkeypatch.setattr(keeper, "has_room", noted)

        async def looked_twice() -> bool:
            return looks[:2] == [False, False]

        await eventually(looked_twice)
        assert server.pid == pid
        (small_disk / "in the way").unlink()

        async def stores() -> bool:
            with contextlib.suppress(TellonceError):
                ack = await bus.submit("contact.0.demo.x", b"small", {}, timeout_seconds=1.0)
                return ack.error is None
            return False

        await eventually(stores)
        assert server.pid != pid
        assert (await bus.api("STREAM.INFO.CONTACTS"))["state"]["messages"] > held
    finally:
        keeping.cancel()
        await bus.close()
        await server.stop()
