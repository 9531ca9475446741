"""Reads and writes the state in a data folder: the holder, the ports, the status of the stack.

A folder holds `lock`, `layout`, `ledger.json`, `ports.json`, `status.json`, `logs/`, `users/`, `nats/` and `postgres/`.
"""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

from deploy import bus_users, rights
from deploy.embedded.errors import DataFolderInUse, DataFolderOutdated, DataFolderUnusable
from deploy.embedded.ports import claim, free_ports
from shared import SERVICES, files, settings
from shared.bus_address import BusAddress

State = Literal["starting", "ready", "degraded", "stopped"]
PORT_NAMES = (
    *("nats", "nats_monitor", "nats_route", "postgres", "ingest"),
    *(f"{service}_monitor" for service in SERVICES),
)
LOCK_WAIT_SECONDS = 0.3
PORT_WAIT_SECONDS = 2.0
PORT_POLL_SECONDS = 0.05
DEFAULT_FOLDER = ".tellonce"
SHOWN = ("state", "addresses", "pids", "position", "troubles")
"""What a status always says."""
LEDGER_MARK = "ledger.json"
"""What the bootstrap job remembers of the ledger, outside of NATS (docs/adr/0030)."""
USERS = "users"
"""The folder of the users of an embedded NATS, with their seeds."""
LAYOUT = "2"
"""What this version writes into `layout`: raised when a ledger of before cannot be read any more (docs/adr/0021)."""


@dataclass(frozen=True, kw_only=True)
class Status:
    """What `tellonce status --json` shows.

    `addresses`: of ingest, nats, postgres, history. `monitors`: where each service answers `/livez`, `/readyz` and
    `/metrics`. `pids`: of each program that the stack keeps, the last one started;
    servers given from outside have none. `position`: last sequence of the ledger, None if it cannot be asked.
    `troubles`: what the services say is wrong, by service. `waiting`: the backlog that they name.
    `free_bytes`: room on the disk under each server's data. `policy`: where its policies are read, where it was told.
    """

    state: State = "stopped"
    addresses: Mapping[str, str] = field(default_factory=dict)
    monitors: Mapping[str, str] = field(default_factory=dict)
    pids: Mapping[str, int] = field(default_factory=dict)
    position: int | None = None
    troubles: Mapping[str, Sequence[str]] = field(default_factory=dict)
    waiting: Mapping[str, object] = field(default_factory=dict)
    free_bytes: Mapping[str, int] = field(default_factory=dict)
    policy: str = ""

    def as_json(self) -> str:
        """One line of JSON; what nobody could tell is left out."""
        shown = asdict(self)
        return json.dumps({name: shown[name] for name in shown if shown[name] or name in SHOWN})


def data_folder(named: str | None) -> Path:
    """The data folder: as named, else TELLONCE_DATA, else `.tellonce` here; always absolute."""
    return Path(named or os.environ.get("TELLONCE_DATA") or DEFAULT_FOLDER).absolute()


def write_status(folder: Path, status: Status) -> None:
    """Replace `status.json` whole: a reader sees the old or the new one. Raises: DataFolderUnusable."""
    _replace(folder / "status.json", status.as_json() + "\n", by=files.replace_unsynced)


def read_status(folder: Path) -> Status:
    """What the stack wrote last; `stopped` if none runs on the folder."""
    if holder(folder) is None:
        return Status()
    try:
        return Status(**json.loads((folder / "status.json").read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return Status(state="starting")


def bus_address(folder: Path, status: Status, user: str = rights.OPERATOR) -> BusAddress:
    """Return where the bus of a running stack is, for one of its users.

    A server that was given from outside knows those that the environment names.
    """
    url = status.addresses["nats"]
    seed = bus_users.seed_file(folder / USERS, user)
    if "nats" in status.pids and seed.exists():
        return BusAddress(url=url, seed_file=str(seed))
    return replace(settings.load().bus_address(), url=url)


@contextlib.contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Make the folder and hold it alone.

    Raises: DataFolderInUse if another stack holds it; DataFolderUnusable if it cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DataFolderUnusable(folder=str(folder), reason=error.strerror) from error
    try:
        if not _lock(file):
            raise DataFolderInUse(folder=str(folder), pid=holder(folder))
        os.ftruncate(file, 0)
        os.write(file, str(os.getpid()).encode())
        yield
    finally:
        os.close(file)


def write_mark(folder: Path, text: str) -> None:
    """Replace the mark of the ledger whole. Raises: DataFolderUnusable."""
    _replace(folder / LEDGER_MARK, text + "\n")


def check_layout(folder: Path) -> None:
    """Check that the content of the folder has this version's layout. Raises: DataFolderOutdated."""
    try:
        found = (folder / "layout").read_text("utf-8").strip()
    except FileNotFoundError:
        found = "1" if (folder / "nats").exists() else LAYOUT
    except (OSError, UnicodeDecodeError) as error:
        raise DataFolderUnusable("its layout cannot be read", file="layout") from error
    if found != LAYOUT:
        raise DataFolderOutdated(folder=str(folder), layout=found, wanted=LAYOUT)


def mark_layout(folder: Path) -> None:
    """Note for which version the folder is made. Raises: DataFolderUnusable."""
    if not (folder / "layout").exists():
        _replace(folder / "layout", LAYOUT + "\n")


def holder(folder: Path) -> int | None:
    """The process id of the stack that holds the folder; None if nobody does."""
    try:
        file = os.open(folder / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        text = os.read(file, 32)
        return int(text) if text.isdigit() else None
    else:
        return None
    finally:
        os.close(file)


def _lock(file: int) -> bool:
    # Whoever only looks (`holder`) has the lock for an instant.
    deadline = time.monotonic() + LOCK_WAIT_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() > deadline:
                return False
            time.sleep(PORT_POLL_SECONDS)
        else:
            return True


def choose_ports(folder: Path, fixed: Mapping[str, int]) -> dict[str, int]:
    """Return a port for each of PORT_NAMES: the fixed port, else the last if free, else a new port. Remembers all."""
    kept = {
        name: port
        for name, port in _remembered(folder).items()
        if name not in fixed and _becomes_ours(port)
    }
    kept |= fixed
    ports = {name: kept[name] if name in kept else free_ports(1)[0] for name in PORT_NAMES}
    _replace(folder / "ports.json", json.dumps(ports) + "\n")
    return ports


def _remembered(folder: Path) -> dict[str, int]:
    try:
        found = json.loads((folder / "ports.json").read_text("utf-8"))
        return {name: int(found[name]) for name in PORT_NAMES if name in found}
    except (OSError, ValueError, TypeError):
        return {}


def _becomes_ours(port: int) -> bool:
    # After a hard end of the last stack its Postgres may need a moment to let go.
    deadline = time.monotonic() + PORT_WAIT_SECONDS
    while not claim(port):
        if time.monotonic() > deadline:
            return False
        time.sleep(PORT_POLL_SECONDS)
    return True


def _replace(path: Path, text: str, by: Callable[[Path, bytes], None] = files.replace) -> None:
    try:
        by(path, text.encode())
    except OSError as error:
        raise DataFolderUnusable(file=path.name, reason=error.strerror) from error
