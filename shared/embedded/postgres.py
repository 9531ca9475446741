"""Postgres on loopback, stopped by SIGINT; port and data stay over a restart.

The data folder is made by initdb beside its place and renamed: it is there whole or not at all.
"""

import asyncio
import contextlib
import os
import pwd
import shutil
import signal
import struct
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from shared.embedded import binaries
from shared.embedded.errors import AddressInvalid, ProgramNotStarted
from shared.embedded.launch import ordinary_user
from shared.embedded.ports import LOOPBACK, free_ports
from shared.embedded.process import LAUNCHER, Child, Program

USER = "tellonce"
DATABASE = "tellonce"
DEFAULT_POSTGRES_PORT = 5432
PROTOCOL_3 = 196_608
INITDB_SECONDS = 120.0
PROBE_SECONDS = 1.0
MAX_CONNECTIONS = 60
UNICODE_BUILTIN_SINCE = 17
LOCK_STATUS_LINE = 8


def dsn_of(port: int) -> str:
    """Where clients connect to the server on `port`."""
    return f"postgresql://{USER}@{LOOPBACK}:{port}/{DATABASE}"


def needs_ordinary_user() -> bool:
    """Whether Postgres or initdb would refuse our own user: root, or an id without a name."""
    if os.geteuid() == 0:
        return True
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        return True
    return False


def create_cluster(folder: Path) -> None:
    """Make a data folder with an empty database, complete or not at all; nothing to do if `folder` exists.

    Raises: BinaryMissing; ProgramNotStarted if initdb refuses or takes longer than INITDB_SECONDS.
    """
    if (folder / "PG_VERSION").exists():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = folder.with_name(folder.name + ".draft")
    shutil.rmtree(draft, ignore_errors=True)
    _make_draft(draft)
    _run_as_postgres([*_initdb_argv(), "-D", str(draft)])
    _run_as_postgres(
        [str(binaries.postgres_folder() / "postgres"), "--single", "-D", str(draft), "postgres"],
        statements=f"CREATE DATABASE {DATABASE};\n",
    )
    draft.rename(folder)


def copy_cluster(template: Path, folder: Path) -> None:
    """Copy the data folder of a server that does not run; the owner stays."""
    shutil.copytree(template, folder, symlinks=True)
    folder.chmod(0o700)
    owner = template.stat()
    if owner.st_uid != folder.stat().st_uid:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def postgres_program(
    folder: Path, port: int, *, log_path: Path | None = None, name: str = "postgres"
) -> Program:
    """The server that keeps its data in `folder`. Raises: BinaryMissing."""
    folder = folder.absolute()
    settings = {
        "listen_addresses": LOOPBACK,
        "port": str(port),
        "unix_socket_directories": "",
        "max_connections": str(MAX_CONNECTIONS),
        "timezone": "UTC",
        "log_timezone": "UTC",
    }
    argv = [str(binaries.postgres_folder() / "postgres"), "-D", str(folder)]
    for key, value in settings.items():
        argv += ["-c", f"{key}={value}"]

    async def ready() -> bool:
        return says_ready(folder) and await answers(dsn_of(port))

    def prepare() -> None:
        create_cluster(folder)
        clear_dead_lock(folder)

    return Program(
        name=name,
        argv=tuple(argv),
        log_path=log_path or folder.with_name(folder.name + ".log"),
        ordinary_user=needs_ordinary_user(),
        before_start=prepare,
        ready=ready,
        stop_signal=signal.SIGINT,
        orphan_signal=signal.SIGINT,
        ready_seconds=30.0,
    )


async def answers(dsn: str) -> bool:
    """Whether a server takes connections there. Raises: AddressInvalid for an unreadable address."""
    parts = urlsplit(dsn)
    if parts.scheme not in {"postgresql", "postgres"} or not parts.hostname:
        raise AddressInvalid(
            "the address of Postgres is not of the form postgresql://user@host:port/name"
        )
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            return await _greets(parts.hostname, parts.port or DEFAULT_POSTGRES_PORT)
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return False


async def _greets(host: str, port: int) -> bool:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        words = f"user\0{USER}\0database\0{DATABASE}\0\0".encode()
        writer.write(struct.pack("!II", len(words) + 8, PROTOCOL_3) + words)
        kind = await reader.readexactly(1)
        if kind == b"R":
            return True
        # An error: "starting up" and "shutting down" are 57P03; any other comes from a server that serves.
        return b"57P03" not in await reader.read(4096)
    finally:
        writer.close()


def says_ready(folder: Path) -> bool:
    """Whether the folder's own postmaster has noted that it takes connections.

    Another server on the same port would answer too, until ours has ended for want of it.
    """
    try:
        lines = (folder / "postmaster.pid").read_text().splitlines()
    except OSError:
        return False
    return len(lines) >= LOCK_STATUS_LINE and lines[LOCK_STATUS_LINE - 1].strip() == "ready"


def clear_dead_lock(folder: Path) -> None:
    """Remove the lock file of a postmaster that is gone, a zombie, or another program by now.

    Postgres itself takes any living process with that id, and a zombie too, for a running server.
    """
    lock = folder / "postmaster.pid"
    try:
        pid = int(lock.read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return
    if not _is_postmaster(pid, folder):
        lock.unlink(missing_ok=True)


def _is_postmaster(pid: int, folder: Path) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return False
    if not Path("/proc/self/stat").exists():
        return True
    try:
        return os.fsencode(folder) in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _make_draft(draft: Path) -> None:
    if os.geteuid() == 0 and not _namespaces_work():
        draft.mkdir(mode=0o700)
        os.chown(draft, *ordinary_user())


def _namespaces_work() -> bool:
    # Asked of a child, because the answer costs the process its user.
    code = "import launch, sys; sys.exit(0 if launch.map_into_namespace(*launch.ordinary_user()) else 1)"
    answer = subprocess.run(
        [sys.executable, "-S", "-c", code],
        env={**os.environ, "PYTHONPATH": str(LAUNCHER.parent)},
        capture_output=True,
        check=False,
        timeout=INITDB_SECONDS,
    )
    return answer.returncode == 0


def _initdb_argv() -> list[str]:
    folder = binaries.postgres_folder()
    argv = [str(folder / "initdb"), "-U", USER, "-A", "trust", "-E", "UTF8"]
    if binaries.version(folder / "postgres")[0] >= UNICODE_BUILTIN_SINCE:
        return [*argv, "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    return [*argv, "--no-locale"]


def _run_as_postgres(argv: list[str], statements: str = "") -> None:
    user = "ordinary" if needs_ordinary_user() else "same"
    start = [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), str(int(signal.SIGKILL))]
    try:
        answer = subprocess.run(
            [*start, user, "--", *argv],
            input=statements,
            capture_output=True,
            check=False,
            text=True,
            timeout=INITDB_SECONDS,
            start_new_session=True,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ProgramNotStarted(program=Path(argv[0]).name) from error
    if answer.returncode != 0:
        said = (answer.stderr or answer.stdout).strip()[-600:]
        raise ProgramNotStarted(f"{Path(argv[0]).name} failed: {said}", exit_code=answer.returncode)


class EmbeddedPostgres:
    """One server with its data in `folder`.

    `async with EmbeddedPostgres(folder) as pg: pg.dsn`; with `template` (a data folder) it is copied instead of made.
    `kill` is signal 9, `restart` keeps port and data.
    """

    def __init__(self, folder: Path, port: int | None = None, template: Path | None = None) -> None:
        self.folder = folder
        self.port = port or free_ports(1)[0]
        self._template = template
        self._child: Child | None = None

    @property
    def dsn(self) -> str:
        """Where clients connect."""
        return dsn_of(self.port)

    @property
    def pid(self) -> int | None:
        """The postmaster's process id; None while it is down."""
        child = self._child
        return child.pid if child is not None and child.exit_code is None else None

    async def start(self) -> None:
        """Start it, made or copied first if needed, and wait until it takes connections. Raises: SetupError."""
        if self._template is not None and not self.folder.exists():
            copy_cluster(self._template, self.folder)
        self._child = await Child.start(postgres_program(self.folder, self.port))
        await self._child.wait_ready()

    async def kill(self) -> None:
        """End the postmaster by signal 9."""
        if self._child is not None:
            await self._child.kill()

    async def stop(self) -> None:
        """End it cleanly; nothing to do if it is down."""
        if self._child is not None:
            await self._child.stop()

    async def restart(self) -> None:
        """Stop it if it runs and start it on the same port and data. Raises: SetupError."""
        await self.stop()
        await self.start()

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.kill()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(ProcessLookupError):
            await self.stop()
