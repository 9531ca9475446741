"""The floor of the shop: what its ledger and its screens say, as it happens."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
from typing_extensions import override

from deploy.embedded.stack import EmbeddedStack
from shared import events, subjects
from shared.bus import Bus
from shared.bus.deliveries import Message
from shared.ledger import Recorded
from tests.faults.asking import TENANT
from tests.faults.observed import Observed
from tests.faults.shop import Shop
from tests.faults.traffic import marker_in

Listener = Callable[[events.AnyEvent], None]
COUNTED: Mapping[str, str] = {
    "contact.offered": "offered",
    "transfer.offered": "offered",
    "contact.accepted": "taken",
    "transfer.accepted": "taken",
    "callback.reached": "taken",
    "conversation.resolved": "resolved",
}
"""What of the ledger stands in a minute's line."""


@dataclass
class Delays:
    """Seconds from a door's answer: until the contact was decided, and until the first screen said so."""

    decided: list[float] = field(default_factory=list)
    told: list[float] = field(default_factory=list)


class Floor(Shop):
    """`decided`: markers that stand in the ledger; `open`: the matters that are not closed; `owner`: who has which of
    them; `channel`: by which it came last; `calls_over`: calls that have ended, by marker.

    `counted`: how often what has happened so far; `left`: customers whose patience ended; `told`: when a notice was
    first on a screen, by its id.
    """

    def __init__(
        self, stack: EmbeddedStack, bus: Bus, observed: Observed, secrets: Mapping[str, str]
    ) -> None:
        super().__init__(stack, bus, observed, secrets)
        self.listener: Listener = lambda _: None
        self.counted: Counter[str] = Counter()
        self.delays = Delays()
        self.decided: set[str] = set()
        self.open: set[str] = set()
        self.owner: dict[str, str] = {}
        self.channel: dict[str, str] = {}
        self.calls_over: set[str] = set()
        self.told: dict[str, datetime] = {}
        self.left = 0
        self._conversation_of: dict[str, str] = {}
        self._call_of: dict[str, str] = {}
        self._untold: dict[str, float] = {}

    # -- what stands -----------------------------------------------------------------------------------

    def is_owned(self, marker: str) -> bool:
        """Tell whether somebody has the matter that a delivery became."""
        return self._conversation_of.get(marker, "") in self.owner

    def is_talking(self, conversation: str) -> bool:
        """Tell whether the last call of a matter goes on."""
        call = self._call_of.get(conversation)
        return call is not None and call not in self.calls_over

    def undecided(self) -> list[str]:
        """Return the deliveries that a door has taken and nobody decided yet, the oldest first."""
        return [each for each in self.observed.acknowledged if each not in self.decided]

    def oldest_seconds(self) -> float:
        """Return how long the oldest of them has waited; 0 when none does."""
        undecided = self.undecided()
        if not undecided:
            return 0.0
        return (datetime.now(UTC) - self.observed.acknowledged[undecided[0]]).total_seconds()

    # -- what happens ----------------------------------------------------------------------------------

    @override
    def _see(self, recorded: Recorded) -> None:
        event = recorded.event
        self.counted[COUNTED.get(event.type, "")] += 1
        conversation: Any = event.conversation
        match event:
            case events.ConversationOpened():
                self.open.add(conversation)
            case events.MessageReceived() | events.FormSubmitted() if event.personal is not None:
                self._came(marker_in(event.personal.text), conversation, event.open.channel)
            case events.CallStarted():
                marker = marker_in(event.open.provider_id)
                self._call_of[conversation] = marker
                self._came(marker, conversation, event.open.channel)
            case events.ContactAccepted() | events.TransferAccepted() | events.CallbackReached():
                self.owner[conversation] = event.open.agent
            case events.ConversationResolved() | events.ConversationAbsorbed():
                self.open.discard(conversation)
                self.owner.pop(conversation, None)
            case events.ConversationReturned():
                self.owner.pop(conversation, None)
            case events.ConversationMerged() if event.open.owner is not None:
                self.owner[conversation] = event.open.owner
            case _:
                pass
        self.listener(event)

    def _came(self, marker: str, conversation: str, channel: str) -> None:
        self.channel[conversation] = channel
        if not marker or marker in self.decided:
            return
        self.decided.add(marker)
        self.counted["decided"] += 1
        self._conversation_of[marker] = conversation
        taken = self.observed.acknowledged.get(marker)
        waited = (datetime.now(UTC) - taken).total_seconds() if taken else 0.0
        self.delays.decided.append(waited)
        self._untold[conversation] = time.monotonic() - waited

    async def look_at_screens(self) -> None:
        """Follow every screen of the shop; until the connection is closed."""
        policy = self.observed.policy
        people = (f"agent-{each}" for each in policy.agents)
        for recipient in (*people, *(f"queue-{each}" for each in policy.queues)):
            await self.bus.subscribe(subjects.screen(TENANT, recipient), self._is_told)

    async def _is_told(self, message: Message) -> None:
        notice: dict[str, Any] = msgspec.json.decode(message.body)
        self.told.setdefault(notice["notification_id"], datetime.now(UTC))
        self.counted["told"] += 1
        since = self._untold.pop(notice["conversation"], None)
        if since is not None:
            self.delays.told.append(time.monotonic() - since)
