"""Computes the facts, promises, hand-overs and messages known at a ledger position, and a packet's part of them.

Computed from LEDGER alone and without the house's fold, which is checked by it. An item is a tuple that can be
compared; of a long text the beginning and the length.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from deploy.story.ledger_copy import Entry, LedgerCopy

Item = tuple[Any, ...]
TEXT_CHARACTERS = 200
SAYING = ("message.received", "form.submitted", "message.requested")


@dataclass(frozen=True, slots=True)
class Shown:
    """One part of a packet. `more`: how many further items it only counts."""

    items: list[Item]
    more: int


def told_in(packet: dict[str, Any]) -> dict[str, Shown]:
    """Return the facts, open promises, hops and messages of a packet."""
    more = packet["more"]
    facts = [(each["fact_id"], each["name"], each["value"]) for each in packet["facts"]]
    promises = [(each["promise_id"], each["text"]) for each in packet["open"]["promises"]]
    hops = [
        (each["sender"], each["kind"], each["brief"], each["accepted"] is not None)
        for each in packet["path"]["hops"]
    ]
    said = [_words(each["by"], each["text"], each["cut"]) for each in packet["said"]]
    return {
        "facts": Shown(list(facts), more["facts"]),
        "promises": Shown(list(promises), more["promises"]),
        "hops": Shown(list(hops), more["hops"]),
        "said": Shown(said, more["said"]),
        "visit": Shown(_visit(packet["around"]["visit"]), 0),
    }


def told_by(ledger: LedgerCopy, conversation: str, position: int) -> dict[str, list[Item]]:
    """Return the same parts as LEDGER has them, of all events up to a position, itself included."""
    events = ledger.of_matter(conversation, position)
    return {
        "facts": _facts(events),
        "promises": _open_promises(events, conversation),
        "hops": _hops(events),
        "said": [_said(entry) for entry in _of(events, *SAYING)],
        "visit": _last_visit(events, conversation),
    }


def _of(events: list[Entry], *types: str) -> Iterator[Entry]:
    return (entry for entry in events if entry.type in types)


def _facts(events: list[Entry]) -> list[Item]:
    facts: dict[str, Item] = {}
    for entry in _of(events, "fact.stated", "fact.corrected"):
        fact_id = entry.open["fact_id"]
        facts[fact_id] = (fact_id, entry.open["name"], entry.personal.get("value", ""))
    return list(facts.values())


def _open_promises(events: list[Entry], conversation: str) -> list[Item]:
    """What is still to be kept; where the conversation goes on in another one, it is to be kept there."""
    if any(each.conversation == conversation for each in _of(events, "conversation.absorbed")):
        return []
    ends = ("promise.kept", "promise.withdrawn", "promise.broken")
    ended = {entry.open["promise_id"] for entry in _of(events, *ends)}
    made = {
        entry.open["promise_id"]: entry.personal.get("text", "")
        for entry in _of(events, "promise.made")
    }
    return [each for each in made.items() if each[0] not in ended]


def _hops(events: list[Entry]) -> list[Item]:
    accepted = {entry.open["transfer_id"] for entry in _of(events, "transfer.accepted")}
    return [
        _assigned(entry)
        if entry.type == "conversation.assigned"
        else (
            entry.open["sender"],
            entry.open["kind"],
            entry.personal.get("brief", ""),
            entry.open["transfer_id"] in accepted,
        )
        for entry in _of(events, "transfer.requested", "conversation.assigned")
    ]


def _assigned(entry: Entry) -> Item:
    """Return a supervisor's hop; somebody else had it before where one is named, or a transfer was under way."""
    opened = entry.open
    had = opened.get("owner") or opened.get("transfer_id")
    taken = had not in (None, opened["agent"])
    return (opened["by"], "assigned", entry.personal.get("reason", ""), taken)


def _last_visit(events: list[Entry], conversation: str) -> list[Item]:
    """The visit to the pages that was noted last in the conversation itself."""
    noted = [each for each in _of(events, "visit.noted") if each.conversation == conversation]
    return _visit(noted[-1].personal.get("visit")) if noted else []


def _visit(visit: dict[str, Any] | None) -> list[Item]:
    """Return when a visit ended, the last page, and what lay in the cart: each cut as other texts are."""
    if visit is None:
        return []
    pages = [each["title"] or each["url"] for each in visit["pages"]]
    return [
        (visit["ended"], *(each[:TEXT_CHARACTERS] for each in [*pages[-1:], *visit["cart"][:1]]))
    ]


def _said(entry: Entry) -> Item:
    """Return the text of a message; the text of a reply without its quotations, as people read a reply."""
    if entry.type == "message.requested":
        agent = entry.open.get("agent")
        by = "automatic" if agent is None else f"agent-{agent}"
        return _words(by, entry.personal.get("text", ""), 0)
    text = entry.personal.get("reply_text") or entry.personal.get("text", "")
    return _words("customer", text, 0)


def _words(by: str, text: str, cut: int) -> Item:
    return (by, text[:TEXT_CHARACTERS], len(text) + cut)
