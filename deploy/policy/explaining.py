"""The explanation of a matter as lines to read."""

from collections.abc import Iterator, Mapping
from typing import Any

TOLD_APART = frozenset({"rule", "policy_version", "reason", "passed_over"})
"""What of an open part stands in words of its own."""
MARGIN = " " * 6


def lines(decisions: list[Mapping[str, Any]]) -> Iterator[str]:
    """Yield what was decided, by whom, why, and who was left out, decision by decision."""
    for each in decisions:
        yield f"{each['sequence']:>8}  {each['recorded']}  {each['type']}  by {each['actor']}"
        yield MARGIN + each["what"]
        details = ", ".join(_details(each["open"]))
        if details:
            yield MARGIN + details
        yield from (MARGIN + line for line in _reasons(each))


def _details(opened: Mapping[str, Any]) -> Iterator[str]:
    """Yield what an open part says in a word: neither the ids of things nor what stands in words of its own."""
    for name, value in opened.items():
        told = isinstance(value, str | int | float) and not isinstance(value, bool)
        if told and name not in TOLD_APART and not name.endswith(("_id", "sha256")):
            yield f"{name} {value}"


def _reasons(decision: Mapping[str, Any]) -> Iterator[str]:
    if decision["rule"] is not None:
        version = decision["policy_version"] or "-"
        yield f"rule {decision['rule']}, policy {version}{_said(decision['why'])}"
    if decision["reason"] is not None:
        yield f"reason {decision['reason']}{_said(decision['because'])}"
    for each in decision["rejected"]:
        yield f"not {each['agent']}: {each['reason']}{_said(each['words'])}"


def _said(words: str | None) -> str:
    return "" if words is None else f": {words}"
