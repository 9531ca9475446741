"""Asks providers what became of messages without a known end, where they can be asked (docs/adr/0050)."""

from collections.abc import Mapping

import structlog

from services.notify.carriers import Carrier, NotTaken, Unanswered
from services.notify.channels import Outbound
from services.notify.domain.asking import ASK_AFTER, ASK_UNTIL, NO_WORD, Doubt
from services.notify.domain.messages import CustomerMessage
from services.notify.domain.outcomes import Outcome
from shared import arrivals

ASK_AGAIN_SECONDS = 30.0

log = structlog.get_logger("notify.asking")


class Asking:
    """Resolves doubts. `carriers`: by name."""

    def __init__(self, carriers: Mapping[str, Carrier]) -> None:
        self._carriers = carriers

    async def resolve(
        self, channel: Outbound, message: CustomerMessage, doubt: Doubt, known: Outcome
    ) -> Outcome:
        """Return how a message ended by its provider's word; `known`, if that cannot be asked or does not tell.

        Raises: Later, while it is too early to ask, or the provider gives no answer.
        """
        question = channel.ask(message, doubt)
        if question is None:
            return known
        early = (ASK_AFTER - doubt.age).total_seconds()
        if early > 0:
            raise arrivals.Later(early, "ask_later")
        found = await self._ask(channel, question, message, doubt)
        log.info("provider_asked", message_id=message.id, outcome=found.kind, reason=found.reason)
        if not found.temporary:
            return found
        if doubt.age < ASK_UNTIL:
            raise arrivals.Later(ASK_AGAIN_SECONDS, "ask_again")
        return known

    async def _ask(
        self, channel: Outbound, question: object, message: CustomerMessage, doubt: Doubt
    ) -> Outcome:
        try:
            async with self._carriers[channel.CARRIER].transaction(question) as transaction:
                return channel.found(await transaction.commit(), message, doubt)
        except NotTaken as error:
            return NO_WORD if error.answer is None else channel.found(error.answer, message, doubt)
        except Unanswered:
            return NO_WORD
