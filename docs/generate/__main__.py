"""Write the reference pages, the schemas and the hashes of new golden events: `python -m docs.generate [--check]`.

`--check` compares instead.
"""

import difflib
import sys
from pathlib import Path

from docs.generate.asyncapi import document
from docs.generate.bus_pages import commands_page, queries_page
from docs.generate.channel_page import channels_page
from docs.generate.event_page import events_page
from docs.generate.golden_hashes import HASHES, hashes
from docs.generate.house_pages import (
    ROOT,
    errors_page,
    policy_page,
    rights_page,
    settings_page,
    streams_page,
    subjects_page,
)
from docs.generate.metrics_page import metrics_page
from docs.generate.policy_schema import policy_schema
from docs.generate.schemas import schemas, written

FOLDER = ROOT / "docs" / "reference"
SCHEMAS = FOLDER / "schemas"

PAGES = {
    FOLDER / "events.md": events_page,
    FOLDER / "errors.md": errors_page,
    FOLDER / "subjects.md": subjects_page,
    FOLDER / "streams.md": streams_page,
    FOLDER / "rights.md": rights_page,
    FOLDER / "settings.md": settings_page,
    FOLDER / "policy.md": policy_page,
    FOLDER / "metrics.md": metrics_page,
    FOLDER / "commands.md": commands_page,
    FOLDER / "queries.md": queries_page,
    FOLDER / "channels.md": channels_page,
    HASHES: hashes,
}


def everything() -> dict[Path, str]:
    """Return every file as the code says that it is; a file that no code stands behind is empty, and goes."""
    made = {SCHEMAS / name: written(schema) + "\n" for name, schema in schemas().items()}
    made[FOLDER / "policy.schema.json"] = written(policy_schema()) + "\n"
    made[FOLDER / "asyncapi.json"] = written(document()) + "\n"
    left = dict.fromkeys(set(SCHEMAS.rglob("*.json")) - made.keys(), "")
    return {**{path: make() for path, make in PAGES.items()}, **made, **left}


def main(arguments: list[str]) -> int:
    """Write or compare all files; 1 if one is not what the code says."""
    changed = {path: text for path, text in everything().items() if text != _before(path)}
    if arguments == ["--check"]:
        for path, text in changed.items():
            sys.stderr.write(_difference(path, text))
        return 1 if changed else 0
    for path, text in changed.items():
        _put(path, text)
    return 0


def _before(path: Path) -> str:
    return path.read_text("utf-8") if path.exists() else ""


def _difference(path: Path, text: str) -> str:
    before, after = _before(path).splitlines(), text.splitlines()
    lines = difflib.unified_diff(before, after, path.name, "the code", lineterm="")
    return "\n".join(lines) + "\nrun `python -m docs.generate`\n"


def _put(path: Path, text: str) -> None:
    if text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    else:
        path.unlink()
    sys.stdout.write(f"{'wrote' if text else 'removed'} {path.relative_to(ROOT)}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
