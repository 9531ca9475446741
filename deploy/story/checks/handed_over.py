"""Finds the packet of every hand-over, and the facts missing from the packet: computed from LEDGER alone."""

from dataclasses import dataclass
from typing import Any

from deploy.story.ledger_copy import Entry, LedgerCopy, StoredPacket

GIVEN_BY: dict[str, str] = {
    "contact.offered": "offered",
    "transfer.offered": "offered",
    "contact.accepted": "accepted",
    "transfer.accepted": "accepted",
    "conversation.assigned": "assigned",
    "channel.switched": "switched",
    "callback.reached": "called_back",
    "conversation.reopened": "reopened",
}
"""Events that put a packet before a person, and the story's word for it."""


@dataclass(frozen=True, slots=True)
class HandedOver:
    """A packet shown to an agent. `given`: the event that names the packet."""

    to: str
    how: str
    given: Entry
    packet: StoredPacket


def handed_over(ledger: LedgerCopy) -> list[HandedOver]:
    """Return every packet that somebody was given, in ledger order; a packet that is not in LEDGER is left out."""
    found = []
    for entry in ledger.of_type(*GIVEN_BY):
        to = entry.open.get("agent") or entry.open.get("to_owner")
        packet = ledger.packets.get(entry.open["packet_id"])
        if to is not None and packet is not None:
            found.append(HandedOver(to, GIVEN_BY[entry.type], entry, packet))
    return found


def named_but_absent(ledger: LedgerCopy) -> list[str]:
    """Return the ids of packets that an event names and LEDGER does not hold; on a sound ledger []."""
    named = {
        entry.open["packet_id"]
        for entry in ledger.of_type(*GIVEN_BY, "transfer.requested", "contact.escalated")
    }
    return sorted(named - set(ledger.packets))


def facts_at(ledger: LedgerCopy, conversation: str, before: int) -> dict[str, tuple[str, str]]:
    """Return the facts of a conversation stated before a position: name and latest value by fact id."""
    facts: dict[str, tuple[str, str]] = {}
    for entry in ledger.of_matter(conversation, before - 1):
        if entry.type in ("fact.stated", "fact.corrected"):
            facts[entry.open["fact_id"]] = (entry.open["name"], entry.personal.get("value", ""))
    return facts


def missing_facts(ledger: LedgerCopy, handed: HandedOver) -> list[str]:
    """Return the names of the facts known at the hand-over and absent from the packet.

    A fact beyond the packet's limit counts as there when `more` refers to it or counts it.
    """
    stated = facts_at(ledger, handed.packet.conversation, handed.given.sequence)
    packet: dict[str, Any] = handed.packet.packet
    shown = {each["fact_id"]: (each["name"], each["value"]) for each in packet["facts"]}
    more = packet["more"]
    referred = set(more.get("fact_ids", []))
    wrong = [key for key, fact in shown.items() if stated.get(key) != fact]
    absent = [key for key in stated if key not in shown and key not in referred]
    if len(absent) <= more["facts"] - len(referred):
        absent = []
    return [stated[key][0] if key in stated else shown[key][0] for key in [*absent, *wrong]]
