"""Finds the ids that a command needs the way an agent's screen does: by asking history."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from deploy.story import asking, errors, ledger_copy
from shared import aggregates
from shared.commands import COMMANDS, ConversationCommand

POLL_SECONDS = 0.05
OFFERS = frozenset({"accept_offer", "reject_offer"})
TRANSFER_OFFERS = frozenset({"accept_transfer", "reject_transfer"})
SENDERS = frozenset({"cancel_transfer", "complete_transfer"})
CALLBACKS = frozenset({"attempt_callback", "close_callback"})
PROMISES = frozenset({"keep_promise", "renegotiate_promise", "withdraw_promise"})
NOTIFICATIONS = frozenset({"acknowledge_notification"})
OWN_WORK = frozenset(
    verb
    for verb, kind in COMMANDS.items()
    if issubclass(kind, ConversationCommand)
    and verb not in OFFERS | TRANSFER_OFFERS | CALLBACKS | NOTIFICATIONS
)
"""What she does with a conversation that is hers already: all the rest."""


class Screen:
    """What one agent sees. `queues`: those she works for, from the policy."""

    def __init__(
        self, agent: str, queues: list[str], asker: asking.Asker, ledger: ledger_copy.LedgerCopy
    ) -> None:
        self._agent = agent
        self._queues = queues
        self._asker = asker
        self._ledger = ledger

    async def complete(self, verb: str, given: dict[str, Any], deadline: float) -> dict[str, Any]:
        """Return the body with the ids that a person would click on instead of typing.

        Raises: StepFailed (`step.nothing_to_take`) when nothing fits until the deadline.
        """
        if verb in OFFERS and not {"offer_id", "conversation"} <= set(given):
            return await self._of_offer(given, "offer_id", deadline)
        if verb in TRANSFER_OFFERS and not {"transfer_id", "conversation"} <= set(given):
            return await self._of_offer(given, "transfer_id", deadline)
        if verb in CALLBACKS and not {"callback_id", "conversation"} <= set(given):
            return {**await self._callback(deadline), **given}
        if verb in NOTIFICATIONS and "notification_id" not in given:
            reason = given.pop("reason", None)
            return {**await self._notification(reason, deadline), **given}
        if verb in OWN_WORK:
            return await self._of_own_work(verb, given, deadline)
        return given

    async def _of_offer(self, given: dict[str, Any], field: str, deadline: float) -> dict[str, Any]:
        async def look() -> dict[str, Any] | None:
            inbox = await self._inbox(deadline)
            fit = [each for each in inbox.get("offered", []) if _is_offer(each, field)]
            return fit[-1] if fit else None

        offer = await self._until(look, "no offer", deadline)
        return {"conversation": offer["conversation"], field: offer[field], **given}

    async def _of_own_work(
        self, verb: str, given: dict[str, Any], deadline: float
    ) -> dict[str, Any]:
        if "conversation" not in given:
            given = {"conversation": await self._owned(deadline), **given}
        if verb in PROMISES and "promise_id" not in given:
            return {"promise_id": await self._promise(given["conversation"], deadline), **given}
        if verb in SENDERS and "transfer_id" not in given:
            return {"transfer_id": await self._transfer(given["conversation"], deadline), **given}
        if verb == "correct_fact" and "fact" in given:
            named = given.pop("fact")
            return {"fact_id": await self._fact(given["conversation"], named, deadline), **given}
        return given

    async def _owned(self, deadline: float) -> str:
        async def look() -> dict[str, Any] | None:
            owned = (await self._inbox(deadline)).get("owned", [])
            return owned[-1] if owned else None

        return str(
            (await self._until(look, "no conversation of her own", deadline))["conversation"]
        )

    async def _promise(self, conversation: str, deadline: float) -> str:
        return await self._part(
            conversation,
            "promises",
            "promise_id",
            lambda each: not each.get("kept") and not each.get("end"),
            deadline,
        )

    async def _fact(self, conversation: str, named: str, deadline: float) -> str:
        return await self._part(
            conversation, "facts", "fact_id", lambda each: each["name"] == named, deadline
        )

    async def _transfer(self, conversation: str, deadline: float) -> str:
        async def look() -> dict[str, Any] | None:
            return (await self._conversation(conversation, deadline)).get("transfer")

        return str((await self._until(look, "no open transfer", deadline))["transfer_id"])

    async def _part(
        self,
        conversation: str,
        part: str,
        field: str,
        fits: Callable[[dict[str, Any]], bool],
        deadline: float,
    ) -> str:
        """Return the id of the newest promise or fact of a conversation that fits."""

        async def look() -> dict[str, Any] | None:
            parts = (await self._conversation(conversation, deadline)).get(part, [])
            every = list(parts.values()) if isinstance(parts, dict) else parts
            fit = [each for each in every if fits(each)]
            return fit[-1] if fit else None

        return str((await self._until(look, f"nothing among the {part}", deadline))[field])

    async def _callback(self, deadline: float) -> dict[str, Any]:
        async def look() -> dict[str, Any] | None:
            asked = {"status": "open"}
            answer = await self._asker.query("callbacks", asked, deadline)
            fit = [each for each in answer.get("callbacks", []) if each["queue"] in self._queues]
            return fit[0] if fit else None

        found = await self._until(look, "no callback of her queues", deadline)
        return {key: found[key] for key in ("conversation", "callback_id")}

    async def _notification(self, reason: str | None, deadline: float) -> dict[str, Any]:
        """Return the newest that nobody has acknowledged; without a `reason`, of whatever has been told by now."""
        mine = {f"agent-{self._agent}", *(f"queue-{queue}" for queue in self._queues)}

        async def look() -> dict[str, Any] | None:
            await self._ledger.catch_up(self._asker.bus)
            seen = {
                each.open["notification_id"]
                for each in self._ledger.of_type("notification.acknowledged")
            }
            for entry in reversed(list(self._ledger.of_type("notification.requested"))):
                key = entry.open["notification_id"]
                fits = entry.open["recipient"] in mine and reason in (None, entry.open["reason"])
                if fits and key not in seen:
                    kept_under = aggregates.split(entry.aggregate)[1]
                    return {"notification_id": key, "conversation": kept_under}
            return None

        lacks = "no notification" if reason is None else f"no notification of {reason}"
        return await self._until(look, lacks, deadline)

    async def _inbox(self, deadline: float) -> dict[str, Any]:
        return await self._asker.query("inbox", {"agent": self._agent}, deadline)

    async def _conversation(self, conversation: str, deadline: float) -> dict[str, Any]:
        asked = {"conversation": conversation}
        answer = await self._asker.query("conversation", asked, deadline)
        found: dict[str, Any] = answer.get("conversation", {})
        return found

    async def _until(self, look: Any, lacks: str, deadline: float) -> dict[str, Any]:
        while True:
            found: dict[str, Any] | None = await look()
            if found is not None:
                return found
            if time.monotonic() > deadline:
                sentence = f"on the screen of {self._agent} is {lacks}"
                raise errors.StepFailed("step.nothing_to_take", sentence, got=lacks)
            await asyncio.sleep(POLL_SECONDS)


def _is_offer(offer: dict[str, Any], field: str) -> bool:
    return (offer.get("transfer_id") is not None) == (field == "transfer_id")
