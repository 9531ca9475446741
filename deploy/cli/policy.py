"""`tellonce policy check|diff|apply|explain`: what a policy says, what it changes, and what was decided by it.

Exit codes: 0 good or done, 1 something is wrong or was refused, 2 not reached, or it cannot be read.
"""

import argparse
from typing import Any

from deploy.cli import ask
from deploy.policy import explaining
from shared import errors, subjects


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
