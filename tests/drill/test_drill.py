"""The drill's short form: without a story before it."""

import asyncio
from pathlib import Path

from deploy.embedded.postgres import copy_cluster
from shared.settings import Settings
from tests.drill.lost_and_restored import NEW, OLD, Drill, run


def test_a_lost_stack_goes_on_from_its_backup(tmp_path: Path, postgres_template: Path) -> None:
    """Ledger and rows are the same, deadlines and contacts go on, and who remembers the lost ledger is heard."""
    for name in (OLD, NEW):
        copy_cluster(postgres_template, tmp_path / name / "postgres")
    told: list[str] = []
    drill = Drill.of(
        tmp_path, Path(Settings().policy).read_bytes(), lambda what, *_: told.append(what)
    )
    asyncio.run(run(drill))
    assert drill.wrong == []
    assert told == ["backup", "restore", "project", "start", "deadline"]
