"""What shows that a fault was really done: something that is not so before it, and is so while it lasts or after it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded.stack import EmbeddedStack
from shared import errors, streams, subjects
from shared.bus import Bus
from tests.faults.asking import TENANT, listed
from tests.faults.observed import Observed
from tests.faults.traffic import Traffic
from tests.support.cut_cluster import CutCluster

ESTABLISHED = "01"
NO_ROOM = "no space left on device"


@dataclass(frozen=True, slots=True)
class Place:
    """What a fault is done to, and who works there. `cluster`: the servers, where there are three."""

    stack: EmbeddedStack
    bus: Bus
    traffic: Traffic
    observed: Observed
    cluster: CutCluster | None = None

    def pid(self, name: str) -> int:
        return self.stack.status().pids[name]


Look = Callable[[], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Proof:
    """`says`: what is seen then; `begin`: looks how it is before the fault and returns how to see that it was done."""

    says: str
    begin: Callable[[Place], Awaitable[Look]]


def family(pid: int) -> list[int]:
    """Return a process and all that it has started."""
    found = [pid]
    for each in found:
        try:
            children = Path(f"/proc/{each}/task/{each}/children").read_text("ascii").split()
        except OSError:
            continue
        found += [int(child) for child in children]
    return found


def state_of(pid: int) -> str:
    """Return the letter of a process's state (`T`: stopped, `Z`: dead and not waited for); empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(") ")[2][0]
    except OSError:
        return ""


def died(name: str) -> Proof:
    """The process that ran before the fault runs no more."""

    async def begin(place: Place) -> Look:
        pid = place.pid(name)

        async def look() -> bool:
            return state_of(pid) in {"", "Z"}

        return look

    return Proof(f"the process of {name} is gone", begin)


def stopped(name: str) -> Proof:
    """The process and its children stand still."""

    async def begin(place: Place) -> Look:
        async def look() -> bool:
            return {state_of(pid) for pid in family(place.pid(name))} == {"T"}

        return look

    return Proof(f"all processes of {name} stand still", begin)


def met_no_room(server: str) -> Proof:
    """The server itself says that it could not write."""

    async def begin(place: Place) -> Look:
        log = place.stack.folder / "logs" / f"{server}.log"
        before = log.stat().st_size

        async def look() -> bool:
            with log.open("rb") as file:
                file.seek(before)
                return NO_ROOM in file.read().decode(errors="replace").lower()

        return look

    return Proof(f"{server} met a full disk", begin)


def replaced(*calls: str) -> Proof:
    """Each is gone, or another one was made under its name. `calls`: what asks JetStream for them."""

    async def begin(place: Place) -> Look:
        before = [await _made(place.bus, call) for call in calls]

        async def look() -> bool:
            now = [await _made(place.bus, call) for call in calls]
            return all(was and was != made for was, made in zip(before, now, strict=True))

        return look

    return Proof(f"{', '.join(calls)} are gone or others", begin)


async def _made(bus: Bus, call: str) -> str:
    """Return when a stream or consumer was made; empty where there is none."""
    try:
        return str((await bus.api(call))["created"])
    except errors.TellonceError:
        return ""


def parked_more(count: int) -> Proof:
    """So many more contact events are parked."""

    async def begin(place: Place) -> Look:
        before = len(await listed(place.bus, "parked", "parked"))

        async def look() -> bool:
            return len(await listed(place.bus, "parked", "parked")) >= before + count

        return look

    return Proof(f"{count} contact events are parked", begin)


def stands_in_ledger(aggregate: str, body: bytes) -> Proof:
    """A message with these bytes stands newly in LEDGER."""
    subject = subjects.ledger(TENANT, aggregate)

    async def begin(place: Place) -> Look:
        before = await place.bus.leader_get(streams.LEDGER, last_by_subject=subject)

        async def look() -> bool:
            now = await place.bus.leader_get(streams.LEDGER, last_by_subject=subject)
            newer = now is not None and (before is None or now.sequence > before.sequence)
            return newer and now is not None and now.body == body

        return look

    return Proof(f"the message stands on {subject}", begin)


def connected(count: int) -> Proof:
    """So many connections to ingest's doors are open at once."""

    async def begin(place: Place) -> Look:
        port = int(place.stack.addresses["ingest"].rpartition(":")[2])

        async def look() -> bool:
            rows = [row.split() for row in Path("/proc/net/tcp").read_text("ascii").splitlines()]
            local = f":{port:04X}"
            return sum(row[1].endswith(local) and row[3] == ESTABLISHED for row in rows) >= count

        return look

    return Proof(f"ingest holds {count} connections", begin)


def ledger_is_shorter() -> Proof:
    """LEDGER ends before what was read of it."""

    async def begin(place: Place) -> Look:
        async def look() -> bool:
            reached = place.traffic.reached  # before the answer, which more may follow
            info = await place.bus.api(f"STREAM.INFO.{streams.LEDGER}")
            return int(info["state"]["last_seq"]) < reached

        return look

    return Proof("LEDGER is shorter than what was read of it", begin)
