"""`tellonce policy explain`: what an operator reads of a matter's decisions."""

import json
from collections.abc import Callable

import pytest

from tests.embedded.responder import Responder

OFFERED = {
    "sequence": 7,
    "recorded": "2026-11-02T09:30:00Z",
    "type": "contact.offered",
    "what": "One agent is asked to take the contact.",
    "actor": "rule:dispatch@v1",
    "rule": "dispatch.longest_idle",
    "why": "she was idle longest",
    "policy_version": "v1",
    "reason": None,
    "because": None,
    "rejected": [{"agent": "ewa", "reason": "busy", "words": "all her slots were taken"}],
    "open": {"offer_id": "o1", "agent": "piotr", "queue": "hotline", "rule": "x"},
}
GONE = {
    **OFFERED,
    "sequence": 9,
    "rule": None,
    "actor": "agent:piotr",
    "reason": "of_tomorrow",
    "rejected": [],
}


def page(following: int | None, *lines: dict[str, object]) -> bytes:
    return json.dumps({"position": 9, "next": following, "decisions": lines}).encode()


def test_every_decision_is_told_with_its_reasons(
    nats_url: str, run: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was decided, by whom, by which rule of which policy, and who was not chosen; page after page."""
    monkeypatch.setenv("TELLONCE_NATS_URL", nats_url)
    pages: list[bytes | None] = [page(7, OFFERED), page(None, GONE)]
    with Responder(nats_url, "query.demo.explain", pages * 2) as responder:
        code, out, _ = run("policy", "explain", "conv1")
        whole = json.loads(run("policy", "explain", "conv1", "--json")[1])
    assert code == 0
    assert [each["after"] for each in responder.asked] == [0, 7] * 2
    assert whole["decisions"] == [OFFERED, GONE]
    assert [line.strip() for line in out.splitlines()] == [
        "7  2026-11-02T09:30:00Z  contact.offered  by rule:dispatch@v1",
        "One agent is asked to take the contact.",
        "agent piotr, queue hotline",
        "rule dispatch.longest_idle, policy v1: she was idle longest",
        "not ewa: busy: all her slots were taken",
        "9  2026-11-02T09:30:00Z  contact.offered  by agent:piotr",
        "One agent is asked to take the contact.",
        "agent piotr, queue hotline",
        "reason of_tomorrow",
    ]
