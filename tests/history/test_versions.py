"""A fold or a table that changed has another version: packets and rows name it, and old tables are built anew.

`tests/golden/history.jsonl` is the ledger of three stories as it was written once; it is never made again.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import astuple

from services.history.project import project, wanted
from services.history.tables import TABLES_VERSION
from services.history.tables.row import AddedRow
from shared import conversation as conversations
from shared import customer as customers
from shared.codec import decode
from shared.conversation import FOLD_VERSION, NEW_CONVERSATION, Conversation
from shared.customer import UNKNOWN_CUSTOMER, Customer
from shared.events import PacketId
from shared.ledger import Recorded
from shared.packet import canonical, package

GOLDEN = Path(__file__).parent.parent / "golden"
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


class Line(msgspec.Struct):
    sequence: int
    stored: datetime
    event: msgspec.Raw


def history() -> list[Recorded]:
    lines = (GOLDEN / "history.jsonl").read_bytes().splitlines()
    return [_recorded(msgspec.json.decode(each, type=Line)) for each in lines]


def _recorded(line: Line) -> Recorded:
    event = decode(bytes(line.event))
    return Recorded(line.sequence, line.stored, event.aggregate, event, bytes(line.event))


def packets(events: list[Recorded]) -> str:
    """Return the digest of the packets that every conversation would have after each event."""
    digest = hashlib.sha256()
    matters: dict[str, Conversation] = {}
    people: dict[str, Customer] = {}
    for each in events:
        kind, _, name = each.aggregate.partition("-")
        if kind == "cust":
            before = people.get(name, UNKNOWN_CUSTOMER)
            people[name] = customers.evolve(before, each.sequence, each.event)
        elif kind == "conv":
            it = conversations.evolve(
                matters.get(name, NEW_CONVERSATION), each.sequence, each.event
            )
            matters[name] = it
            customer = people[it.customer or ""]
            digest.update(
                canonical(package(it, customer, packet_id=PacketId("p"), policy_version="v"))
            )
    return digest.hexdigest()


def rows(events: list[Recorded]) -> str:
    """Return the digest of all rows, as they are added or replaced."""
    added: dict[str, Any] = {}
    replaced: dict[str, Any] = {}
    for row, found in project(events, wanted(events), BEGINNING).items():
        kind = added if issubclass(row, AddedRow) else replaced
        kind[row.table] = [astuple(each) for each in found.values()]
    return hashlib.sha256(msgspec.json.encode((added, replaced))).hexdigest()


def test_other_packets_or_rows_have_another_version() -> None:
    """If this fails: raise FOLD_VERSION or TABLES_VERSION, then write what is found here into versions.json."""
    events = history()
    known = json.loads((GOLDEN / "versions.json").read_bytes())
    found = {
        "fold_version": FOLD_VERSION,
        "packets": packets(events),
        "tables_version": TABLES_VERSION,
        "rows": rows(events),
    }
    assert found == known
