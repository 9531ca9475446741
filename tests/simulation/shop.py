"""The shop that is simulated: its queues, its twelve agents in shifts, and how its people behave."""

from dataclasses import dataclass
from datetime import timedelta

import yaml

from shared import policy
from shared.policy import Policy
from tests.router.samples import POLICY_TEXT

HOTLINE, WAREHOUSE = "hotline", "warehouse"
EARLY, LATE = (8, 16), (12, 20)
"""From which hour until which."""
OFFER_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Worker:
    """An agent: where she works, when, and on which days of the week she is free (Monday is 0)."""

    name: str
    queue: str
    shift: tuple[int, int]
    free: tuple[int, int]
    slots: int = 3


def workers() -> list[Worker]:
    """Return twelve: eight of the hotline and four of the warehouse, half of them early, each two days off."""
    return [
        Worker(
            name=f"a{number:02}",
            queue=HOTLINE if number < 8 else WAREHOUSE,
            shift=EARLY if number % 2 else LATE,
            free=(number % 7, (number + 1) % 7),
        )
        for number in range(12)
    ]


def the_policy(everybody: list[Worker]) -> Policy:
    """Return the policy of the router's tests with these agents."""
    stated = yaml.safe_load(POLICY_TEXT)
    stated["agents"] = {
        each.name: {
            "name": each.name.title(),
            "queues": [each.queue],
            "teams": [each.queue],
            "slots": each.slots,
        }
        for each in everybody
    }
    for queue in stated["queues"].values():
        queue["supervisor"] = everybody[0].name
    stated["times"]["offer_seconds"] = OFFER_SECONDS
    return policy.parse(yaml.safe_dump(stated).encode())


@dataclass(frozen=True, slots=True)
class Habits:
    """How people behave: means of times, and parts of all. Assumptions, chosen so that every way through is taken."""

    patience: timedelta = timedelta(seconds=180)
    talk: timedelta = timedelta(seconds=240)
    writing: timedelta = timedelta(seconds=420)
    answering: timedelta = timedelta(seconds=6)
    writes_again: float = 0.35
    missed: float = 0.03
    refuses: float = 0.04
    ignores: float = 0.04
    transfers: float = 0.10
    promises: float = 0.15
    pauses: float = 0.02
    told_twice: float = 0.10
