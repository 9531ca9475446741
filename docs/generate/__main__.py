"""Write the reference pages, or with `--check` compare them: `python -m docs.generate [--check]`."""

import difflib
import sys

from docs.generate.bus_pages import commands_page, queries_page
from docs.generate.channel_page import channels_page
from docs.generate.event_page import events_page
from docs.generate.house_pages import ROOT, errors_page, settings_page, streams_page, subjects_page

FOLDER = ROOT / "docs" / "reference"

PAGES = {
    "events": events_page,
    "errors": errors_page,
    "subjects": subjects_page,
    "streams": streams_page,
    "settings": settings_page,
    "commands": commands_page,
    "queries": queries_page,
    "channels": channels_page,
}


def main(arguments: list[str]) -> int:
    """Write or compare all pages; 1 if a page is not what the code says."""
    stale = 0
    for name, make in PAGES.items():
        path, text = FOLDER / f"{name}.md", make()
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
