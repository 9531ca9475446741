"""The stack runs as root and as an ordinary user, whether the machine allows namespaces or not."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.embedded import postgres
from deploy.embedded.errors import ProgramNotStarted
from deploy.embedded.postgres import EmbeddedPostgres

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


def python_for_all() -> str:
    """An interpreter of our version that an ordinary user may run; skips where there is none."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (os.path.realpath(sys.executable), f"/usr/bin/{version}"):
        tried = subprocess.run(
            [*AS_NOBODY, candidate, "-c", REACHES_ITSELF], capture_output=True, check=False
        )
        if tried.returncode == 0:
            return candidate
    pytest.skip(f"uid {NOBODY} can run no {version}: all lie in a closed folder")


REACHES_ITSELF = "import os, sys; sys.exit(not os.access(sys.executable, os.X_OK))"
AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")


@as_root
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="there is no setpriv")
def test_the_stack_runs_as_an_ordinary_user(open_folder: Path) -> None:
    """Nothing in it needs root: the same stack, with all its processes, as uid 65534."""
    python = python_for_all()
    os.chown(open_folder, NOBODY, NOBODY)
    packages = next(part for part in sys.path if part.endswith("site-packages"))
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "PYTHONPATH": f"{ROOT}:{packages}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": "/nonexistent",
    }
    answer = subprocess.run(
        [*AS_NOBODY, python, "-c", STACK, str(open_folder / "data")],
        cwd=open_folder,
        env=environment,
        capture_output=True,
        check=False,
        text=True,
        timeout=120,
    )
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["state"] == "ready"
    assert (open_folder / "data" / "postgres").stat().st_uid == NOBODY


@as_root
async def test_postgres_runs_where_namespaces_are_forbidden(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As root in a closed container it runs as nobody; its data folder is the only thing that changes hands."""
    monkeypatch.setattr(postgres, "namespaces_work", lambda: False)
    async with EmbeddedPostgres(open_folder / "data") as server:
        assert server.pid is not None
        assert Path(f"/proc/{server.pid}").stat().st_uid == NOBODY
        await server.kill()
        await server.restart()
    assert (open_folder / "data").stat().st_uid == NOBODY
    assert open_folder.stat().st_uid == 0


@as_root
def test_a_folder_that_nobody_can_reach_is_a_clear_error(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without namespaces a data folder in a closed place cannot work; the error says so."""
    monkeypatch.setattr(postgres, "namespaces_work", lambda: False)
    open_folder.chmod(0o700)
    with pytest.raises(ProgramNotStarted, match="Permission denied") as caught:
        postgres.create_cluster(open_folder / "data")
    assert str(open_folder) in caught.value.how_to_mend
    assert not (open_folder / "data").exists()


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
