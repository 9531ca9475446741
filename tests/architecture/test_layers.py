"""Every module of every service has its layer, and a module that knows a higher one is found."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.architecture.tree import PRODUCT, ROOT

LINT_SECONDS = 60
UPWARDS = {
    "services/router/cases.py": "services.router.dispatcher",
    "services/history/sql.py": "services.history.projector",
    "services/notify/notifying.py": "services.notify.sending",
    "services/ingest/domain/fates.py": "services.ingest.channels",
}
"""A module of each service, and one of its own service that it must not know."""


def services() -> list[str]:
    """Return the services by name."""
    return sorted(path.parent.name for path in (ROOT / "services").glob("*/__init__.py"))


def contracts() -> list[dict[str, Any]]:
    """Return the import contracts of pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    found: list[dict[str, Any]] = project["tool"]["importlinter"]["contracts"]
    return found


@pytest.mark.parametrize("service", services())
def test_every_module_of_a_service_has_its_layer(service: str) -> None:
    """`exhaustive` has `make check` refuse a module without one; a service without such a contract has none."""
    (own,) = [
        each
        for each in contracts()
        if each["type"] == "layers" and each["containers"] == [f"services.{service}"]
    ]
    assert own["exhaustive"]
    assert "exhaustive_ignores" not in own
    assert not [layer for layer in own["layers"] if "(" in layer], "an optional layer may be gone"


def test_an_import_upwards_and_a_module_without_a_layer_are_found(tmp_path: Path) -> None:
    """Both are put into a copy of the code: the contracts can fail."""
    for name in PRODUCT:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    assert _complaints(tmp_path) == ""
    for name, above in UPWARDS.items():
        with (tmp_path / name).open("a") as file:
            file.write(f"\nimport {above}\n")
    (tmp_path / "services" / "router" / "homeless.py").touch()
    complaints = _complaints(tmp_path)
    for name, above in UPWARDS.items():
        module = name.removesuffix(".py").replace("/", ".")
        assert f"{module} -> {above}" in complaints
    assert "services.router.homeless" in complaints


def _complaints(folder: Path) -> str:
    """Return what the import contracts say of the code in a folder; nothing when they are kept."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "200"},
        capture_output=True,
        check=False,
        text=True,
        timeout=LINT_SECONDS,
    )
    return done.stdout if done.returncode else ""
