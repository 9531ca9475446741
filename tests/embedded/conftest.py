"""What the tests of the embedded stack share."""

from pathlib import Path

import pytest

from deploy.embedded.postgres import copy_cluster


@pytest.fixture
def data(tmp_path: Path, postgres_template: Path) -> Path:
    """A data folder with an empty Postgres in it: making one anew takes a second of work for each stack."""
    folder = tmp_path / "data"
    folder.mkdir()
    copy_cluster(postgres_template, folder / "postgres")
    return folder
