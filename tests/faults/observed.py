"""What a run saw: what was done to it, what was acknowledged to customers and agents, and what stood at the end."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from deploy.story.providers.mail_sink import Mail
from services.router.tolerant_codec import is_unreadable
from shared.events import CallStarted, FormSubmitted, MessageReceived
from shared.ledger import Recorded
from shared.policy import Policy


@dataclass(frozen=True, slots=True)
class Done:
    """A fault that was done. `shown`: what shows that it was, or why nothing does; `bitten`: whether it was seen."""

    fault: str
    began: datetime
    shown: str
    bitten: bool


@dataclass(frozen=True, slots=True)
class Recovery:
    """How long something took from a fault, or its end. `what`: the fault and what took so long; `None` for never."""

    what: str
    seconds: float | None
    bound_seconds: float


@dataclass
class Observed:
    """One run.

    `done`: the faults, in order; `acknowledged`: markers of the deliveries that a door answered with 2xx, and when;
    `replies`: of commands that were done; `followed`: ids by ledger sequence, as they were read while faults went on;
    `ends`: the ledger's last sequence, as often as it was asked; `wrong`: what a fault met that must not be;
    `recorded`: the whole ledger at the end; `timelines`: sequences by conversation; `overlooked`: requests that nobody
    was told of; `rested`: when nothing was left to do: a timer that fires later may set something under way.
    """

    seed: int
    policy: Policy
    rested: datetime | None = None
    done: list[Done] = field(default_factory=list)
    acknowledged: dict[str, datetime] = field(default_factory=dict)
    replies: list[dict[str, Any]] = field(default_factory=list)
    followed: dict[int, str] = field(default_factory=dict)
    ends: list[int] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    recoveries: list[Recovery] = field(default_factory=list)
    recorded: Sequence[Recorded] = ()
    timelines: Mapping[str, list[int]] = field(default_factory=dict)
    position: int = 0
    live_digest: str = ""
    rebuilt_digest: str = ""
    balance: Mapping[str, int] = field(default_factory=dict)
    proved: Mapping[str, int] = field(default_factory=dict)
    overlooked: Sequence[str] = ()
    mails: Sequence[Mail] = ()

    def after(self, moment: datetime) -> str:
        """Return what had been done last at a moment, in words that name it."""
        before = [each.fault for each in self.done if each.began <= moment]
        return f"after '{before[-1]}'" if before else "before any fault"

    def may_be_under_way(self, asked: datetime) -> bool:
        """Tell whether what was asked for then may have no end yet."""
        return self.rested is not None and asked > self.rested

    def readable(self) -> list[Recorded]:
        """Return the events of the ledger without what is foreign in it."""
        return [each for each in self.recorded if not is_unreadable(each.event)]

    def words(self) -> Iterator[tuple[Recorded, str]]:
        """Yield each event that holds a customer's words, with them, and of a call its beginning, with its id."""
        for each in self.readable():
            event = each.event
            if isinstance(event, FormSubmitted | MessageReceived) and event.personal is not None:
                yield each, event.personal.text
            elif isinstance(event, CallStarted):
                yield each, event.open.provider_id

    def forget_answers(self) -> None:
        """Forget what was answered of a ledger in whose place an operator has adopted another one."""
        self.replies.clear()
        self.followed.clear()
        self.ends.clear()
