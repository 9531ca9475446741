"""A kill changed nothing, left a mail in doubt, or changed something: each is told from the report alone."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.soak.verdicts import CHANGED, DOUBT, SAME, told, verdict
from tests.stories.played import Played

MAIL = {"to": ["anna@mail.example"], "title": "Your parcel", "count": 1}
REPORT: dict[str, Any] = {
    "steps": [{"n": n, "ok": True, "code": None} for n in (1, 2, 3)],
    "expectations": [
        {"n": 1, "kind": "timeline", "ok": True, "wanted": {}},
        {"n": 2, "kind": "mail", "ok": True, "wanted": {}},
        {"n": 3, "kind": "owner", "ok": True, "wanted": {}},
    ],
    "facts": {"stated": 1},
    "packets": [{"to": "ewa", "facts": 1, "missing": []}],
    "mails": [MAIL],
    "messages": {"sent": 1, "failed": 0, "uncertain": 0},
    "repeats": 0,
    "digests": {"live": "a", "rebuilt": "a"},
    "balance": {"received": 2, "accepted": 2, "duplicate": 0, "ignored": 0, "quarantined": 0},
}


def fail(report: dict[str, Any], n: int, code: str, wanted: Any) -> None:
    report["steps"][n - 1].update(ok=False, code=code)
    report["expectations"][n - 1].update(ok=False, wanted=wanted)


def in_doubt(report: dict[str, Any]) -> None:
    """The kill fell between intent and answer, and the server never got the dot."""
    report["messages"] = {"sent": 0, "failed": 0, "uncertain": 1}
    report["mails"] = []
    fail(report, 1, "expect.timeline_lacks", ["message.sent"])
    fail(report, 2, "expect.mail", {})


def in_doubt_and_arrived(report: dict[str, Any]) -> None:
    in_doubt(report)
    report["mails"] = [MAIL]
    report["steps"][1].update(ok=True, code=None)


def of(*changes: Callable[[dict[str, Any]], object], exit_code: int | None = None) -> str:
    """The verdict on a run whose report was changed so."""
    undisturbed = told(Played(0, "", REPORT))
    report = copy.deepcopy(REPORT)
    for change in changes:
        change(report)
    failed = any(step["code"] for step in report["steps"])
    return verdict(Played(int(failed) if exit_code is None else exit_code, "", report), undisturbed)


def more_deliveries(report: dict[str, Any]) -> None:
    report["balance"].update(received=3, duplicate=1)
    report["digests"] = {"live": "b", "rebuilt": "b"}


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "a fact": lambda report: report["facts"].update(stated=2),
    "a packet": lambda report: report["packets"][0].update(facts=0),
    "a packet's lack": lambda report: report["packets"][0].update(missing=["locker"]),
    "repetitions": lambda report: report.update(repeats=1),
    "the rebuild": lambda report: report["digests"].update(rebuilt="b"),
    "the balance": lambda report: report["balance"].update(accepted=1),
    "a mail too many": lambda report: report.update(mails=[{**MAIL, "count": 2}]),
    "a mail of another title": lambda report: report.update(mails=[{**MAIL, "title": "Hello"}]),
    "a message that failed": lambda report: report["messages"].update(failed=1),
    "an expectation": lambda report: fail(report, 3, "expect.owner", "ewa"),
    "a step": lambda report: report["steps"].append({"n": 4, "code": "step.refused"}),
}


def test_deliveries_may_come_again() -> None:
    """Ids, times and the provider's second tries are no change."""
    assert of(more_deliveries) == SAME


@pytest.mark.parametrize("doubt", [in_doubt, in_doubt_and_arrived])
def test_a_mail_whose_fate_nobody_knows_is_counted_apart(
    doubt: Callable[[dict[str, Any]], object],
) -> None:
    """It stands as uncertain in the ledger, whether it arrived or not."""
    assert of(doubt) == DOUBT
    assert of(doubt, more_deliveries) == DOUBT


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_anything_else_is_a_change_also_beside_a_doubt(
    change: Callable[[dict[str, Any]], object],
) -> None:
    """A doubt excuses nothing but itself."""
    assert of(change) == CHANGED
    assert of(in_doubt, change) == CHANGED


def test_a_lost_mail_is_no_doubt() -> None:
    """Only the ledger's word makes one: a mail that stands as sent has arrived."""
    assert of(lambda report: report.update(mails=[])) == CHANGED
    assert of(lambda report: fail(report, 2, "expect.mail", {})) == CHANGED


def test_a_player_that_gave_up_is_a_change() -> None:
    """Without a report nothing can be the same."""
    assert of(exit_code=2) == CHANGED
    lost = Played(2, "", {"steps": [], "packets": []})
    assert verdict(lost, told(Played(0, "", REPORT))) == CHANGED
