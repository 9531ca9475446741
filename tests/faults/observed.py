"""What a run saw: what was acknowledged to customers and agents, and what stood where at the end."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from deploy.story.providers.mail_sink import Mail
from services.router.tolerant_codec import is_unreadable
from shared.events import FormSubmitted, MessageReceived
from shared.ledger import Recorded
from shared.policy import Policy


@dataclass(frozen=True, slots=True)
class Recovery:
    """How long it took from a fault, or its end, until a new delivery was decided. `seconds`: `None` for never."""

    fault: str
    seconds: float | None
    bound_seconds: float


@dataclass
class Observed:
    """One run.

    `acknowledged`: markers of the deliveries that a door answered with 2xx; `replies`: of commands that were done;
    `followed`: ids by ledger sequence, as they were read while faults went on; `ends`: the ledger's last sequence, as
    often as it was asked; `recorded`: the whole ledger at the end; `timelines`: sequences by conversation;
    `overlooked`: requests that nobody was told of.
    """

    seed: int
    policy: Policy
    acknowledged: set[str] = field(default_factory=set)
    replies: list[dict[str, Any]] = field(default_factory=list)
    followed: dict[int, str] = field(default_factory=dict)
    ends: list[int] = field(default_factory=list)
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

    def readable(self) -> list[Recorded]:
        """Return the events of the ledger without what is foreign in it."""
        return [each for each in self.recorded if not is_unreadable(each.event)]

    def said(self) -> Iterator[str]:
        """Yield the customers' words, once for each event that holds them."""
        for each in self.readable():
            event = each.event
            if isinstance(event, FormSubmitted | MessageReceived) and event.personal is not None:
                yield event.personal.text
