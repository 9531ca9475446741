"""The faults: what is done to a running stack, what shows it, what it must not do, and how soon all goes on."""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import msgspec

from deploy.embedded import postgres, state
from shared import streams, subjects
from tests.faults import cutting, damage, proving, restoring
from tests.faults.asking import TENANT, wait
from tests.faults.proving import Place, family
from tests.faults.traffic import Until

SENDERS = 400
SERVER_BOUND_SECONDS = 6.0
"""A single node is back within 3 s and 6 s per million messages; a service within 3 s, its message in flight within
`ack_wait` (2 s) and one second."""
MENDED_BOUND_SECONDS = 13.0
"""What an operator deleted is noticed within 10 s."""
FREED_BOUND_SECONDS = 10.0
THAWED_BOUND_SECONDS = 3.0
MEANWHILE_SECONDS = 1.5
ANSWERED_SECONDS = 3.0
"""An answer is ten decisions later than the contact, each on the disk."""
FROZEN_SECONDS = 3.0
CUT_SECONDS = 20.0
"""Longer than a server needs to find that it is without the others."""
HEALED_BOUND_SECONDS = 10.0
"""All consumers choose their leaders anew."""
PARTITIONS = range(0, 64, 2)
DISK_BYTES = 256 * 1024 * 1024
BALLAST_BYTES = 65_536
FORM = Path(__file__).parents[1] / "golden" / "events" / "form.submitted.json"
FOREIGN = b"no event of ours"
CONSUMERS = ((streams.CONTACTS, "router-contacts-7"), (streams.LEDGER, "notify-lane-7"))

Happens = Callable[[Place], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True)
class Fault:
    """It begins when `happens` is entered and is over when `happens` is left.

    `proof`: what shows that it was really done; `control`: what it would have done to a system that does not stand it.
    `until`: what of a new delivery must be so within `bound_seconds`, counted from the end of a fault that lasts
    `lasts_seconds` or longer, else from its beginning. `meanwhile`: the same while it lasts, where it concerns no
    delivery. `ready_seconds`: bound for the status being ready, without any trouble, where that is promised.
    `alone`: on a stack of its own, because an operator adopts another ledger. `cluster`: on one over three servers.
    """

    name: str
    happens: Happens
    proof: proving.Proof
    control: damage.Control
    bound_seconds: float
    until: Until = "decided"
    lasts_seconds: float = 0.0
    meanwhile: tuple[Until, float] | None = None
    ready_seconds: float | None = None
    only_long: bool = False
    alone: bool = False
    cluster: bool = False


def kill(name: str, control: damage.Control, until: Until = "decided") -> Fault:
    """Signal 9 to a process."""

    @contextlib.asynccontextmanager
    async def happens(place: Place) -> AsyncIterator[None]:
        await _kill(place, name)
        yield

    proof = proving.died(name)
    return Fault(f"kill {name}", happens, proof, control, SERVER_BOUND_SECONDS, until)


async def _kill(place: Place, name: str) -> None:
    """End a process by signal 9; one that has just ended by itself is followed by another. Raises: TimeoutError."""
    async with asyncio.timeout(SERVER_BOUND_SECONDS):
        while True:
            with contextlib.suppress(ProcessLookupError, KeyError):
                return os.kill(place.pid(name), signal.SIGKILL)
            await wait()


def freeze(
    name: str,
    control: damage.Control,
    until: Until = "decided",
    meanwhile: tuple[Until, float] | None = None,
) -> Fault:
    """A process and its children stand still for a while, alive for the kernel and silent for everybody else."""

    @contextlib.asynccontextmanager
    async def happens(place: Place) -> AsyncIterator[None]:
        everybody = family(place.pid(name))
        try:
            _signal(everybody, signal.SIGSTOP)
            yield
        finally:
            _signal(everybody, signal.SIGCONT)

    return Fault(
        f"freeze {name}",
        happens,
        proving.stopped(name),
        control,
        THAWED_BOUND_SECONDS,
        until,
        lasts_seconds=FROZEN_SECONDS,
        meanwhile=meanwhile,
    )


def _signal(pids: list[int], what: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, what)


@contextlib.asynccontextmanager
async def _delete_consumers(place: Place) -> AsyncIterator[None]:
    """An operator deletes a consumer of the router, and one of notify."""
    for stream, name in CONSUMERS:
        await place.bus.api(f"CONSUMER.DELETE.{stream}.{name}")
    yield


@contextlib.asynccontextmanager
async def _delete_contacts(place: Place) -> AsyncIterator[None]:
    """An operator deletes the stream of the contacts; what was decided stands, what comes is decided."""
    await place.bus.api(f"STREAM.DELETE.{streams.CONTACTS}")
    yield


@contextlib.asynccontextmanager
async def _poison(place: Place) -> AsyncIterator[None]:
    """Contact events come, one in every other partition, that nobody can handle."""
    known = msgspec.json.decode(FORM.read_bytes().splitlines()[0])
    for number in PARTITIONS:
        event_id = uuid4().hex
        body = msgspec.json.encode({**known, "id": event_id, "type": "form.dreamt_of"})
        await place.bus.store(f"contact.{number}.{TENANT}.form.{event_id}", body)
    yield


@contextlib.asynccontextmanager
async def _foreign(place: Place) -> AsyncIterator[None]:
    """Somebody writes into LEDGER what is no event; at the end an operator rejects it."""
    stored = await place.bus.store(subjects.ledger(TENANT, "conv-foreign"), FOREIGN)
    yield
    command = {
        "command_id": uuid4().hex,
        "issued_at": datetime.now(UTC).isoformat(),
        "actor": "service:operator",
        "sequence": stored.sequence,
        "sha256": sha256(FOREIGN).hexdigest(),
        "reason": "it is no event",
    }
    subject = subjects.command(TENANT, "reject_entry")
    await place.bus.request(subject, msgspec.json.encode(command))


@contextlib.asynccontextmanager
async def _slow_senders(place: Place) -> AsyncIterator[None]:
    """Many without a credential send a byte now and then, and come again when they are sent away."""
    host, _, port = place.stack.addresses["ingest"].removeprefix("http://").partition(":")
    head = b"POST /in/demo/form/contact HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n"

    async def one() -> None:
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection(host, int(port))
                with contextlib.closing(writer):
                    writer.write(head)
                    while not writer.is_closing():
                        writer.write(b"x")
                        await writer.drain()
                        await asyncio.sleep(0.5)  # the fault itself

    senders = [asyncio.create_task(one()) for _ in range(SENDERS)]
    try:
        yield
    finally:
        for each in senders:
            each.cancel()
        await asyncio.gather(*senders, return_exceptions=True)


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


def full(
    server: str, control: damage.Control, until: Until, meanwhile: tuple[Until, float] | None = None
) -> Fault:
    """The disk under a server is full for a while."""

    @contextlib.asynccontextmanager
    async def happens(place: Place) -> AsyncIterator[None]:
        ballast = place.stack.folder / server / "ballast"
        try:
            await asyncio.to_thread(_fill, ballast)
            yield
        finally:
            ballast.unlink()

    return Fault(
        f"disk full {server}",
        happens,
        proving.met_no_room(server),
        control,
        FREED_BOUND_SECONDS,
        until,
        lasts_seconds=FROZEN_SECONDS,
        meanwhile=meanwhile,
        ready_seconds=FREED_BOUND_SECONDS,
        only_long=True,
    )


def of_three(name: str, happens: Happens, proof: proving.Proof) -> Fault:
    """One of three servers is away for a while, without being gone."""
    return Fault(
        name,
        happens,
        proof,
        damage.LOST,
        HEALED_BOUND_SECONDS,
        "answered",
        lasts_seconds=CUT_SECONDS,
        only_long=True,
        cluster=True,
    )


FAULTS: tuple[Fault, ...] = (
    kill("router", damage.TWICE),
    kill("ingest", damage.LOST),
    kill("history", damage.UNSHOWN, until="shown"),
    kill("notify", damage.MAILED_TWICE, until="answered"),
    kill("nats", damage.LOST),
    kill("postgres", damage.UNSHOWN, until="shown"),
    freeze("router", damage.TWICE),
    freeze("ingest", damage.LOST),
    freeze("notify", damage.MAILED_TWICE, until="answered"),
    freeze("nats", damage.TWICE),
    freeze("history", damage.DELAYED, "shown", meanwhile=("answered", ANSWERED_SECONDS)),
    freeze("postgres", damage.DELAYED, "shown", meanwhile=("answered", ANSWERED_SECONDS)),
    Fault(
        f"{SENDERS} slow senders",
        _slow_senders,
        proving.connected(SENDERS),
        damage.DELAYED,
        THAWED_BOUND_SECONDS,
        lasts_seconds=FROZEN_SECONDS,
        meanwhile=("decided", MEANWHILE_SECONDS),
    ),
    Fault(
        "poison in CONTACTS",
        _poison,
        proving.parked_more(len(PARTITIONS)),
        damage.DELAYED,
        SERVER_BOUND_SECONDS,
    ),
    Fault(
        "foreign in LEDGER",
        _foreign,
        proving.stands_in_ledger("conv-foreign", FOREIGN),
        damage.HALTED,
        SERVER_BOUND_SECONDS,
        "shown",
        lasts_seconds=FROZEN_SECONDS,
        meanwhile=("answered", ANSWERED_SECONDS),
    ),
    Fault(
        "consumers deleted",
        _delete_consumers,
        proving.replaced(*(f"CONSUMER.INFO.{stream}.{name}" for stream, name in CONSUMERS)),
        damage.UNSENT,
        MENDED_BOUND_SECONDS,
        "answered",
        ready_seconds=MENDED_BOUND_SECONDS,
    ),
    Fault(
        "older ledger, put right",
        restoring.put_back_for_a_while,
        proving.ledger_is_shorter(),
        damage.LOST,
        MENDED_BOUND_SECONDS,
        "answered",
        lasts_seconds=FROZEN_SECONDS,
        ready_seconds=MENDED_BOUND_SECONDS,
    ),
    full("nats", damage.LOST, "answered"),
    full("postgres", damage.DELAYED, "shown", meanwhile=("answered", ANSWERED_SECONDS)),
    Fault(
        "CONTACTS deleted",
        _delete_contacts,
        proving.replaced(f"STREAM.INFO.{streams.CONTACTS}"),
        damage.LOST,
        MENDED_BOUND_SECONDS,
        ready_seconds=MENDED_BOUND_SECONDS,
        only_long=True,
    ),
    Fault(
        "older ledger, adopted",
        restoring.put_back_and_adopted,
        proving.ledger_is_shorter(),
        damage.LOST,
        MENDED_BOUND_SECONDS,
        "answered",
        lasts_seconds=FROZEN_SECONDS,
        only_long=True,
        alone=True,
    ),
    Fault(
        "LEDGER deleted, adopted",
        restoring.deleted_and_adopted,
        proving.replaced(f"STREAM.INFO.{streams.LEDGER}"),
        damage.LOST,
        MENDED_BOUND_SECONDS,
        "answered",
        lasts_seconds=FROZEN_SECONDS,
        only_long=True,
        alone=True,
    ),
    of_three("follower cut off", cutting.cut_off("follower"), cutting.without_the_others()),
    of_three("leader cut off", cutting.cut_off("leader"), cutting.without_the_others()),
    of_three("leader frozen", cutting.stands_still, cutting.one_stands_still()),
)
"""In the order in which they are done."""
