"""What the tests of the embedded stack share."""

from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.cli.main import main
from deploy.embedded.postgres import copy_cluster


@pytest.fixture
def data(tmp_path: Path, postgres_template: Path) -> Path:
    """A data folder with an empty Postgres in it: making one anew takes a second of work for each stack."""
    folder = tmp_path / "data"
    folder.mkdir()
    copy_cluster(postgres_template, folder / "postgres")
    return folder


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run the command in this process: its exit code, standard output and standard error."""

    def run_main(*argv: str) -> tuple[int, str, str]:
        code = main(argv)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run_main
