"""`tellonce policy check|diff|apply|explain`: what a policy says, what it changes, and what was decided by it.

Exit codes: 0 good or done, 1 something is wrong or was refused, 2 not reached, or it cannot be read.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from deploy.cli import ask
from deploy.policy import checking, explaining
from shared import errors, subjects

EXIT_WRONG = 1
EXIT_UNREADABLE = 2


def check(chosen: argparse.Namespace) -> int:
    """Print every complaint about a file, or about the files of a folder, and where it stands."""
    path = Path(chosen.file)
    try:
        found = checking.check(path)
    except errors.PolicyInvalid as error:
        print(f"{path}: {error}", file=sys.stderr)
        return EXIT_UNREADABLE
    for name, complaints in found.items():
        shown = path / name if path.is_dir() else path
        for each in complaints:
            about = f"{each.path}: " if each.path else ""
            kind = "" if each.refused else "warning: "
            print(f"{shown}:{each.line}:{each.column}: {kind}{about}{each.text}")
        if not any(each.refused for each in complaints):
            print(f"{shown}: good")
    return EXIT_WRONG if any(each.refused for every in found.values() for each in every) else 0


def explain(chosen: argparse.Namespace) -> int:
    """Print why a matter went as it did; with `--json` all decisions as one object."""
    if not subjects.is_token(chosen.tenant):
        return ask.shown({"error": errors.TenantUnknown(tenant=chosen.tenant).problem()})
    answer = _explanation(chosen)
    if chosen.json or answer is None or "error" in answer:
        return ask.shown(answer)
    for line in explaining.lines(answer["decisions"]):
        print(line)
    return 0


def _explanation(chosen: argparse.Namespace) -> Any:
    """Return the whole answer, of all pages; None when nobody answered."""
    subject, after = subjects.query(chosen.tenant, "explain"), 0
    decisions: list[Any] = []
    while True:
        asked = {"conversation": chosen.conversation, "after": after}
        answer = ask.exchange(chosen, subject, asked)
        if answer is None or "error" in answer:
            return answer
        decisions += answer["decisions"]
        after = answer["next"]
        if after is None:
            return {**answer, "decisions": decisions}
