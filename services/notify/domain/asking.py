"""A message of which nobody knows whether its provider took it: what is asked, and when the answer counts. Pure."""

from datetime import datetime, timedelta
from typing import Any

import msgspec

from services.notify.domain.messages import CustomerMessage
from services.notify.domain.outcomes import Outcome

HAND_OVER = timedelta(seconds=90)
"""So long after its intent a message may still be handed over: behind it nobody does, not even who was frozen."""
ASK_AFTER = HAND_OVER + timedelta(seconds=60)
"""Nobody hands over any more, and the provider has finished what it had: what it does not have now it never will."""
ASK_UNTIL = timedelta(minutes=30)
"""A provider that does not answer is asked for so long; then a person is told of the doubt."""
CLOCKS_APART = timedelta(seconds=60)

NOT_TAKEN = Outcome(kind="failed", reason="not_taken")
"""The provider does not have it."""
UNCLEAR = Outcome(kind="uncertain", reason="found_unclear")
"""The provider has what may be it, or several: only a person can tell."""
NO_WORD = Outcome(kind="uncertain", reason="found_unclear", temporary=True)
"""The provider did not say: it is asked again."""


class Doubt(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a message without a known end.

    `intended`: when it was to be handed over; `now`: when is asked; `others`: the provider's ids of the conversation's
    other messages, which are not this one.
    """

    intended: datetime
    now: datetime
    others: frozenset[str] = frozenset()

    @property
    def age(self) -> timedelta:
        """How long ago it was to be handed over."""
        return self.now - self.intended

    def covers(self, at: datetime | None) -> bool:
        """Tell whether the provider may have taken it then, by its own clock; `None`: nobody knows when."""
        latest = self.intended + ASK_AFTER
        return at is None or (at <= latest and not self.precedes(at))

    def precedes(self, at: datetime | None) -> bool:
        """Tell whether that was before the provider can have taken it."""
        return at is not None and at < self.intended - CLOCKS_APART


def no_question(message: CustomerMessage, doubt: Doubt) -> Any:  # noqa: ARG001  the shape all channels share
    """Return `None`: the provider has no way to be asked, and no key that would make sending again safe."""
    return None


def no_finding(answer: Any, message: CustomerMessage, doubt: Doubt) -> Outcome:  # noqa: ARG001  likewise
    """Return that nothing is known: nobody was asked."""
    return UNCLEAR
