"""Who is told next and who may acknowledge, read from the policy."""

from __future__ import annotations

import pytest

from services.notify.domain.people import escalates_to, may_acknowledge
from services.notify.domain.state import Notification
from shared import policy
from shared.events import NotificationId
from tests.notify.samples import NOW

POLICY = policy.parse(
    b"""
tenant: demo
queues:
  hotline: {title: Hotline, supervisor: zofia}
  returns: {title: Returns, supervisor: jan}
  branch-krakow: {title: Branch}
agents:
  piotr: {name: Piotr, queues: [hotline]}
  jan: {name: Jan, queues: [returns, hotline]}
  zofia: {name: Zofia, queues: [hotline]}
  ewa: {name: Ewa, queues: [branch-krakow]}
accounts: {}
"""
)


@pytest.mark.parametrize(
    ("recipient", "told"),
    [
        ("queue-hotline", "agent-zofia"),
        ("agent-piotr", "agent-zofia"),
        ("agent-jan", "agent-zofia"),
        ("agent-zofia", "agent-zofia"),
        ("queue-branch-krakow", "queue-branch-krakow"),
        ("agent-ewa", "queue-branch-krakow"),
        ("agent-gone", "agent-gone"),
        ("queue-gone", "queue-gone"),
    ],
)
def test_who_is_told_next(recipient: str, told: str) -> None:
    """The supervisor, preferably not the agent herself; without one the queue; a stranger to the policy again."""
    assert escalates_to(POLICY, recipient) == told


@pytest.mark.parametrize(
    ("recipient", "agent", "may"),
    [
        ("queue-hotline", "piotr", True),
        ("queue-hotline", "zofia", True),
        ("queue-hotline", "ewa", False),
        ("agent-piotr", "piotr", True),
        ("agent-piotr", "zofia", True),
        ("agent-piotr", "jan", False),
        ("queue-branch-krakow", "ewa", True),
    ],
)
def test_only_who_was_told_may_acknowledge(recipient: str, agent: str, may: bool) -> None:
    """The recipient, the queue's agents and whoever it would escalate to; nobody else."""
    told = Notification(
        id=NotificationId("n1"),
        reason="new_request",
        recipient=recipient,
        about="e1",
        transport="screen",
        requested=NOW,
    )
    assert may_acknowledge(POLICY, told, agent) is may
