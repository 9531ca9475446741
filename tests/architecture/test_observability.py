"""Alerts and dashboards name metrics and labels that there are, and each alert has its runbook."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from docs.generate.house_pages import error_classes, load_everything
from shared import metrics
from shared.metrics import METRICS, Histogram, Metric
from tests.architecture.tree import ROOT, sources

FOLDER = ROOT / "deploy" / "observability"
ALERTS = FOLDER / "alerts.yaml"
RUNBOOKS = ROOT / "docs" / "how-to" / "runbooks.md"
DASHBOARDS = sorted((FOLDER / "dashboards").glob("*.json"))
OF_PROMETHEUS = {
    *("up", "process_start_time_seconds", "process_cpu_seconds_total"),
    *("process_resident_memory_bytes", "process_open_fds"),
}
OF_A_TARGET = {"job", "instance", "le"}
METRIC = re.compile(r"\b((?:tellonce|process)_\w+|up)\b(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"')
BY = re.compile(r"\bby \(([^)]*)\)")
SHOWN_LABEL = re.compile(r"\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}")
CODE = re.compile(r"[a-z_]+\.[a-z_]+\Z")
PROMTOOL = shutil.which("promtool")


def rules() -> list[dict[str, Any]]:
    """Return every alert."""
    (group,) = yaml.safe_load(ALERTS.read_text("utf-8"))["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def expressions() -> Iterator[tuple[str, str, str]]:
    """Yield where an expression stands, the expression, and what is written of its labels."""
    for rule in rules():
        yield rule["alert"], rule["expr"], rule["annotations"]["summary"]
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text("utf-8"))["panels"]:
            for target in panel.get("targets", ()):
                yield f"{path.stem}: {panel['title']}", target["expr"], target["legendFormat"]


def known() -> dict[str, set[str]]:
    """Return the names that can be asked for, each with its labels."""
    names = {name: set[str]() for name in OF_PROMETHEUS}
    for metric in METRICS:
        ends = ("_bucket", "_sum", "_count") if isinstance(metric, Histogram) else ("",)
        names |= {metric.name + end: set(metric.labels) for end in ends}
    return names


@pytest.mark.parametrize(
    ("expression", "written"),
    [each[1:] for each in expressions()],
    ids=[each[0] for each in expressions()],
)
def test_an_expression_names_metrics_and_labels_that_there_are(
    expression: str, written: str
) -> None:
    """A renamed metric would leave an alert that never fires and a panel that is empty."""
    names, labels = known(), set[str]()
    asked = METRIC.findall(expression)
    assert asked, expression
    for name, matchers in asked:
        assert name in names, f"no metric {name}"
        labels |= names[name] | OF_A_TARGET
        for label, _ in MATCHER.findall(matchers):
            assert label in names[name] | OF_A_TARGET, f"{name} has no label {label}"
    kept = {label for by in BY.findall(expression) for label in by.replace(" ", "").split(",")}
    assert kept <= labels
    shown = set(SHOWN_LABEL.findall(written)) - {"value"}
    assert shown <= (kept or labels), f"{shown - (kept or labels)} is not left by the expression"


def test_every_metric_is_measured_somewhere() -> None:
    """One that nobody sets would be asked for in vain."""
    read = "\n".join(source.text for source in sources("services", "shared"))
    unused = [
        name
        for name, value in vars(metrics).items()
        if isinstance(value, Metric)
        and not re.search(rf"\b{name}\.(add|set|replace|observe)\(", read)
    ]
    assert not unused, f"count by these or take them out: {unused}"


def test_a_code_that_is_asked_for_is_one() -> None:
    """An alert on a code that nobody raises would stay silent; an event's type has its own table."""
    load_everything()
    codes = {kind.code for kind in error_classes()}
    asked = {
        value
        for _, expression, _ in expressions()
        for label, values in MATCHER.findall(expression)
        if label in {"code", "outcome"}
        for value in values.split("|")
        if CODE.match(value)
    }
    assert asked
    assert asked <= codes


def test_every_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    """Whoever is called at night reads what it means, where to look and what to do."""
    text = RUNBOOKS.read_text("utf-8")
    sections = dict(part.split("\n", 1) for part in text.split("\n## ")[1:])
    assert {rule["alert"] for rule in rules()} == sections.keys()
    for rule in rules():
        assert (
            rule["annotations"]["runbook_url"] == f"docs/how-to/runbooks.md#{rule['alert'].lower()}"
        )
        assert rule["labels"]["severity"] in {"page", "ticket"}
    for section in sections.values():
        for said in ("You see", "It means", "Look at", "Do"):
            assert f"- **{said}:** " in section


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_can_be_imported_anywhere(path: Path) -> None:
    """It names no server of ours: the source is chosen; no two panels have one title or one place."""
    board = json.loads(path.read_text("utf-8"))
    (source,) = board["templating"]["list"]
    assert (source["name"], source["type"]) == ("source", "datasource")
    panels = [panel for panel in board["panels"] if panel["type"] != "row"]
    assert {panel["datasource"]["uid"] for panel in panels} == {"${source}"}
    assert len({panel["title"] for panel in panels}) == len(panels)
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]}
    assert len(places) == len(board["panels"])


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")
def test_prometheus_itself_reads_the_rules() -> None:
    """Its own checker finds no fault in them."""
    checked = subprocess.run(
        [PROMTOOL or "", "check", "rules", str(ALERTS)], capture_output=True, check=False, text=True
    )
    assert checked.returncode == 0, checked.stderr
