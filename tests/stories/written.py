"""A ledger as the player reads it, written by hand."""

import hashlib
from typing import Any

import msgspec

from deploy.story.checks.handed_over import handed_over, missing_facts
from deploy.story.ledger_copy import LedgerCopy


class Ledger:
    """Writes events as they stand in LEDGER, so far as the player reads them."""

    def __init__(self) -> None:
        self.copy = LedgerCopy("demo")
        self._sequence = 0

    def add(
        self,
        type_: str,
        /,
        personal: dict[str, Any] | None = None,
        *,
        conversation: str = "c1",
        **opened: Any,
    ) -> None:
        self._sequence += 1
        event = {
            "id": f"e{self._sequence}",
            "type": type_,
            "subject": f"conv-{conversation}",
            "conversation": conversation,
            "data": {"open": opened, "personal": personal},
        }
        self.copy.take(self._sequence, msgspec.json.encode(event))

    def tell(self, fact_id: str, name: str, value: str) -> None:
        self.add("fact.stated", {"value": value}, fact_id=fact_id, name=name)

    def package(self, packet_id: str, facts: list[tuple[str, str, str]], more: int = 0) -> None:
        shown = [{"fact_id": key, "name": name, "value": value} for key, name, value in facts]
        packet = {"facts": shown, "more": {"facts": more, "fact_ids": []}}
        sha256 = hashlib.sha256(msgspec.json.encode(packet)).hexdigest()
        self.add("context.packaged", {"packet": packet}, packet_id=packet_id, sha256=sha256)

    @property
    def missing(self) -> list[str]:
        return missing_facts(self.copy, handed_over(self.copy)[-1])
