"""What a data folder remembers is there whole after a power cut, at whatever instant."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.embedded import state
from shared.ledger import identity

LEDGER = "ledger.json"


class Disk:
    """What would be left of a folder after a power cut: names and contents as they were last synced.

    `cut_at`: at which of its syncs the power goes; before it, nothing of that sync is on the disk.
    """

    def __init__(self, folder: Path, cut_at: int) -> None:
        self._folder, self._left = folder, cut_at
        self._contents: dict[int, bytes] = {}
        self._names: dict[str, int] = {}
        for each in folder.iterdir():
            self._sync(each)

    def fsync(self, descriptor: int) -> None:
        """Take the place of `os.fsync`."""
        if self._left == 0:
            raise PowerCut
        self._left -= 1
        synced = os.fstat(descriptor)
        here = {each: each.stat().st_ino for each in self._folder.iterdir()}
        if stat.S_ISDIR(synced.st_mode):
            self._names = {each.name: inode for each, inode in here.items()}
        else:
            (written,) = [each for each, inode in here.items() if inode == synced.st_ino]
            self._contents[synced.st_ino] = written.read_bytes()

    def left(self, name: str) -> bytes:
        """What a file holds when the power is back; nothing of it was synced: empty, as file systems leave it."""
        return self._contents.get(self._names[name], b"")

    def _sync(self, file: Path) -> None:
        self._names[file.name] = inode = file.stat().st_ino
        self._contents[inode] = file.read_bytes()


class PowerCut(BaseException):
    """Nothing after it is done."""


def mark(folder: Path) -> None:
    """Move the mark, as the running stack does."""
    state.write_mark(folder, json.dumps({"position": 2, "sha256": "b"}))


def bootstrapped(folder: Path) -> None:
    """Move the mark, as the bootstrap job does."""
    identity.write_mark(str(folder / LEDGER), identity.Mark(position=2, sha256="b"))


def ports(folder: Path) -> None:
    """Choose the ports."""
    state.choose_ports(folder, {"ingest": 2})


@pytest.mark.parametrize(
    ("name", "write"), [(LEDGER, mark), (LEDGER, bootstrapped), ("ports.json", ports)]
)
@pytest.mark.parametrize("cut_at", [0, 1, 2])
def test_a_power_cut_leaves_the_old_or_the_new_content(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    write: Callable[[Path], None],
    cut_at: int,
) -> None:
    """Never an empty file; and once it was written, the new one."""
    (tmp_path / name).write_bytes(b'{"position":1}')
    disk = Disk(tmp_path, cut_at)
    monkeypatch.setattr(os, "fsync", disk.fsync)
    if cut_at < 2:
        with pytest.raises(PowerCut):
            write(tmp_path)
    else:
        write(tmp_path)
    old, new = b'{"position":1}', (tmp_path / name).read_bytes()
    assert disk.left(name) == (new if cut_at == 2 else old)


def test_a_new_folder_knows_its_layout_after_a_power_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty `layout` would be an older version's, and the folder refused."""
    disk = Disk(tmp_path, cut_at=2)
    monkeypatch.setattr(os, "fsync", disk.fsync)
    state.mark_layout(tmp_path)
    assert disk.left("layout").decode().strip() == state.LAYOUT
