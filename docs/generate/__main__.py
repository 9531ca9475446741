"""Write the reference pages and the hashes of new golden events: `python -m docs.generate [--check]`.

`--check` compares instead.
"""

import difflib
import sys

from docs.generate.bus_pages import commands_page, queries_page
from docs.generate.channel_page import channels_page
from docs.generate.event_page import events_page
from docs.generate.golden_hashes import HASHES, hashes
from docs.generate.house_pages import (
    ROOT,
    errors_page,
    policy_page,
    settings_page,
    streams_page,
    subjects_page,
)
from docs.generate.metrics_page import metrics_page

FOLDER = ROOT / "docs" / "reference"

PAGES = {
    FOLDER / "events.md": events_page,
    FOLDER / "errors.md": errors_page,
    FOLDER / "subjects.md": subjects_page,
    FOLDER / "streams.md": streams_page,
    FOLDER / "settings.md": settings_page,
    FOLDER / "policy.md": policy_page,
    FOLDER / "metrics.md": metrics_page,
    FOLDER / "commands.md": commands_page,
    FOLDER / "queries.md": queries_page,
    FOLDER / "channels.md": channels_page,
    HASHES: hashes,
}


def main(arguments: list[str]) -> int:
    """Write or compare all pages; 1 if a page is not what the code says."""
    stale = 0
    for path, make in PAGES.items():
        text = make()
        before = path.read_text("utf-8") if path.exists() else ""
        if arguments == ["--check"]:
            if text != before:
                stale = 1
                lines = difflib.unified_diff(
                    before.splitlines(), text.splitlines(), str(path.name), "the code", lineterm=""
                )
                sys.stderr.write("\n".join(lines) + "\nrun `python -m docs.generate`\n")
        elif text != before:
            path.write_text(text, "utf-8")
            sys.stdout.write(f"wrote {path.relative_to(ROOT)}\n")
    return stale


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
