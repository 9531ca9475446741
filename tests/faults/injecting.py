"""The faults: what is done to a running stack, and within how many seconds a new delivery must be decided again."""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import msgspec

from deploy.embedded import postgres, state
from deploy.embedded.stack import EmbeddedStack
from shared import errors, streams, subjects
from shared.bus import Bus

FROZEN_SECONDS = 3.0
LASTING_SECONDS = 9.0
MEANWHILE_SECONDS = 1.5
SENDERS = 400
SERVICE_BOUND_SECONDS = 6.0
"""A killed service serves again within 3 s, and its message in flight within `ack_wait` (2 s) and one second."""
SERVER_BOUND_SECONDS = 6.0
MENDED_BOUND_SECONDS = 13.0
"""What an operator deleted is noticed within 10 s."""
THAWED_BOUND_SECONDS = 3.0
POISONED_PARTITIONS = range(0, 64, 8)
DISK_BYTES = 256 * 1024 * 1024
BALLAST_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Place:
    """What a fault is done to."""

    stack: EmbeddedStack
    bus: Bus

    def pid(self, name: str) -> int:
        return self.stack.status().pids[name]


@dataclass(frozen=True, slots=True)
class Fault:
    """`lasts`: a new delivery is measured from the end of the fault, else from its beginning.

    `meanwhile_seconds`: bound for a new delivery while the fault goes on, where the fault concerns no delivery.

    Such a fault lasts longer than that bound may be missed by.
    """

    name: str
    inject: Callable[[Place], Coroutine[None, None, None]]
    bound_seconds: float
    meanwhile_seconds: float | None = None
    lasts: bool = False
    only_long: bool = False


def killed(name: str) -> Fault:
    """Signal 9 to a process."""

    async def inject(place: Place) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(place.pid(name), signal.SIGKILL)

    servers = {"nats", "postgres"}
    bound = SERVER_BOUND_SECONDS if name in servers else SERVICE_BOUND_SECONDS
    return Fault(f"kill {name}", inject, bound)


def frozen(name: str, *, meanwhile: bool = False) -> Fault:
    """A process and its children stand still for a while, alive for the kernel and silent for everybody else."""

    lasting = LASTING_SECONDS if meanwhile else FROZEN_SECONDS

    async def inject(place: Place) -> None:
        everybody = family(place.pid(name))
        try:
            _signal(everybody, signal.SIGSTOP)
            await asyncio.sleep(lasting)  # the fault itself
        finally:
            _signal(everybody, signal.SIGCONT)

    bound = MEANWHILE_SECONDS if meanwhile else None
    return Fault(f"freeze {name}", inject, THAWED_BOUND_SECONDS, bound, lasts=True)


def family(pid: int) -> list[int]:
    """Return a process and all that it has started."""
    found = [pid]
    for each in found:
        with contextlib.suppress(OSError):
            children = Path(f"/proc/{each}/task/{each}/children").read_text("ascii").split()
            found += [int(child) for child in children]
    return found


def _signal(pids: list[int], what: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, what)


async def _delete_consumer(place: Place) -> None:
    """An operator deletes a consumer of the router, and one of notify."""
    deleted = ((streams.CONTACTS, "router-contacts-7"), (streams.LEDGER, "notify-ledger"))
    for stream, name in deleted:
        await place.bus.api(f"CONSUMER.DELETE.{stream}.{name}")
    await _until_there(place, *(f"CONSUMER.INFO.{stream}.{name}" for stream, name in deleted))


async def _until_there(place: Place, *calls: str) -> None:
    """Wait until somebody has made again what was deleted, or until the bound is missed for sure."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(MENDED_BOUND_SECONDS * 5):
            for call in calls:
                while not await _is_there(place, call):  # noqa: ASYNC110  the condition is a server's
                    await asyncio.sleep(0.1)


async def _is_there(place: Place, call: str) -> bool:
    try:
        await place.bus.api(call)
    except errors.TellonceError:
        return False
    return True


async def _poison(place: Place) -> None:
    """Somebody writes into CONTACTS what is no event."""
    for number in POISONED_PARTITIONS:
        subject = f"contact.{number}.demo.form.{uuid4().hex}"
        await place.bus.store(subject, b"\xff\x00 no event at all")


async def _foreign(place: Place) -> None:
    """Somebody writes into LEDGER what is no event; after a while an operator rejects it."""
    body = b"no event of ours"
    stored = await place.bus.store(subjects.ledger("demo", "conv-foreign"), body)
    await asyncio.sleep(LASTING_SECONDS)  # the fault itself
    command = {
        "command_id": uuid4().hex,
        "issued_at": datetime.now(UTC).isoformat(),
        "actor": "service:operator",
        "sequence": stored.sequence,
        "sha256": sha256(body).hexdigest(),
        "reason": "it is no event",
    }
    await place.bus.request(subjects.command("demo", "reject_entry"), msgspec.json.encode(command))


async def _slow_senders(place: Place) -> None:
    """400 without a credential send a byte now and then."""
    host, _, port = place.stack.addresses["ingest"].removeprefix("http://").partition(":")
    head = b"POST /in/demo/form/contact HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n"

    async def one() -> None:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(host, int(port))
            try:
                writer.write(head)
                async with asyncio.timeout(LASTING_SECONDS):
                    while True:
                        writer.write(b"x")
                        await writer.drain()
                        await asyncio.sleep(0.5)  # the fault itself
            except TimeoutError:
                pass
            finally:
                writer.close()

    await asyncio.gather(*(one() for _ in range(SENDERS)))


@contextlib.contextmanager
def small_disk(data: Path, server: str) -> Iterator[None]:
    """Let a server's data stand on a disk of its own, which is soon full. Only root can."""
    folder = data / server
    folder.mkdir(parents=True, exist_ok=True)
    state.mark_layout(data)
    options = f"size={DISK_BYTES},mode=0777"
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    subprocess.run(mount, check=True, timeout=10)
    if server == "postgres":
        made = data / "made"
        postgres.create_cluster(made)
        subprocess.run(["cp", "-a", f"{made}/.", str(folder)], check=True, timeout=60)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True, timeout=10)


def _fill(ballast: Path) -> None:
    """Write until nothing more is taken."""
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(BALLAST_BYTES))


def full(server: str, *, meanwhile: bool) -> Fault:
    """The disk under a server is full for a while."""

    async def inject(place: Place) -> None:
        ballast = place.stack.folder / server / "ballast"
        try:
            await asyncio.to_thread(_fill, ballast)
            await asyncio.sleep(LASTING_SECONDS)  # the fault itself
        finally:
            ballast.unlink()

    bound = MEANWHILE_SECONDS if meanwhile else None
    return Fault(f"disk full {server}", inject, 10.0, bound, lasts=True, only_long=True)


async def _delete_stream(place: Place) -> None:
    """An operator deletes the stream of the contacts; what was decided stands, what comes is decided."""
    await place.bus.api(f"STREAM.DELETE.{streams.CONTACTS}")
    await _until_there(place, f"CONSUMER.INFO.{streams.CONTACTS}.router-contacts-7")


FAULTS: tuple[Fault, ...] = (
    killed("router"),
    killed("ingest"),
    killed("history"),
    killed("notify"),
    killed("nats"),
    killed("postgres"),
    frozen("router"),
    frozen("ingest"),
    frozen("notify"),
    frozen("nats"),
    frozen("history", meanwhile=True),
    frozen("postgres", meanwhile=True),
    Fault("400 slow senders", _slow_senders, THAWED_BOUND_SECONDS, MEANWHILE_SECONDS, True),
    Fault("poison in CONTACTS", _poison, SERVICE_BOUND_SECONDS),
    Fault("foreign in LEDGER", _foreign, THAWED_BOUND_SECONDS, MEANWHILE_SECONDS, True),
    Fault("consumers deleted", _delete_consumer, MENDED_BOUND_SECONDS),
    full("nats", meanwhile=False),
    full("postgres", meanwhile=True),
    Fault("CONTACTS deleted", _delete_stream, MENDED_BOUND_SECONDS, only_long=True),
)
"""In the order in which they are done. What no stack survives without an operator is not among them."""
