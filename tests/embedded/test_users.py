"""The stack runs as root and as an ordinary user, whether the machine allows namespaces or not."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from deploy.embedded import postgres, process
from deploy.embedded.errors import ProgramNotStarted
from deploy.embedded.process import prepared
from tests.support.servers import EmbeddedPostgres

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65_534
STACK = """
import asyncio, json, sys
from pathlib import Path
from deploy.embedded.stack import EmbeddedStack
from tests.embedded.dummies import dummy_plan

async def main():
    async with EmbeddedStack(dummy_plan(Path(sys.argv[1]))) as stack:
        print(stack.status().as_json())

asyncio.run(main())
"""
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can reach; pytest's own are for their owner only."""
    folder = Path(tempfile.mkdtemp(prefix="tellonce-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@as_root
def test_the_stack_runs_as_an_ordinary_user(open_folder: Path) -> None:
    """Nothing in it needs root: the same stack, with all its processes, as a user who may only read the clone."""
    os.chown(open_folder, NOBODY, NOBODY)
    script = (sys.executable, "-c", STACK, str(open_folder / "data"))
    answer = subprocess.run(
        prepared(script, f"{NOBODY}:{NOBODY}", signal.SIGKILL),
        cwd=open_folder,
        env={
            "PATH": os.defpath,
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "HOME": "/nonexistent",
        },
        capture_output=True,
        check=False,
        text=True,
        timeout=120,
    )
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["state"] == "ready"
    assert (open_folder / "data" / "postgres").stat().st_uid == NOBODY


@as_root
@pytest.mark.parametrize("mode", [0o755, 0o700], ids=["open", "closed"])
async def test_postgres_runs_where_namespaces_are_forbidden(
    open_folder: Path, mode: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As root in a container it runs as nobody, wherever clone and data lie; only its data folder changes hands."""
    monkeypatch.setattr(postgres, "namespaces_work", lambda: False)
    open_folder.chmod(mode)
    async with EmbeddedPostgres(open_folder / "data") as server:
        assert server.pid is not None
        assert Path(f"/proc/{server.pid}").stat().st_uid == NOBODY
        await server.kill()
        await server.restart()
    assert (open_folder / "data").stat().st_uid == NOBODY
    assert open_folder.stat().st_uid == 0
    assert stat.S_IMODE(open_folder.stat().st_mode) == mode


@as_root
@pytest.mark.parametrize("closed", ["binaries", "data"])
def test_a_folder_that_nobody_can_reach_is_named(
    closed: str, open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without namespaces and without the power to pass closed folders, the error says which one is in the way."""
    monkeypatch.setattr(postgres, "namespaces_work", lambda: False)
    monkeypatch.setattr(process, "prepared", prepared_without_powers)
    for folder in (open_folder / "binaries", open_folder / "data"):
        folder.mkdir()
        folder.chmod(0o700 if folder.name == closed else 0o755)
    for program in ("initdb", "postgres"):
        (open_folder / "binaries" / program).write_text(INITDB)
        (open_folder / "binaries" / program).chmod(0o755)
    monkeypatch.setenv("PG_BIN", str(open_folder / "binaries"))
    with pytest.raises(ProgramNotStarted, match="Permission denied") as caught:
        postgres.create_cluster(open_folder / "data" / "postgres")
    assert f"may not enter {open_folder / closed}:" in caught.value.how_to_mend
    assert not (open_folder / "data" / "postgres").exists()


INITDB = """#!/bin/sh
[ "$1" = --version ] && { echo "postgres (PostgreSQL) 18.1"; exit; }
for folder; do :; done
exec ls "$folder"
"""
"""Stands in for initdb and postgres: tells a version, and looks into the folder that stands last."""


def prepared_without_powers(
    argv: Sequence[str], user: str, orphan_signal: signal.Signals
) -> tuple[str, ...]:
    """As `prepared`, by a root who may not pass closed folders either (`docker run --cap-drop ALL`)."""
    drop = (
        "import ctypes, os, sys\n"
        "for power in (1, 2): ctypes.CDLL(None).prctl(24, power, 0, 0, 0)  # PR_CAPBSET_DROP\n"
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    return (sys.executable, "-c", drop, *prepared(argv, user, orphan_signal))


@as_root
async def test_root_keeps_a_data_folder_in_a_closed_place(tmp_path: Path) -> None:
    """With namespaces nothing has to be opened for anybody."""
    if not postgres.namespaces_work():
        pytest.skip("this machine forbids user namespaces")
    tmp_path.chmod(0o700)
    async with EmbeddedPostgres(tmp_path / "data") as server:
        assert server.pid is not None
    assert tmp_path.stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "data").stat().st_uid == os.geteuid()
