"""Postgres on loopback, stopped by SIGINT; port and data stay over a restart.

The data folder is made by initdb beside its place and renamed: it is there whole or not at all.
"""

import asyncio
import os
import pwd
import shutil
import signal
import stat
import struct
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from deploy.embedded import binaries, errors, launch, ports, process
from shared import files

USER = "tellonce"
DATABASE = "tellonce"
DEFAULT_POSTGRES_PORT = 5432
NOT_POSTGRES = "the address of Postgres is not of the form postgresql://user@host:port/name"
PROTOCOL_3 = 196_608
INITDB_SECONDS = 120.0
PROBE_SECONDS = 1.0
MAX_CONNECTIONS = 60
UNICODE_BUILTIN_SINCE = 17
LOCK_STATUS_LINE = 8


def dsn_of(port: int) -> str:
    """Where clients connect to the server on `port`."""
    return f"postgresql://{USER}@{ports.LOOPBACK}:{port}/{DATABASE}"


def user_for(folder: Path) -> str:
    """As whom (a word of `launch`) Postgres must run on this data folder.

    It refuses root, and initdb an id without a name. A folder that was given to another user, because
    there were no namespaces when it was made, needs that user.
    """
    owner = folder.stat()
    if owner.st_uid != os.geteuid():
        return f"{owner.st_uid}:{owner.st_gid}"
    if os.geteuid() == 0:
        return "ordinary"
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        return "ordinary"
    return process.SAME_USER


def create_cluster(folder: Path) -> None:
    """Make a data folder with an empty database, complete or not at all; nothing to do if `folder` exists.

    Raises: BinaryMissing; ProgramNotStarted if initdb refuses or takes longer than INITDB_SECONDS.
    """
    if (folder / "PG_VERSION").exists():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = folder.with_name(folder.name + ".draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    if os.geteuid() == 0 and not namespaces_work():
        os.chown(draft, *launch.ordinary_user())
    _run_as_postgres([*_initdb_argv(), "-D", str(draft)], draft)
    _run_as_postgres(
        [str(binaries.postgres_folder() / "postgres"), "--single", "-D", str(draft), "template1"],
        draft,
        # The empty database that initdb has made already: to make another takes ten times as long.
        statements=f"ALTER DATABASE postgres RENAME TO {DATABASE};\n",
    )
    draft.rename(folder)
    files.sync_folder(folder.parent)


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
) -> process.Program:
    """The server that keeps its data in `folder`. Raises: BinaryMissing."""
    folder = folder.absolute()
    settings = {
        "listen_addresses": ports.LOOPBACK,
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

    return process.Program(
        name=name,
        argv=tuple(argv),
        log_path=log_path or folder.with_name(folder.name + ".log"),
        user=lambda: user_for(folder),
        before_start=prepare,
        ready=ready,
        stop_signal=signal.SIGINT,
        orphan_signal=signal.SIGINT,
        ready_seconds=30.0,
    )


async def answers(dsn: str) -> bool:
    """Whether a server takes connections there. Raises: AddressInvalid for an unreadable address."""
    host, port = host_and_port(dsn)
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            return await _greets(host, port)
    except (OSError, TimeoutError, asyncio.IncompleteReadError, UnicodeError):
        return False


def host_and_port(dsn: str) -> tuple[str, int]:
    """Return where a server given by its address listens. Raises: AddressInvalid."""
    try:
        parts = urlsplit(dsn)
        host, port = parts.hostname, parts.port or DEFAULT_POSTGRES_PORT
    except ValueError as error:
        raise errors.AddressInvalid(NOT_POSTGRES) from error
    if parts.scheme not in {"postgresql", "postgres"} or not host:
        raise errors.AddressInvalid(NOT_POSTGRES)
    return host, port


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


def namespaces_work() -> bool:
    """Whether a child of ours may have a user namespace (many containers forbid it)."""
    answer = subprocess.run(
        process.prepared([sys.executable, "-I", "-S", "-c", ""], "ordinary", signal.SIGKILL),
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
    # Letters beyond ASCII must have their lower case, as they have in the builtin provider.
    letters = "en_US.UTF-8" if sys.platform == "darwin" else "C.UTF-8"
    return [*argv, "--locale=C", f"--lc-ctype={letters}"]


def _run_as_postgres(argv: list[str], folder: Path, statements: str = "") -> None:
    program = Path(argv[0]).name
    try:
        answer = subprocess.run(
            process.prepared(argv, user_for(folder), signal.SIGKILL),
            input=statements,
            capture_output=True,
            check=False,
            text=True,
            timeout=INITDB_SECONDS,
            start_new_session=True,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise errors.ProgramNotStarted(program=program) from error
    if answer.returncode != 0:
        said = (answer.stderr or answer.stdout).strip()[-600:]
        raise errors.ProgramNotStarted(
            f"{program} failed: {said}",
            mend=_remedy(folder.stat().st_uid, (Path(argv[0]), folder)),
            exit_code=answer.returncode,
        )


def _remedy(user: int, needed: Iterable[Path]) -> str | None:
    """Name the first folder that is closed to the user on the way to the needed files; None if all are open."""
    for folder in (folder for path in needed for folder in reversed(path.parents)):
        found = folder.stat()
        may_enter = stat.S_IXUSR if found.st_uid == user else stat.S_IXOTH
        if user != os.geteuid() and not found.st_mode & may_enter:
            return (
                f"user {user} may not enter {folder}: open it (chmod o+x), or have the clone and the data folder "
                "where every user may enter"
            )
    return None
