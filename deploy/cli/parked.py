"""`tellonce parked list|retry|skip|reject`: what waits for an operator, by the query and the commands on the bus.

Exit codes: 0 done, 1 refused, 2 not reached.
"""

import argparse
import sys
from typing import Any

from deploy.cli import ask
from shared import parked_ids, subjects


def listed(chosen: argparse.Namespace) -> int:
    """Print what is parked, one line each; with `--json` the query's first page as it is."""
    if chosen.json:
        return ask.shown(_parked(chosen))
    lines, refusal = _all_parked(chosen)
    if lines is None:
        return ask.shown(refusal)
    print(f"{len(lines)} parked")
    for line in lines:
        what = line["type"] or "work"
        place = f"{line['stream']} {line['position']}"
        print(f"  {line['parked_id']}  {what}  {line['error']}  {place}  {line['parked']}")
    return 0


def retried(chosen: argparse.Namespace) -> int:
    """Have each handled again, in order; stop at the first that fails, for what comes after it may depend on it.

    Without ids all that failed: what could not be read is not read again.
    """
    return _each(chosen, "retry_parked", {}, unread=False)


def skipped(chosen: argparse.Namespace) -> int:
    """Give each up; all that could not be read with `--unread`."""
    return _each(chosen, "skip_parked", {"reason": chosen.reason}, unread=True)


def rejected(chosen: argparse.Namespace) -> int:
    """Have readers pass over what stands in the ledger and is no event of ours."""
    body = {
        **ask.envelope(),
        "sequence": chosen.sequence,
        "sha256": chosen.sha256,
        "reason": chosen.reason,
    }
    return ask.shown(ask.exchange(chosen, subjects.command(chosen.tenant, "reject_entry"), body))


def _each(chosen: argparse.Namespace, verb: str, given: dict[str, Any], *, unread: bool) -> int:
    """Give a command about each id; where none is named, about all that could not be read, or about all others."""
    named: list[str] | None = chosen.id
    if not named:
        lines, refusal = _all_parked(chosen)
        if lines is None:
            return ask.shown(refusal)
        names = [each["parked_id"] for each in sorted(lines, key=lambda each: each["sequence"])]
        named = [each for each in names if (parked_ids.unread_at(each) is not None) == unread]
        print(f"{len(named)} of {len(lines)} parked", file=sys.stderr)
    for parked_id in named:
        body = {**ask.envelope(), "parked_id": parked_id, **given}
        code = ask.shown(ask.exchange(chosen, subjects.command(chosen.tenant, verb), body))
        if code:
            return code
    return 0


def _all_parked(chosen: argparse.Namespace) -> tuple[list[Any] | None, Any]:
    """Return every line, page by page; without an answer none, and what came instead."""
    lines: list[Any] = []
    after = None
    while True:
        answer = _parked(chosen, **({"after": after} if after else {}))
        if answer is None or "error" in answer:
            return None, answer
        lines += answer["parked"]
        after = answer["next"]
        if after is None:
            return lines, None


def _parked(chosen: argparse.Namespace, **asked: str) -> Any:
    return ask.exchange(chosen, subjects.query(chosen.tenant, "parked"), asked)
