"""Who is told next, how, and who may acknowledge, read from the policy."""

import pytest

from services.notify.domain.people import (
    check_transports,
    escalates_to,
    may_acknowledge,
    transports_of,
)
from services.notify.domain.state import Notification
from shared import policy
from shared.errors import PolicyInvalid
from shared.events import NotificationId
from tests.notify.samples import NOW

POLICY = policy.parse(
    b"""
tenant: demo
queues:
  hotline: {title: Hotline, supervisor: zofia}
  returns: {title: Returns, supervisor: jan}
  branch-krakow: {title: Branch, transports: [bell, screen, bell]}
transports: [screen, push]
agents:
  piotr: {name: Piotr, queues: [hotline]}
  jan: {name: Jan, queues: [returns, hotline]}
  zofia: {name: Zofia, queues: [hotline]}
  ewa: {name: Ewa, queues: [branch-krakow], transports: [sms]}
accounts: {}
"""
)


@pytest.mark.parametrize(
    ("recipient", "told"),
    [
        ("queue-hotline", "agent-zofia"),
        ("agent-piotr", "agent-zofia"),
        ("agent-jan", "agent-zofia"),
        ("agent-zofia", "queue-hotline"),
        ("queue-branch-krakow", "queue-branch-krakow"),
        ("agent-ewa", "queue-branch-krakow"),
        ("agent-gone", "agent-gone"),
        ("queue-gone", "queue-gone"),
    ],
)
def test_who_is_told_next(recipient: str, told: str) -> None:
    """The supervisor, never the agent herself; without one the queue; a stranger to the policy again."""
    assert escalates_to(POLICY, recipient) == told


@pytest.mark.parametrize(
    ("recipient", "there", "told"),
    [
        ("queue-hotline", {"zofia", "piotr"}, "agent-zofia"),
        ("queue-hotline", {"piotr"}, "queue-hotline"),
        ("agent-jan", {"ewa"}, "agent-zofia"),
        ("agent-zofia", {"jan"}, "queue-hotline"),
    ],
)
def test_who_is_there_is_told_before_who_is_not(recipient: str, there: set[str], told: str) -> None:
    """A supervisor who has gone home sees nothing; where nobody is there, the next in line is told all the same."""
    assert escalates_to(POLICY, recipient, there) == told


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
        ("agent-zofia", "jan", True),
    ],
)
def test_only_who_was_told_may_acknowledge(recipient: str, agent: str, may: bool) -> None:
    """The recipient, the queue's agents and whoever it would escalate to; nobody else."""
    told = Notification(
        id=NotificationId("n1"),
        reason="new_request",
        recipient=recipient,
        about="e1",
        transports=("screen",),
        requested=NOW,
    )
    assert may_acknowledge(POLICY, told, agent) is may


@pytest.mark.parametrize(
    ("recipient", "transports"),
    [
        ("agent-ewa", ["sms"]),
        ("queue-branch-krakow", ["bell", "screen"]),
        ("agent-piotr", ["screen", "push"]),
        ("queue-hotline", ["screen", "push"]),
        ("agent-gone", ["screen", "push"]),
    ],
)
def test_by_which_transports_somebody_is_told(recipient: str, transports: list[str]) -> None:
    """Her own or the queue's, each once; who has none of her own is told as the tenant says."""
    assert transports_of(POLICY, recipient) == transports


@pytest.mark.parametrize(
    ("who", "transport"),
    [("tenant", "push"), ("agent-ewa", "sms"), ("queue-branch-krakow", "bell")],
)
def test_a_transport_that_is_not_there_is_refused(who: str, transport: str) -> None:
    """Whoever would never be told is named when notify starts, and not when it matters."""
    known = {"screen", "push", "bell", "sms"}
    check_transports(POLICY, known)
    with pytest.raises(PolicyInvalid) as refused:
        check_transports(POLICY, known - {transport})
    assert refused.value.details == {"who": who, "transport": transport}
