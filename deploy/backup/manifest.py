"""What a backup says of itself: `manifest.json`, and `SHA256SUMS` of all files, which `sha256sum -c` reads."""

from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from deploy.backup import snapshots
from deploy.backup.errors import BackupDamaged
from shared import files
from shared.codec import UNREADABLE

NAME, SUMS = "manifest.json", "SHA256SUMS"


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A stream in a backup: how much it held, and the size of its file."""

    messages: int
    size_bytes: int


class Follower(msgspec.Struct, frozen=True, kw_only=True):
    """A durable consumer of the ledger, and up to where it had done everything before the ledger was copied."""

    config: dict[str, Any]
    done: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """A backup of one cell.

    `ledger`: its identity; `position` and `sha256`: where it ends, and the hash of the message that stands there.
    `raw`: the last sequence that RAW had given. `streams`: in the order in which they were taken.
    """

    made: datetime
    ledger: str
    position: int
    sha256: str
    raw: int
    streams: dict[str, Held]
    followers: list[Follower]


def finish(folder: Path, manifest: Manifest) -> None:
    """Write what a backup says of itself; all of it is on the disk then. Raises: OSError."""
    files.replace(folder / NAME, msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")
    lines = [f"{snapshots.sha256(folder / name)}  {name}\n" for name in _names(manifest)]
    files.replace(folder / SUMS, "".join(lines).encode())


def checked(folder: Path) -> Manifest:
    """Read a backup whole and return its manifest. Raises: BackupDamaged where a byte is not what was written."""
    try:
        manifest = msgspec.json.decode((folder / NAME).read_bytes(), type=Manifest)
        lines = (folder / SUMS).read_text("utf-8").splitlines()
        wanted = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    except (OSError, *UNREADABLE) as error:
        raise BackupDamaged(file=NAME) from error
    for name in _names(manifest):
        try:
            same = snapshots.sha256(folder / name) == wanted.get(name)
        except OSError as error:
            raise BackupDamaged(file=name) from error
        if not same:
            raise BackupDamaged(file=name)
    return manifest


def _names(manifest: Manifest) -> list[str]:
    """Return the names of all files of a backup but the sums."""
    of_each = (snapshots.ABOUT, snapshots.CONTENT)
    return [NAME, *(f"{stream}/{name}" for stream in manifest.streams for name in of_each)]
