"""Whether a run with a kill ended as the one that nobody disturbed."""

from typing import Any

from tests.stories.played import Played

SAME, DOUBT, CHANGED = "same", "uncertain", "CHANGED"
OF_A_MAIL = frozenset({"failures", "mails", "messages"})
"""The parts of `told` in which a mail of uncertain fate shows."""


def told(played: Played) -> dict[str, Any]:
    """Return what must be the same with a kill and without: ids, times, repeated offers and deliveries may differ."""
    report = played.report
    digests, balance = report.get("digests", {}), report.get("balance", {})
    return {
        "finished": played.exit_code in (0, 1),
        "failures": _failures(played),
        "facts": report.get("facts"),
        "in_packets": played.latest_facts,
        "missing": [packet["missing"] for packet in report["packets"] if packet["missing"]],
        "mails": {(*mail["to"], mail["title"]): mail["count"] for mail in report.get("mails", [])},
        "messages": report.get("messages"),
        "repeats": report.get("repeats"),
        "rebuild_agrees": bool(digests) and digests["live"] == digests["rebuilt"],
        "balance": {name: balance.get(name) for name in ("accepted", "ignored", "quarantined")},
    }


def _failures(played: Played) -> list[dict[str, Any]]:
    """Return each step that failed and, if it was an expectation, what it wanted."""
    wanted = {each["n"]: each["wanted"] for each in played.report.get("expectations", [])}
    failed = [step for step in played.report["steps"] if step["code"]]
    return [{"code": step["code"], "wanted": wanted.get(step["n"])} for step in failed]


def verdict(played: Played, undisturbed: dict[str, Any]) -> str:
    """Say whether a kill changed anything.

    A mail whose hand-over it hit may stand as uncertain (ADR 0014). Then the mail may be lacking, and so may its
    `message.sent`; all the rest must be the same.
    """
    found = told(played)
    differing = {part for part in found if found[part] != undisturbed[part]}
    if not differing:
        return SAME
    return DOUBT if differing <= OF_A_MAIL and _in_doubt(found, undisturbed) else CHANGED


def _in_doubt(found: dict[str, Any], undisturbed: dict[str, Any]) -> bool:
    """Tell whether messages that LEDGER has as uncertain explain all that differs."""
    now, before = found["messages"], undisturbed["messages"]
    uncertain = now["uncertain"]
    lacking = {
        title: count - found["mails"].get(title, 0) for title, count in undisturbed["mails"].items()
    }
    return (
        uncertain > 0
        and now == {**before, "sent": before["sent"] - uncertain, "uncertain": uncertain}
        and found["mails"].keys() <= undisturbed["mails"].keys()
        and all(count >= 0 for count in lacking.values())
        and sum(lacking.values()) <= uncertain
        and all(_of_a_mail(failure) for failure in found["failures"])
    )


def _of_a_mail(failure: dict[str, Any]) -> bool:
    """The two looks at a mail in doubt: it is not in the box, and `message.sent` is not in the timeline."""
    unsent = {"code": "expect.timeline_lacks", "wanted": ["message.sent"]}
    return failure["code"] == "expect.mail" or failure == unsent
